/** A person's sessions: where they are signed in, and the change of an id. */
import { createHmac } from 'node:crypto';
import type { Request } from 'express';
import type { SessionData } from 'express-session';
import type { SessionStore } from '../client/express.ts';
import { called } from './called.ts';
import { deviceOf, type Device } from './device.ts';
import type { Redis } from './redis.ts';

/** One session, as its owner sees it. */
export interface ListedSession {
  /** Names it in forms. Not its id: who has that may be its owner. */
  handle: string;
  isThis: boolean;
  device: Device;
  createdAt: Date;
  lastAccessed: Date;
  /** When it ends if it is not used; null: never. */
  idleEnd: Date | null;
  /** When it ends however it is used; null: never. */
  end: Date | null;
}

/** More than these are not shown. */
const SHOWN_MAX = 50;
const HANDLE_LENGTH = 22;

export class Sessions {
  readonly #redis: Redis;
  readonly #store: SessionStore;
  readonly #secret: string;

  constructor(redis: Redis, store: SessionStore, secret: string) {
    this.#redis = redis;
    this.#store = store;
    this.#secret = secret;
  }

  /**
   * The person's live sessions, newest first, and how many more there are. Does not count as an access of
   * them. O(sessions).
   */
  async list(login: string, ownId: string): Promise<{ sessions: ListedSession[]; more: number }> {
    const ids = await this.#store.ids(login);
    const own = await this.presentId(ownId);
    const shown = ids.slice(0, SHOWN_MAX);
    // A session may end between the list and this look at it.
    const sessions = (await Promise.all(shown.map((id) => this.#look(id, id === own)))).filter((found) => found !== undefined);
    return { sessions, more: ids.length - shown.length };
  }

  async #look(id: string, isThis: boolean): Promise<ListedSession | undefined> {
    const [info, session] = await Promise.all([this.#redis.session.info(id), this.#redis.session.get(id)]);
    if (info === null || session === null) return undefined;
    const { createdAt, lastAccessed, idle, ttl } = info;
    return {
      handle: this.#handleOf(id),
      isThis,
      device: deviceOf(textOf(session.data.agent)),
      createdAt,
      lastAccessed,
      idleEnd: idle === null ? null : new Date(lastAccessed.getTime() + idle),
      end: ttl === null ? null : new Date(Date.now() + ttl),
    };
  }

  /**
   * The id that a session has now, where `id` may be one of before a rotation; `id` itself when it is
   * unknown.
   */
  async presentId(id: string): Promise<string> {
    return (await this.#redis.session.info(id))?.id ?? id;
  }

  /** Ends the session that the handle names, if it is this person's: `own` when it is that of the request. */
  async end(login: string, handle: string, ownId: string): Promise<'ended' | 'own' | 'unknown'> {
    const id = (await this.#store.ids(login)).find((candidate) => this.#handleOf(candidate) === handle);
    if (id === undefined) return 'unknown';
    if (id === (await this.presentId(ownId))) return 'own';
    await called((done) => {
      this.#store.destroy(id, done);
    });
    return 'ended';
  }

  /** Ends all sessions of the person but that of the request; answers how many. */
  async endOthers(login: string, ownId: string): Promise<number> {
    return this.#store.destroyAll(login, { except: await this.presentId(ownId) });
  }

  /**
   * Gives the request's session a new id, and its browser the cookie for it. The old id works on for
   * `grace_ms`, for requests that are under way; rights that are bound to the new id it does not have.
   */
  async rotate(request: Request, grace_ms: number): Promise<void> {
    const id = await this.#redis.session.rotate(request.sessionID, { grace: grace_ms });
    const data = await called<SessionData | null>((done) => {
      this.#store.get(id, done);
    });
    request.sessionID = id;
    // Sets request.session; express-session sees at the response's end that the id is a new one.
    if (data) this.#store.createSession(request, data);
  }

  #handleOf(id: string): string {
    return createHmac('sha256', this.#secret).update(`handle of ${id}`).digest('base64url').slice(0, HANDLE_LENGTH);
  }
}

/** The text that a field of the store holds as JSON. */
function textOf(json: string | undefined): string | undefined {
  if (json === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
