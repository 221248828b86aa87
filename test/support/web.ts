/**
 * A web application with sessions, as tests talk to it: express and express-session on 127.0.0.1, a browser
 * that keeps its cookie.
 */
import type { AddressInfo } from 'node:net';
import express, { type Express } from 'express';
import expressSession, { type SessionOptions } from 'express-session';
import { onTestFinished } from 'vitest';
import type { SessionStore } from '../../client/express.ts';

declare module 'express-session' {
  interface SessionData {
    user?: string;
    [property: string]: unknown;
  }
}

/** Starts an application with this store; answers its address. */
export async function serve(store: SessionStore, routes: (app: Express) => void, options: Partial<SessionOptions> = {}): Promise<string> {
  const app = express();
  app.use(expressSession({ store, secret: 'a secret of the tests', resave: false, saveUninitialized: false, ...options }));
  routes(app);
  app.use(((error: Error, _request, response, next) => {
    if (response.headersSent) next(error);
    else response.status(500).send(`${error.name}: ${error.message}`);
  }) satisfies express.ErrorRequestHandler);
  const listener = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => listener.once('listening', resolve));
  onTestFinished(() => {
    listener.closeAllConnections();
    listener.close();
  });
  return `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
}

/** A browser: it sends the cookie that it was given last. */
export class Browser {
  cookie: string;
  /** How many times it was given one. */
  given = 0;
  readonly #address: string;

  constructor(address: string, cookie = '') {
    this.#address = address;
    this.cookie = cookie;
  }

  /** Asks for a page; answers its status and text. */
  async open(page: string): Promise<{ status: number; text: string }> {
    const response = await fetch(this.#address + page, { headers: this.cookie === '' ? {} : { cookie: this.cookie } });
    const [cookie] = response.headers.getSetCookie();
    if (cookie !== undefined) {
      this.given++;
      this.cookie = cookie.split(';')[0] ?? '';
    }
    return { status: response.status, text: await response.text() };
  }

  /** The session's id in the cookie, '' without one. */
  get sid(): string {
    return /=s%3A([^.]+)\./.exec(this.cookie)?.[1] ?? '';
  }
}

/** A place where requests wait: `reached` when `count` have come, `open` lets them go on. */
export class Gate {
  readonly #waiting: (() => void)[] = [];
  #isOpen = false;

  async wait(): Promise<void> {
    if (this.#isOpen) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  get count(): number {
    return this.#waiting.length;
  }

  open(): void {
    this.#isOpen = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
