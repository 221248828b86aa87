/** What this process knows of sessions that it has read or saved. */
import type { RedisArgument } from '../command.ts';
import { sameCookie, type Limits } from './cookie.ts';
import { markOf } from './mark.ts';

/** What the server has of a session, as far as this process knows. */
export interface Known {
  /** The id that it was read or saved under. */
  id: string;
  /** JSON of each field that the session's object shows, without the cookie */
  texts: Map<string, string>;
  /** JSON of the cookie's field */
  cookie: string;
  limits: Limits;
  /** Whose it is; undefined when that is not known. */
  userKey: RedisArgument | undefined;
  /** When it was asked for or written, on the clock of `performance.now()`: that counts as an access. */
  accessed_ms: number;
}

/** A touch is not sent for this part of the idle time after an access, and not for longer than that. */
const UNTOUCHED = 1 / 100;
const UNTOUCHED_MAX_MS = 1000;

export class KnownSessions {
  /** By the session's mark, or by its object where it has none. */
  readonly #known = new WeakMap<object, Known>();

  /** What is known of the session with this id, by its object or a copy of it. */
  of(id: string, session: object): Known | undefined {
    const known = this.#recall(session);
    return known?.id === id ? known : undefined;
  }

  #recall(session: object): Known | undefined {
    return this.#known.get(markOf(session) ?? session) ?? this.#known.get(session);
  }

  /** Copies have the mark in common: of one session that a request goes on with. */
  remember(session: object, known: Known): void {
    this.#known.set(markOf(session) ?? session, known);
  }

  /** What was known of `read` is known of the session that was made of it, as far as this shows it. */
  become(read: object, session: object): void {
    const known = this.#recall(read);
    if (known === undefined) return;
    const shown = [...known.texts].filter(([field]) => Object.hasOwn(session, field));
    this.remember(session, shown.length === known.texts.size ? known : { ...known, texts: new Map(shown) });
  }
}

/**
 * Whether a touch with this cookie would change nothing on the server but the time of an access that has just
 * been counted.
 */
export function isTouched({ limits, cookie, accessed_ms }: Known, now: Pick<Known, 'limits' | 'cookie'>): boolean {
  if (now.limits.isOver || now.limits.idle_s !== limits.idle_s || now.limits.ttl_s !== limits.ttl_s) return false;
  if (!sameCookie(cookie, now.cookie)) return false;
  const untouched_ms = Math.min(UNTOUCHED_MAX_MS, (limits.idle_s ?? Infinity) * 1000 * UNTOUCHED);
  return performance.now() - accessed_ms <= untouched_ms;
}
