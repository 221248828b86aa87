/**
 * The example site for tests: on 127.0.0.1, with the sessions in a server of the tests; and visitors of it.
 */
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { createSite, type SiteOptions } from '../../example/app.ts';
import { createRedis } from '../../example/redis.ts';
import { demoUsers } from '../../example/users.ts';
import type { TestServer } from './server.ts';

/** Guesses are cheap here: what they cost by default is a test of the users' own. */
const CHEAP = { N: 2, r: 1, p: 1 };

/** Starts the site; answers its address. Ended with the running test. */
export async function startSite(server: TestServer, options: Partial<SiteOptions> = {}): Promise<string> {
  const redis = createRedis({ path: server.socket });
  await redis.connect();
  const { app, close } = createSite({ redis, users: await demoUsers(CHEAP), secret: 'a secret of the tests', ...options });
  const listener = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => listener.once('listening', resolve));
  onTestFinished(() => {
    close();
    listener.closeAllConnections();
    listener.close();
    redis.destroy();
  });
  return `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
}

export interface Page {
  status: number;
  text: string;
  headers: Headers;
}

/**
 * A browser without a screen and without scripts: it keeps cookies, follows redirects and sends the forms of
 * the page that it is on.
 */
export class Visitor {
  readonly cookies = new Map<string, string>();
  page: Page = { status: 0, text: '', headers: new Headers() };
  readonly #address: string;
  readonly #headers: Record<string, string>;

  constructor(address: string, headers: Record<string, string> = {}) {
    this.#address = address;
    this.#headers = headers;
  }

  /** One more with the same cookies. */
  twin(): Visitor {
    const twin = new Visitor(this.#address, this.#headers);
    for (const [name, value] of this.cookies) twin.cookies.set(name, value);
    return twin;
  }

  async open(path: string, headers: Record<string, string> = {}): Promise<Page> {
    return this.#go(path, { headers });
  }

  /** Sends a form with the token of the page that it is on, if that has one. */
  async send(path: string, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Page> {
    const token = /name="token" value="([^"]*)"/.exec(this.page.text)?.[1];
    const body = new URLSearchParams({ ...(token === undefined ? {} : { token }), ...fields });
    return this.#go(path, { method: 'POST', body, headers });
  }

  async signIn(login: string, password: string): Promise<Page> {
    await this.open('/sign-in');
    return this.send('/sign-in', { login, password });
  }

  /** The session's id in the cookie; undefined without one. */
  get sid(): string | undefined {
    return /^s%3A([^.]+)\./.exec(this.cookies.get('sid') ?? '')?.[1];
  }

  async #go(path: string, request: RequestInit): Promise<Page> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = {
      'user-agent': 'a test',
      ...this.#headers,
      ...(request.headers as Record<string, string>),
      ...(cookie ? { cookie } : {}),
    };
    const response = await fetch(new URL(path, this.#address), { ...request, headers, redirect: 'manual' });
    for (const set of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    const location = response.headers.get('location');
    if (location !== null) {
      await response.arrayBuffer();
      return this.#go(location, {});
    }
    this.page = { status: response.status, text: await response.text(), headers: response.headers };
    return this.page;
  }
}

export const ALICE = ['alice', 'wonderland'] as const;
export const BOB = ['bob', 'builder'] as const;
export const OLGA = ['olga', 'switchboard'] as const;
