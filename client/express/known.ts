/** What this process knows of sessions that it has read or saved. */
import type { RedisArgument } from '../command.ts';
import { isCookie, sameKind, type Limits } from './cookie.ts';
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
    const known = this.recall(session);
    return known?.id === id ? known : undefined;
  }

  recall(session: object): Known | undefined {
    return this.#known.get(markOf(session) ?? session) ?? this.#known.get(session);
  }

  /** Copies have the mark in common: of one session that a request goes on with. */
  remember(session: object, known: Known): void {
    this.#known.set(markOf(session) ?? session, known);
  }

  /** The same, of the fields that the session shows. */
  rememberShown(session: object, known: Known): void {
    let { texts } = known;
    for (const field of known.texts.keys()) {
      if (Object.hasOwn(session, field)) continue;
      if (texts === known.texts) texts = new Map(texts);
      texts.delete(field);
    }
    this.remember(session, texts === known.texts ? known : { ...known, texts });
  }
}

/**
 * Whether a touch with these limits and this cookie would change nothing on the server but the time of an
 * access that has just been counted.
 */
export function isTouched(known: Known, now: Limits, presentCookie: object): boolean {
  const { limits } = known;
  if (now.isOver || now.idle_s !== limits.idle_s || now.ttl_s !== limits.ttl_s || !sameKind(now, limits)) return false;
  return isCookie(presentCookie, known.cookie) && isFresh(known);
}

/** Whether an access has been counted so lately that another would tell nothing new. */
export function isFresh({ limits, accessed_ms }: Known): boolean {
  const untouched_ms = Math.min(UNTOUCHED_MAX_MS, (limits.idle_s ?? Infinity) * 1000 * UNTOUCHED);
  return performance.now() - accessed_ms <= untouched_ms;
}
