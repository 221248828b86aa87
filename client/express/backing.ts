/**
 * The sessions of a SessionStore on the server, in promises. The store itself (../express.ts) is the contract
 * of express-session on it.
 *
 * A session that was read or saved is changed on the server and never created, so that a save under way
 * cannot undo a logout. What is known of it stands beside its object, and beside the mark that goes along
 * where a framework copies that (mark.ts). Where the mark is lost too, its id is remembered for a while.
 */
import { ErrorReply } from '@redis/client';
import type { SessionData } from 'express-session';
import { bytes } from '../arguments.ts';
import { everywhere, nodesOf } from '../client.ts';
import type { RedisArgument } from '../command.ts';
import { IdExistsError, SessionNotFoundError, typedError } from '../errors.ts';
import { scanIterator } from '../scan.ts';
import { checkedLimitsOf, COOKIE, cookieOf, cookieText, limitsOfText, sameCookie, sameKind, type LimitOptions } from './cookie.ts';
import { dataOf, difference, textsOf } from './fields.ts';
import { isFresh, isTouched, KnownSessions, type Known } from './known.ts';
import { hideMark, MARK, Mark, markOf } from './mark.ts';
import { bufferOf, Names, type NameOptions } from './names.ts';
import { InOrder, RecentIds } from './order.ts';
import type { Step, TextClient, Times } from './server.ts';

/** What a save wants the server to have. */
type Wanted = Known & { userKey: RedisArgument };

export interface BackingOptions extends NameOptions {
  client: TextClient;
  limits: LimitOptions;
  /** Called when a save or a touch has found its session ended. */
  onGone: (sid: string) => void;
}

/** A hundred years: the server has no command that takes a limit away. */
const NO_LIMIT_S = 3_155_760_000;

export class Backing {
  readonly #sessions: TextClient['session'];
  readonly #options: BackingOptions;
  readonly #names: Names;
  readonly #known = new KnownSessions();
  readonly #inOrder = new InOrder();
  readonly #met = new RecentIds();
  readonly #ended = new RecentIds();

  constructor(options: BackingOptions) {
    this.#options = options;
    this.#sessions = options.client.session;
    this.#names = new Names(options);
  }

  /**
   * Asks the server that has these sessions: rejects when it cannot be reached. Runs a command that every
   * store runs.
   */
  async ask(): Promise<void> {
    await this.#sessions.getAll(`${this.#options.prefix}is-the-server-there`);
  }

  /** Whether this session was read or saved, here or by who has marked it. */
  isKnown(sid: string, session: object): boolean {
    if (!this.#names.isId(sid)) return false;
    const id = this.#names.idOf(sid);
    return this.#known.of(id, session) !== undefined || this.#isStored(id, session);
  }

  #isStored(id: string, session: object): boolean {
    return markOf(session)?.of === new Mark(id).of || this.#met.has(this.#names.sidOf(id));
  }

  /**
   * Has express-session make a session of what `read` has answered, which shows no mark. A field that is no
   * property of it, for the name is one of its methods', is not deleted by a save.
   */
  become<T extends object>(read: object, make: () => T): T {
    const mark = markOf(read);
    const known = this.#known.recall(read);
    Reflect.deleteProperty(read, MARK);
    const session = make();
    hideMark(session, mark);
    if (known) this.#known.rememberShown(session, known);
    return session;
  }

  /**
   * The session's data; null when it is unknown or has ended. An id that can be none, as of an earlier
   * store's cookie, is unknown.
   */
  async read(sid: string): Promise<SessionData | null> {
    if (!this.#names.isId(sid)) return null;
    const id = this.#names.idOf(sid);
    const fetched = this.#fetch(id);
    // At the same time: where its end is fixed, what is left until then.
    const [known, left_ms] = this.#options.limits.rolling ? [await fetched] : await Promise.all([fetched, this.#left(id)]);
    if (known === null) {
      this.#met.delete(sid);
      return null;
    }
    this.#met.add(sid);
    const session = this.#shown(id, known.texts, cookieOf(known.cookie, left_ms));
    known.userKey = this.#names.userKeyOf(sid, session);
    this.#known.remember(session, known);
    return session;
  }

  #shown(id: string, texts: ReadonlyMap<string, string>, cookie: object): SessionData {
    return Object.assign(dataOf(texts, cookie), { [MARK]: new Mark(id) }) as unknown as SessionData;
  }

  /** ms until the session ends, where that is fixed. */
  async #left(id: string): Promise<number | undefined> {
    return (await this.#sessions.info(id))?.ttl ?? undefined;
  }

  /** What the server has of a session; null when it is unknown or has ended. */
  async #fetch(id: string): Promise<Known | null> {
    const accessed_ms = performance.now();
    const texts = await this.#sessions.getAll(id);
    if (texts === null) return null;
    const cookie = texts.get(COOKIE) ?? '{}';
    texts.delete(COOKIE);
    return { id, texts, cookie, limits: limitsOfText(cookie, this.#options.limits), userKey: undefined, accessed_ms };
  }

  /**
   * Creates the session, or writes what has changed. What is written is its state at this moment, before
   * anything is awaited.
   */
  async save(sid: string, session: SessionData): Promise<void> {
    const id = this.#names.idOf(sid);
    const limits = checkedLimitsOf(session.cookie, this.#options.limits);
    const userKey = this.#names.userKeyOf(sid, session);
    this.#names.checkSlot(id, userKey);
    const now = { id, texts: textsOf(session), cookie: cookieText(session.cookie, limits), limits, userKey, accessed_ms: 0 };
    await this.#inOrder.run(sid, async () => {
      now.accessed_ms = performance.now();
      if (this.#ended.has(sid)) this.#options.onGone(sid);
      else if (limits.isOver) await this.#sessions.delete(id);
      else await this.#write(sid, session, now);
    });
  }

  async #write(sid: string, session: SessionData, now: Wanted): Promise<void> {
    const known = this.#known.of(now.id, session);
    const isNew = known === undefined && !this.#isStored(now.id, session) && (await this.#create(now));
    if (!isNew) {
      // null: it has ended just now, and is not born again.
      const present = known ?? (await this.#fetch(now.id));
      if (present === null || !(await this.#update(now.id, present, now))) this.#options.onGone(sid);
    }
    this.#met.add(sid);
    this.#known.remember(session, now);
  }

  /**
   * Creates the session; false where its id is known already, as for an object that no `read` has answered.
   */
  async #create({ id, texts, cookie, limits, userKey }: Wanted): Promise<boolean> {
    const { idle_s: idle, ttl_s: ttl } = limits;
    try {
      await this.#sessions.create(userKey, {
        new: true,
        id,
        data: new Map([...texts, [COOKIE, cookie]]),
        ...(idle === undefined ? {} : { idle }),
        ...(ttl === undefined ? {} : { ttl }),
      });
      return true;
    } catch (error) {
      const typed = typedError(error);
      if (typed instanceof IdExistsError) return false;
      throw typed;
    }
  }

  /**
   * Writes what differs; false when the session has ended. A session is assigned to a user before its data
   * say so, and to nobody after: where the connection fails midway, `destroyAll` finds a session that is
   * signed in, if perhaps also one that is not.
   */
  async #update(id: string, known: Known, now: Wanted): Promise<boolean> {
    const { changed, removed } = difference(known.texts, now.texts);
    const rest: Step[] = removed.length === 0 ? [] : [{ run: (commands) => commands.delData(id, removed), mayAnswer0: true }];
    const assign: Step = { run: (commands) => commands.assign(id, now.userKey) };
    if (isSameKey(known.userKey, now.userKey)) return this.#change(id, known, now, changed, rest);
    if (isSameKey(now.userKey, this.#names.anonymousKey(this.#names.sidOf(id))))
      return this.#change(id, known, now, changed, [...rest, assign]);
    return (await this.#run([assign])) && this.#change(id, known, now, changed, rest, known.userKey);
  }

  /**
   * Writes the changed fields, the cookie's perhaps among them; then, when they are stored, sets the limits
   * and takes the rest of the steps, as one. Touches the session when there is nothing to do, and it was not
   * accessed just now. Where the fields are refused, the session is given back to `owner`.
   */
  async #change(id: string, known: Known, now: Known, changed: Map<string, string>, rest: Step[], owner?: RedisArgument): Promise<boolean> {
    const limits = await this.#limitSteps(id, known, now);
    if (limits.length > 0 || !sameKind(known.limits, now.limits) || !sameCookie(known.cookie, now.cookie)) changed.set(COOKIE, now.cookie);
    if (changed.size > 0 && !(await this.#add(id, changed, owner))) return false;
    const steps = [...limits, ...rest];
    if (steps.length === 0 && changed.size === 0) {
      if (!isFresh(known)) return this.#touch(id);
      now.accessed_ms = known.accessed_ms;
      return true;
    }
    return steps.length === 0 || this.#run(steps);
  }

  /** Writes fields: all of them, or none, as when memory has run out. False when the session has ended. */
  async #add(id: string, fields: ReadonlyMap<string, string>, owner: RedisArgument | undefined): Promise<boolean> {
    try {
      return await this.#run([{ run: (commands) => commands.addData(id, fields) }]);
    } catch (error) {
      // After any other error, as of the connection, they may be stored.
      const isRefused = error instanceof ErrorReply;
      if (isRefused && owner !== undefined) await Promise.resolve(this.#sessions.assign(id, owner)).catch(() => 0);
      throw error;
    }
  }

  /** The steps that changed limits need. */
  async #limitSteps(id: string, known: Known, now: Known): Promise<Step[]> {
    const { idle_s, ttl_s } = now.limits;
    const steps: Step[] = [];
    if (idle_s !== known.limits.idle_s) steps.push({ run: (commands) => commands.expire(id, idle_s ?? NO_LIMIT_S, 'IDLE') });
    // With a rolling cookie the lifetime is that of the options, fixed at the session's creation.
    if (!this.#options.limits.rolling && ttl_s !== known.limits.ttl_s) {
      const left_s = Math.min(ttl_s ?? NO_LIMIT_S, await this.#lifetimeLeft(id));
      steps.push({ run: (commands) => commands.expire(id, left_s, 'TTL') });
    }
    return steps;
  }

  /**
   * Seconds until the lifetime of the options ends, which began with the session, by the server's clock;
   * Infinity without one.
   */
  async #lifetimeLeft(id: string): Promise<number> {
    const { lifetime_s } = this.#options.limits;
    if (lifetime_s === undefined) return Infinity;
    const multi = this.#options.client.multi();
    // Its last access is this one: now.
    multi.session.touch(id);
    multi.session.info(id);
    const [, times] = (await multi.exec()) as [unknown, Times | null];
    // null: the session has ended, as the next command will tell.
    if (times === null) return Infinity;
    return Math.ceil(lifetime_s - (times.lastAccessed.getTime() - times.createdAt.getTime()) / 1000);
  }

  #touch(id: string): Promise<boolean> {
    return this.#run([{ run: (commands) => commands.touch(id) }]);
  }

  /** Runs the steps as one; false when they found no session. */
  async #run(steps: readonly Step[]): Promise<boolean> {
    try {
      const replies = await this.#replies(steps);
      return steps.every((step, index) => ('mayAnswer0' in step ? true : replies[index] !== 0));
    } catch (error) {
      const typed = typedError(error) as Error & { replies?: unknown[] };
      const errors = (typed.replies ?? [typed]).filter((each) => each instanceof Error);
      if (errors.some((each) => each instanceof SessionNotFoundError)) return false;
      throw errors[0] ?? typed;
    }
  }

  async #replies(steps: readonly Step[]): Promise<unknown[]> {
    const [first] = steps;
    if (first !== undefined && steps.length === 1) return [await first.run(this.#sessions)];
    const multi = this.#options.client.multi();
    for (const step of steps) step.run(multi.session);
    return multi.exec();
  }

  /**
   * Counts as an access, and applies a changed cookie; writes no other field. Sends nothing where the read or
   * save before it has just counted, and the cookie is the same.
   */
  async touch(sid: string, session: SessionData): Promise<void> {
    const id = this.#names.idOf(sid);
    const limits = checkedLimitsOf(session.cookie, this.#options.limits);
    const before = this.#known.of(id, session);
    if (before && isTouched(before, limits, session.cookie) && !this.#inOrder.isBusy(sid) && !this.#ended.has(sid)) return;
    const cookie = cookieText(session.cookie, limits);
    await this.#inOrder.run(sid, async () => {
      if (limits.isOver) {
        await this.#sessions.delete(id);
        return;
      }
      const known = this.#known.of(id, session) ?? (await this.#fetch(id));
      const now = known && { ...known, limits, cookie, accessed_ms: performance.now() };
      if (now && (await this.#change(id, known, now, new Map(), []))) this.#known.remember(session, now);
      else this.#options.onGone(sid);
    });
  }

  /**
   * Ends a session after the saves of it that are under way, and before those that come; whether it was
   * there.
   */
  async end(sid: string): Promise<boolean> {
    const id = this.#names.idOf(sid);
    return this.#inOrder.run(sid, async () => {
      const count = await this.#sessions.delete(id);
      // Only now: where it fails, the session lives on, and saves of it are stored.
      this.#ended.add(sid);
      return count === 1;
    });
  }

  /** All sessions with this prefix, each with its `id`. */
  async all(): Promise<SessionData[]> {
    const sessions: SessionData[] = [];
    for await (const ids of this.#scan()) {
      const { rolling } = this.#options.limits;
      const pairs = await Promise.all(ids.map((id) => Promise.all([this.#sessions.get(id), rolling ? undefined : this.#left(id)])));
      for (const [found, left_ms] of pairs) {
        if (found === null) continue;
        const texts = new Map(Object.entries(found.data));
        const cookie = cookieOf(texts.get(COOKIE) ?? '{}', left_ms);
        texts.delete(COOKIE);
        sessions.push(Object.assign(this.#shown(found.id, texts, cookie), { id: this.#names.sidOf(found.id) }));
      }
    }
    return sessions;
  }

  /** How many sessions there are with this prefix. */
  async count(): Promise<number> {
    if (this.#options.prefix === '') {
      const nodes = (await nodesOf(this.#options.client)) as Pick<TextClient, 'session'>[];
      const counts = await Promise.all(nodes.map((node) => node.session.count()));
      return counts.reduce((sum, count) => sum + count, 0);
    }
    const met = new Set<string>();
    for await (const ids of this.#scan()) for (const id of ids) met.add(id);
    return met.size;
  }

  /** Ends all sessions with this prefix. */
  async clear(): Promise<void> {
    for await (const ids of this.#scan()) await Promise.all(ids.map((id) => this.end(this.#names.sidOf(id))));
  }

  async idsOf(user: unknown): Promise<string[]> {
    const ids = await this.#sessions.user(this.#names.keyOf(bytes('user', user)));
    return ids.filter((id) => id.startsWith(this.#options.prefix)).map((id) => this.#names.sidOf(id));
  }

  async endAllOf(user: unknown, except: unknown, before: Date | number | undefined): Promise<number> {
    const userKey = this.#names.keyOf(bytes('user', user));
    const kept = except === undefined ? undefined : this.#names.idOf(except, 'options.except');
    return this.#sessions.delUser(userKey, {
      // In another slot it is none of this user's.
      ...(kept === undefined || !this.#names.sharesSlot(kept, userKey) ? {} : { except: kept }),
      ...(before === undefined ? {} : { before }),
    });
  }

  /** A new id: in the slot of the user that a request signs in, in a cluster. */
  newSid(request: object | undefined): string {
    return this.#names.newSid(request);
  }

  #scan(): AsyncGenerator<string[]> {
    const pattern = `${this.#options.prefix.replace(/[\\*?[\]]/g, '\\$&')}*`;
    const visit = (node: unknown) => scanIterator<string>((node as TextClient).session, { MATCH: pattern, COUNT: 100 });
    return everywhere(this.#options.client, visit, (id) => id);
  }
}

/** Whether both are the same bytes on the wire. */
function isSameKey(one: RedisArgument | undefined, other: RedisArgument): boolean {
  return one !== undefined && bufferOf(one).equals(bufferOf(other));
}
