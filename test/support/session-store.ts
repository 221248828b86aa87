/** A SessionStore, as tests call it. */
import type { SessionData } from 'express-session';
import type { SessionStore } from '../../client/express.ts';

type Done<T> = (error?: unknown, value?: T) => void;

/** The methods of a store as promises. */
export function calls(store: SessionStore) {
  const call = <T = void>(start: (done: Done<T>) => void) =>
    new Promise<T>((resolve, reject) => {
      start((error, value) => {
        if (error instanceof Error) reject(error);
        else resolve(value as T);
      });
    });
  return {
    get: (sid: string) => call<SessionData | null>(store.get.bind(store, sid)),
    set: (sid: string, session: SessionData) => call(store.set.bind(store, sid, session)),
    touch: (sid: string, session: SessionData) => call(store.touch.bind(store, sid, session)),
    destroy: (sid: string) => call(store.destroy.bind(store, sid)),
    all: () => call<SessionData[] | null>(store.all.bind(store)),
    length: () => call<number>(store.length.bind(store)),
    clear: () => call(store.clear.bind(store)),
  };
}

/** A session as express-session has it, with this data and cookie. */
export function sessionData(data: Record<string, unknown> = {}, cookie: Record<string, unknown> = {}): SessionData {
  const session: unknown = { ...data, cookie: { originalMaxAge: null, ...cookie } };
  return session as SessionData;
}
