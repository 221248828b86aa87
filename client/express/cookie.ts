/**
 * A session's cookie: its field on the server, and the limits of the session that follow from it. `expires` moves with every request, so
 * that it is not stored where it follows from `originalMaxAge`: an unchanged cookie is not written again.
 */
import { ArgumentError } from '../arguments.ts';

/** The cookie's field. */
export const COOKIE = 'cookie';

export interface LimitOptions {
  rolling: boolean;
  /** seconds, for a cookie without maxAge */
  idle_s: number;
  /** seconds, for every session */
  lifetime_s: number | undefined;
}

/** The limits of a session on the server; undefined: none of this kind. */
export interface Limits {
  /** The cookie's maxAge is 0 or less: the session has ended. */
  isOver: boolean;
  /** the cookie's maxAge in ms, null without one */
  maxAge_ms: number | null;
  idle_s: number | undefined;
  ttl_s: number | undefined;
}

interface CookieLike {
  originalMaxAge?: unknown;
  maxAge?: unknown;
  expires?: unknown;
}

/** The longest time without access that the server takes: 136 years. */
export const IDLE_MAX_S = 0xffff_ffff;

/** The longest time that a session may live, from now on: until the end of the year 9999. */
export function ttlMax_s(): number {
  return Math.floor((Date.UTC(10_000, 0) - 1 - Date.now()) / 1000);
}

/**
 * The limits that the cookie of a request stands for.
 * @throws ArgumentError that names what is no time, or a longer one than the server takes
 */
export function checkedLimitsOf(cookie: CookieLike, options: LimitOptions): Limits {
  const limits = limitsOf(cookie, options);
  const { maxAge_ms } = limits;
  if (maxAge_ms === null) return limits;
  const [argument, expected] =
    typeof cookie.originalMaxAge !== 'number' && isSet(cookie.expires)
      ? ['session.cookie.expires', 'a valid Date']
      : ['session.cookie.maxAge', `milliseconds, not ${maxAge_ms}`];
  if (!Number.isFinite(maxAge_ms)) throw new ArgumentError(argument, expected);
  const max_s = options.rolling ? IDLE_MAX_S : ttlMax_s();
  if (ageOf(maxAge_ms) > max_s) throw new ArgumentError(argument, `at most ${max_s} seconds from now on, not ${ageOf(maxAge_ms)}`);
  return limits;
}

/** The limits that a cookie stands for. */
export function limitsOf(cookie: CookieLike, options: LimitOptions): Limits {
  const maxAge_ms = maxAgeOf(cookie);
  const { lifetime_s } = options;
  if (maxAge_ms === null) return { isOver: false, maxAge_ms, idle_s: options.idle_s, ttl_s: lifetime_s };
  const age_s = ageOf(maxAge_ms);
  const isOver = maxAge_ms <= 0;
  if (options.rolling) return { isOver, maxAge_ms, idle_s: age_s, ttl_s: lifetime_s };
  return { isOver, maxAge_ms, idle_s: undefined, ttl_s: Math.min(age_s, lifetime_s ?? age_s) };
}

function ageOf(maxAge_ms: number): number {
  return Math.max(1, Math.ceil(maxAge_ms / 1000));
}

/** In ms; null: none. NaN where it is no time. */
function maxAgeOf({ originalMaxAge, maxAge, expires }: CookieLike): number | null {
  if (typeof originalMaxAge === 'number') return originalMaxAge;
  if (isSet(expires)) return new Date(expires as string | Date).getTime() - Date.now();
  return typeof maxAge === 'number' ? maxAge : null;
}

function isSet(expires: unknown): boolean {
  return expires !== null && expires !== undefined && expires !== false;
}

/** The cookie's field. Its `expires` is in it only for the time when that is a fixed moment. */
export function cookieText(cookie: unknown, { maxAge_ms, idle_s }: Limits): string {
  const { expires, ...attributes } = JSON.parse(JSON.stringify(cookie)) as Record<string, unknown>;
  delete attributes.maxAge;
  const isFixed = maxAge_ms !== null && idle_s === undefined;
  const end = isFixed ? { expires: expires ?? new Date(Date.now() + maxAge_ms).toISOString() } : {};
  return JSON.stringify({ ...attributes, originalMaxAge: maxAge_ms, ...end });
}

/** What express-session makes its cookie of. */
export function cookieOf(text: string, { rolling }: LimitOptions): Record<string, unknown> {
  const cookie = attributesOf(text);
  const { originalMaxAge } = cookie;
  if (typeof originalMaxAge !== 'number') return { ...cookie, originalMaxAge: null };
  // Reading it was a request: from now on it has the whole time again.
  const end = rolling || typeof cookie.expires !== 'string' ? Date.now() + originalMaxAge : Date.parse(cookie.expires);
  return { ...cookie, expires: new Date(end) };
}

/** Whether two fields stand for the same cookie, its times aside: they are compared as limits. */
export function sameCookie(one: string, other: string): boolean {
  return untimed(one) === untimed(other);
}

function untimed(text: string): string {
  const attributes = Object.entries(attributesOf(text)).filter(([name]) => name !== 'expires' && name !== 'originalMaxAge');
  return JSON.stringify(attributes.sort(([one], [other]) => (one < other ? -1 : 1)));
}

function attributesOf(text: string): Record<string, unknown> {
  try {
    const cookie: unknown = JSON.parse(text);
    return typeof cookie === 'object' && cookie !== null ? { ...cookie } : {};
  } catch {
    return {};
  }
}
