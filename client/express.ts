/**
 * A store for express-session on SESSION.*: each top-level property of a session is a field of its own on the
 * server, and only what a request has changed is written.
 *
 * @example
 * import session from 'express-session';
 * import { createClient } from 'redis';
 * import { session as commands } from 'redis-wasm';
 * import { SessionStore } from 'redis-wasm/express';
 *
 * const client = await createClient({ modules: { session: commands } }).connect();
 * const store = new SessionStore({ client, userOf: (data) => data.userId });
 * app.use(session({ store, secret, resave: false, saveUninitialized: false }));
 */
import expressSession, { type SessionData } from 'express-session';
import { ArgumentError, callback as checked, flag, knownOptions } from './arguments.ts';
import { asText, type ClientWith } from './client.ts';
import { isTagged, slotOf } from './cluster/slots.ts';
import type { RedisArgument } from './command.ts';
import { Backing } from './express/backing.ts';
import type { TextClient } from './express/server.ts';
import { Connection } from './express/connection.ts';
import { IDLE_MAX_S, ttlMax_s } from './express/cookie.ts';
import { clusterOf } from './express/slots.ts';

/** Options of a SessionStore. */
export interface SessionStoreOptions {
  /** A connected client: `createClient({ modules: { session } })`. */
  client: ClientWith<'session'>;
  /**
   * Whose session it is: the user key; undefined, null or '' for an anonymous one. A session is assigned to
   * its user by the save in which this changes; then `ids` and `destroyAll` find it, and SESSION.USER and
   * SESSION.DELUSER from anywhere. An anonymous session belongs to `anonymous:{<session id>}`. Without this
   * option all are anonymous.
   */
  userOf?: (session: SessionData) => RedisArgument | null | undefined;
  /**
   * Whom a request signs in, as `userOf` will answer it; undefined, null or '' for nobody. In a cluster
   * `genid` makes ids in the slot of this user, so that sessions are spread over the slots, each where its
   * user is.
   */
  userOfRequest?(request: object): RedisArgument | null | undefined;
  /**
   * Written before every id and user key: one for each application on a server. By default none. In a cluster
   * one with a hash tag, `{app}`, has all sessions in one slot.
   */
  prefix?: string;
  /**
   * What the cookie's maxAge means on the server. true (the default): time without a request; for
   * `rolling: true` of express-session. false: time since the session was created, or its maxAge was changed.
   */
  rolling?: boolean;
  /**
   * Seconds without a request after which a session ends whose cookie has no maxAge; by default 86400, a day.
   */
  idle?: number;
  /** Seconds after which every session ends, however it is used; by default there is no such limit. */
  lifetime?: number;
  /**
   * Milliseconds that a command may take before its call fails, as when the server is away; by default 5000.
   */
  timeout?: number;
}

/**
 * The session was regenerated or ended by another request, or by the server, while this one was regenerating
 * it.
 */
export class SessionGoneError extends Error {
  override readonly name: string = 'SessionGoneError';
  readonly code = 'ESESSIONGONE';

  constructor() {
    super('another request has regenerated or ended this session meanwhile: send this one again');
  }
}

type Callback<T = void> = (error?: unknown, value?: T) => void;

const DAY_S = 86_400;
const OPTIONS = ['client', 'userOf', 'prefix', 'rolling', 'idle', 'lifetime', 'timeout', 'userOfRequest'] as const;

/**
 * Events: `connect` and `disconnect`, which express-session listens to; `gone` with the session's id, when a
 * save or a touch has found its session ended; `error`, if it is listened to, for failures of calls without a
 * callback.
 */
export class SessionStore extends expressSession.Store {
  readonly #backing: Backing;

  /**
   * Makes an id for a new session: 192 random bits, in a cluster in the slot of whom the request signs in.
   * For the option `genid` of express-session, `idGenerator` of @fastify/session.
   */
  readonly genid = (request?: object): string => this.#backing.newSid(request);

  /** @throws ArgumentError that names the option */
  constructor(options: SessionStoreOptions) {
    super();
    const { client, userOf, userOfRequest, prefix = '', rolling = true, idle = DAY_S, lifetime, timeout } = knownOptions(options, OPTIONS);
    if (userOf !== undefined && typeof userOf !== 'function') throw new ArgumentError('options.userOf', 'a function of the session');
    if (userOfRequest !== undefined && typeof userOfRequest !== 'function')
      throw new ArgumentError('options.userOfRequest', 'a function of the request');
    if (typeof prefix !== 'string' || !/^[\x21-\x7e]*$/.test(prefix)) throw new ArgumentError('options.prefix', 'visible ASCII characters');
    const onFailure = () => {
      connection.doubt();
    };
    const textClient = asText(client, 'session', timeout, onFailure) as TextClient;
    const cluster = clusterOf(client);
    if (cluster) checkTag(prefix, cluster.keyPrefix, userOf !== undefined && userOfRequest === undefined);
    this.#backing = new Backing({
      client: textClient,
      cluster,
      userOf: userOf ?? (() => undefined),
      userOfRequest: userOfRequest ?? (() => undefined),
      prefix,
      limits: {
        rolling: flag('options.rolling', rolling),
        idle_s: seconds('options.idle', idle, IDLE_MAX_S),
        lifetime_s: lifetime === undefined ? undefined : seconds('options.lifetime', lifetime, ttlMax_s()),
      },
      onGone: (sid) => this.emit('gone', sid),
    });
    const connection = new Connection(
      client,
      () => this.#backing.ask(),
      (event) => this.emit(event),
    );
  }

  /** Reads a session; null when it is unknown or has ended. Counts as an access. */
  override get(sid: string, callback: Callback<SessionData | null>): void {
    this.#asks(() => this.#backing.read(sid), callback);
  }

  /**
   * Saves a session. One that express-session has generated is created. Of one that was read or saved before,
   * the properties that have changed are written, in one step, and when they are stored those that are gone
   * are deleted; when it has ended meanwhile, nothing is: it is not born again, and `gone` is emitted. Any
   * other object replaces what is there. Where the server has no memory left, nothing is changed, and the
   * next save of this object tries all of it again.
   */
  override set(sid: string, session: SessionData, callback?: Callback): void {
    this.#does(() => this.#backing.save(sid, sessionOf(session)), callback);
  }

  /** Counts as an access, and applies a changed cookie. Writes no data. */
  override touch(sid: string, session: SessionData, callback?: Callback): void {
    this.#does(() => this.#backing.touch(sid, sessionOf(session)), callback);
  }

  /** Ends a session. No later save brings it back. */
  override destroy(sid: string, callback?: Callback): void {
    this.#does(() => this.#backing.end(sid).then(() => undefined), callback);
  }

  /**
   * Ends the request's session and generates another, without data. Of requests that regenerate one session
   * at the same time one wins. The others get SessionGoneError and have no `session`: nothing is saved for
   * them and no cookie is sent, so that the winner's stays.
   */
  override regenerate(request: Parameters<expressSession.Store['regenerate']>[0], callback: (error?: unknown) => void): void {
    checked(callback);
    requestOf(request);
    const session = request.session as object | null | undefined;
    const wasKnown = session instanceof Object && this.#backing.isKnown(request.sessionID, session);
    this.#answer(this.#backing.end(request.sessionID), (error, ended) => {
      if (wasKnown && ended === false) {
        delete (request as { session?: unknown }).session;
        callback(new SessionGoneError());
        return;
      }
      // express-session gives its store this method.
      (this as unknown as { generate: (request: unknown) => void }).generate(request);
      callback(error ?? undefined);
    });
  }

  /** Called by express-session with what `get` has answered. */
  override createSession(...given: Parameters<expressSession.Store['createSession']>): ReturnType<expressSession.Store['createSession']> {
    requestOf(given[0]);
    sessionOf(given[1]);
    return this.#backing.become(given[1], () => super.createSession(...given));
  }

  /**
   * Reads all sessions, each with its `id`: those with this store's prefix. Does not count as an access.
   * O(sessions).
   */
  override all(callback: Callback<SessionData[] | null>): void {
    this.#asks(() => this.#backing.all(), callback);
  }

  /** Counts the sessions: those with this store's prefix. O(1), with a prefix O(sessions). */
  override length(callback: Callback<number>): void {
    this.#asks(() => this.#backing.count(), callback);
  }

  /** Ends all sessions: those with this store's prefix; without one, all that the server has. O(sessions). */
  override clear(callback?: Callback): void {
    this.#does(() => this.#backing.clear(), callback);
  }

  /**
   * The session ids of a user, newest first.
   * @param user - as `userOf` answers it
   */
  ids(user: RedisArgument): Promise<string[]> {
    return this.#backing.idsOf(user);
  }

  /**
   * Ends sessions of a user: log out everywhere, everywhere else (`except: req.sessionID`), or those from
   * before a moment.
   * @param user - as `userOf` answers it
   * @returns how many were ended
   */
  async destroyAll(user: RedisArgument, options?: { except?: string; before?: Date | number }): Promise<number> {
    const { except, before } = knownOptions(options, ['except', 'before']);
    return this.#backing.endAllOf(user, except, before);
  }

  /** Answers a question: nobody asks it without a callback. */
  #asks<T>(question: () => Promise<T>, callback: Callback<T>): void {
    checked(callback);
    this.#answer(question(), callback);
  }

  /**
   * Does what may be done without a callback. What is wrong with the other arguments is told as what goes
   * wrong on the server.
   */
  #does(deed: () => Promise<void>, callback: Callback | undefined): void {
    if (callback !== undefined) checked(callback);
    this.#answer(
      // In this turn: what is saved is the session of now.
      new Promise<void>((resolve) => {
        resolve(deed());
      }),
      callback,
    );
  }

  /** Calls back outside of the promise, so that what the callback throws is not taken for a failure here. */
  #answer<T>(promise: Promise<T>, callback: Callback<T> | undefined): void {
    promise.then(
      (value) => {
        if (callback) process.nextTick(callback, null, value);
      },
      (error: unknown) => {
        if (callback) process.nextTick(callback, error);
        else if (this.listenerCount('error') > 0) this.emit('error', error);
      },
    );
  }
}

/**
 * Checks the hash tag of a prefix in a cluster: without one, an id that is made without regard to its user is
 * in another slot.
 */
function checkTag(prefix: string, keyPrefix: string | Buffer, isNeeded: boolean): void {
  const refuse = (expected: string) => {
    throw new ArgumentError('options.prefix', `in a cluster ${expected}`);
  };
  if (prefix.includes('{') && !isTagged(prefix)) refuse("a whole hash tag, such as '{app}', or no brace");
  if (keyPrefix.includes('{') && slotOf(`${keyPrefix.toString()}${prefix}`) !== slotOf(prefix))
    refuse("the hash tag of the client's keyPrefix");
  if (isNeeded && !isTagged(prefix)) {
    refuse(
      "with userOf a hash tag, such as '{app}': all sessions in one slot; or spread over all with options.userOfRequest, and genid: store.genid for express-session",
    );
  }
}

function requestOf(given: unknown): void {
  if (typeof given !== 'object' || given === null) throw new ArgumentError('request', 'a request that express-session has seen');
}

function sessionOf(given: SessionData | null | undefined): SessionData {
  if (typeof given !== 'object' || given === null) throw new ArgumentError('session', 'the session of a request');
  const { cookie } = given as { cookie?: object | null };
  if (typeof cookie === 'object' && cookie !== null) return given;
  throw new ArgumentError('session.cookie', 'the cookie of a session of express-session');
}

function seconds(argument: string, given: unknown, max: number): number {
  if (!Number.isSafeInteger(given) || (given as number) < 1) throw new ArgumentError(argument, 'whole seconds, at least 1');
  if ((given as number) > max) throw new ArgumentError(argument, `at most ${max} seconds, not ${given as number}`);
  return given as number;
}
