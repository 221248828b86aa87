/**
 * Forms that only pages of this site can send. A form carries a token: of the session, where somebody is
 * signed in, and else of a cookie that the visitor was given, by a signature. A page of another site knows
 * neither.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Request, Response } from 'express';

const VISITOR_COOKIE = 'visitor';
const TOKEN_BYTES = 24;

export function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url');
}

/** What was typed into the form's field `name`; '' when it is missing. */
export function typed(request: Request, name: string): string {
  const value = (request.body as Record<string, unknown> | undefined)?.[name];
  return typeof value === 'string' ? value : '';
}

export class Forms {
  readonly #secret: string;
  readonly #secure: boolean;

  constructor(secret: string, secure: boolean) {
    this.#secret = secret;
    this.#secure = secure;
  }

  /** The token for the forms of this page. Gives a visitor who is not signed in a cookie. */
  token(request: Request, response: Response): string {
    const { csrf } = request.session;
    if (csrf !== undefined) return csrf;
    let visitor = cookieOf(request, VISITOR_COOKIE);
    if (visitor === undefined) {
      visitor = newToken();
      response.cookie(VISITOR_COOKIE, visitor, { httpOnly: true, sameSite: 'lax', path: '/', secure: this.#secure });
    }
    return this.#signed(visitor);
  }

  /** Whether the form that was sent is one of ours. */
  isOurs(request: Request): boolean {
    const { origin, host } = request.headers;
    if (origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === host)) return false;
    const visitor = cookieOf(request, VISITOR_COOKIE);
    const expected = request.session.csrf ?? (visitor === undefined ? undefined : this.#signed(visitor));
    return expected !== undefined && isSame(typed(request, 'token'), expected);
  }

  #signed(visitor: string): string {
    return createHmac('sha256', this.#secret).update(`form of ${visitor}`).digest('base64url');
  }
}

function isSame(one: string, other: string): boolean {
  const [first, second] = [Buffer.from(one), Buffer.from(other)];
  return first.length === second.length && timingSafeEqual(first, second);
}

/** The cookie's value as it came; undefined without one. */
export function cookieOf(request: Request, name: string): string | undefined {
  const pairs = (request.headers.cookie ?? '').split(';').map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
}
