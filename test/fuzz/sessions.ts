/**
 * What SESSION.* does, in plain TypeScript: maps and no care for speed. Byte strings are JavaScript strings
 * of one character per byte, times are Unix ms. What is random in a reply, the id of a new session, is taken
 * from the reply; where the contract leaves two replies open, the one that came is followed.
 */

/** What the sessions need of the storage. */
export interface Mappings {
  get(user: string): string | undefined;
  set(user: string, id: string): void;
  delete(user: string): void;
}

interface Session {
  id: string;
  user: string;
  created: number;
  accessed: number;
  /** Limits in ms; Infinity: none. */
  idle: number;
  /** The moment of its absolute end; Infinity: none. */
  end: number;
  version: number;
  data: Map<string, string>;
  /** When it came to its user, as a number that grows. */
  place: number;
}

/** Settings of the server, in seconds and sessions; 0: none. */
export interface SessionSettings {
  idle: number;
  ttl: number;
  max: number;
}

interface Options {
  fresh: boolean;
  idle: number;
  ttl: number;
  max: number;
  reject: boolean;
  id: string | undefined;
  data: Map<string, string>;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const GIVEN_ID = /^[\x21-\x7e]{16,128}$/;
const ECHO_BYTES = 128;
/** Bytes of all lines together that GETALL answers. */
const LINES_MAX = 16_384 - 64;
const INTEGER_MAX = 2n ** 63n - 1n;

export const bulk = (bytes: string) => `$${bytes.length}\r\n${bytes}\r\n`;
export const array = (elements: string[]) => `*${elements.length}\r\n${elements.map(bulk).join('')}`;
export const integer = (value: number | bigint | string) => `:${value}\r\n`;
export const NULL = '$-1\r\n';
export const OK = '+OK\r\n';
/** As an id or a key is shown in an error. */
const echo = (bytes: string) => bytes.slice(0, ECHO_BYTES).replace(/[\r\n\0]/g, ' ');
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
/** Bytes as a JSON string, in UTF-8, one character per byte. */
const json = (bytes: string) => Buffer.from(JSON.stringify(decoder.decode(Buffer.from(bytes, 'latin1')))).toString('latin1');
const time = (ms: number) => new Date(ms).toISOString();

/** An error reply, thrown. */
class Refused extends Error {}
const syntax = () => new Refused('ERR syntax error');
const NOT_INTEGER = 'ERR value is not an integer or out of range';

function integerOf(text: string): bigint {
  if (!/^(0|-?[1-9]\d{0,18})$/.test(text)) throw new Refused(NOT_INTEGER);
  const value = BigInt(text);
  if (value > INTEGER_MAX || value < -INTEGER_MAX - 1n) throw new Refused(NOT_INTEGER);
  return value;
}

function pairsOf(flat: string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (let index = 0; index < flat.length; index += 2) found.set(flat[index]!, flat[index + 1]!);
  return found;
}

/**
 * The glob of KEYS and SCAN, as far as the random patterns use it: `*`, `?`, and every other byte as itself.
 */
export function globbed(pattern: string, text: string): boolean {
  // Also because a regular expression may not be as long as a key.
  if (!/[*?]/.test(pattern)) return pattern === text;
  const source = pattern.replace(/[^*?]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return new RegExp(`^${source.replace(/\*+/g, '[^]*').replace(/\?/g, '[^]')}$`).test(text);
}

export class Sessions {
  /** By id; those that have expired too, until they are swept. */
  readonly #sessions = new Map<string, Session>();
  /** Ids before a ROTATE, in grace. */
  readonly #old = new Map<string, { session: Session; until: number }>();
  /** Ids that CREATE may find unknown or not yet reclaimed: what was in grace, and what has expired. */
  readonly #doubtful = new Set<string>();
  readonly #storage: Mappings;
  readonly #settings: SessionSettings;
  #places = 0;

  constructor(storage: Mappings, settings: SessionSettings = { idle: 0, ttl: 0, max: 0 }) {
    this.#storage = storage;
    this.#settings = settings;
  }

  clear(): void {
    this.#sessions.clear();
    this.#old.clear();
    this.#doubtful.clear();
  }

  /** Reclaims all that has expired. */
  sweep(now: number): void {
    for (const session of [...this.#sessions.values()]) if (!this.#isLive(session, now)) this.#remove(session, now);
    for (const [id, { until }] of this.#old) if (until <= now) this.#old.delete(id);
  }

  /** Whether nothing has expired within so many ms, which a sweep may not have come to. */
  isSettled(now: number, within: number): boolean {
    const ends = [
      ...[...this.#sessions.values()].map((session) => this.#endOf(session)),
      ...[...this.#old.values()].map(({ until }) => until),
    ];
    return !ends.some((end) => end <= now && end > now - within);
  }

  /** Ids that are known, live ones. */
  ids(now: number): string[] {
    return this.#live(now).map(({ id }) => id);
  }

  /**
   * What the command must reply, and what it does.
   * @param actual what it did reply
   */
  reply(name: string, args: string[], now: number, actual: string): string {
    const [least, most, run] = this.#commands[name] ?? [];
    if (least === undefined || most === undefined || run === undefined) throw new Error(`the model has no ${name}`);
    if (args.length < least || (args.length > most && most === least)) return wrongNumber(name);
    try {
      if (args.length > most) throw syntax();
      return run(args, now, actual);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      // What is too much is refused by one error or the other.
      if (error.message === syntax().message && actual === wrongNumber(name)) return actual;
      return `-${error.message}\r\n`;
    }
  }

  readonly #commands: Record<string, [least: number, most: number, run: (args: string[], now: number, actual: string) => string]> = {
    'SESSION.CREATE': [1, Infinity, ([user = '', ...options], now, actual) => this.#create(user, options, now, actual)],
    'SESSION.GET': [1, 1, ([id = ''], now) => this.#get(id, now)],
    'SESSION.LIST': [0, 0, (_, now) => array(this.list(now))],
    'SESSION.ADD_DATA': [3, Infinity, ([id = '', ...flat], now) => this.#addData(id, flat, now)],
    'SESSION.GET_DATA': [2, 2, ([id = '', field = ''], now) => this.#getData(id, field, now)],
    'SESSION.DELETE': [1, 1, ([id = ''], now) => this.#delete(id, now)],
    'SESSION.ASSIGN': [2, 2, ([id = '', user = ''], now) => this.#assign(id, user, now)],
    'SESSION.GETALL': [1, 2, ([id = '', word], now) => this.#getAll(id, word, now)],
    'SESSION.DEL_DATA': [2, Infinity, ([id = '', ...fields], now) => this.#delData(id, fields, now)],
    'SESSION.INCR_DATA': [3, 3, ([id = '', field = '', by = ''], now) => this.#incrData(id, field, by, now)],
    'SESSION.CAS': [4, Infinity, ([id = '', version = '', ...flat], now) => this.#cas(id, version, flat, now)],
    'SESSION.TOUCH': [1, 1, ([id = ''], now) => this.#touch(id, now)],
    'SESSION.EXPIRE': [2, 3, ([id = '', seconds = '', word], now) => this.#expire(id, seconds, word, now)],
    'SESSION.TTL': [1, 1, ([id = ''], now) => this.#ttl(id, now)],
    'SESSION.INFO': [1, 1, ([id = ''], now) => this.#info(id, now)],
    'SESSION.ROTATE': [1, 3, ([id = '', ...options], now, actual) => this.#rotate(id, options, now, actual)],
    'SESSION.USER': [1, 1, ([user = ''], now) => array(this.#of(user, now).map(({ id }) => id))],
    'SESSION.DELUSER': [1, 5, ([user = '', ...options], now) => this.#delUser(user, options, now)],
    'SESSION.COUNT': [0, 1, ([user], now) => integer(user === undefined ? this.#live(now).length : this.#of(user, now).length)],
    // A whole walk from cursor 0, its elements as one array.
    'SESSION.SCAN': [1, 5, (args, now) => this.#scan(args, now)],
    'SESSION.CHECK': [0, 0, () => OK],
  };

  /** The lines of SESSION.LIST. */
  list(now: number): string[] {
    return this.#live(now).map(({ id, user, created }) => `ID: ${id}, Key: ${user}, Created: ${time(created)}`);
  }

  #endOf(session: Session): number {
    return Math.min(session.accessed + session.idle, session.end);
  }

  #isLive(session: Session, now: number): boolean {
    return now < this.#endOf(session);
  }

  #live(now: number): Session[] {
    return [...this.#sessions.values()].filter((session) => this.#isLive(session, now));
  }

  /** The live sessions of a user, newest first. */
  #of(user: string, now: number): Session[] {
    const found = this.#live(now).filter((session) => session.user === user);
    return found.sort((a, b) => b.place - a.place);
  }

  /** The live session that an id names, itself or in grace. */
  #find(id: string, now: number): Session | undefined {
    const old = this.#old.get(id);
    const session = old && now < old.until ? old.session : this.#sessions.get(id);
    return session && this.#isLive(session, now) ? session : undefined;
  }

  #found(id: string, now: number): Session {
    const session = this.#find(id, now);
    if (!session) throw new Refused(`Session not found: ${echo(id)}`);
    return session;
  }

  /** Takes a session away; the mapping that named it goes to the newest that remains. */
  #remove(session: Session, now: number): void {
    this.#sessions.delete(session.id);
    for (const [id, { session: other }] of this.#old) if (other === session) this.#old.delete(id);
    if (this.#storage.get(session.user) === session.id) this.#mapToNewest(session.user, now);
  }

  #mapToNewest(user: string, now: number): void {
    const [newest] = this.#of(user, now);
    if (newest) this.#storage.set(user, newest.id);
    else this.#storage.delete(user);
  }

  #options(words: string[]): Options {
    const options: Options = { fresh: false, idle: 0, ttl: 0, max: 0, reject: false, id: undefined, data: new Map() };
    const seen = new Set<string>();
    for (let index = 0; index < words.length; index++) {
      const word = words[index]!.toUpperCase();
      if (seen.has(word)) throw syntax();
      seen.add(word);
      const next = () => {
        const value = words[++index];
        if (value === undefined) throw syntax();
        return value;
      };
      if (word === 'NEW') options.fresh = true;
      else if (word === 'IDLE') options.idle = expiry(next(), 'session.create');
      else if (word === 'TTL') options.ttl = expiry(next(), 'session.create');
      else if (word === 'MAX') {
        options.max = positive(next());
        const how = words[index + 1]?.toUpperCase();
        options.reject = how === 'REJECT';
        if (how === 'EVICT' || how === 'REJECT') index++;
      } else if (word === 'ID') options.id = next();
      else if (word === 'DATA') {
        const rest = words.slice(index + 1);
        if (rest.length === 0 || rest.length % 2 !== 0) throw syntax();
        options.data = pairsOf(rest);
        index = words.length;
      } else throw syntax();
    }
    return options;
  }

  #create(user: string, words: string[], now: number, actual: string): string {
    const options = this.#options(words);
    const mapped = this.#storage.get(user);
    if (!options.fresh && mapped !== undefined) {
      const session = this.#find(mapped, now) ?? this.#movesTo(mapped, user, now, actual);
      // By an id in grace it is that session, or a stale mapping.
      const stale = this.#old.has(mapped) && !actual.startsWith('+Session exists');
      if (session?.user === user && !stale) {
        session.accessed = now;
        return `+Session exists: ${session.id}\r\n`;
      }
      if (!session && options.id === undefined && UUID.test(mapped) && this.#isGone(mapped, user, actual)) {
        return this.#insert(mapped, user, options, now, 'recreated');
      }
    }
    if (options.id !== undefined && !GIVEN_ID.test(options.id)) throw new Refused('ERR an id has 16 to 128 visible ASCII characters');
    const id = options.id ?? actual.slice('+Session created: '.length, -2);
    if (options.id !== undefined && this.#find(id, now)) throw new Refused('IDEXISTS the id is known');
    if (options.id === undefined && options.reject) this.#refuseOver(user, options.max, now);
    if (options.id === undefined && (!UUID.test(id) || this.#sessions.has(id) || this.#old.has(id)))
      return '+Session created: a new id\r\n';
    return this.#insert(id, user, options, now, 'created');
  }

  /** Where a mapping names an expired session, it may have moved to the newest that remains already. */
  #movesTo(mapped: string, user: string, now: number, actual: string): Session | undefined {
    const expired = this.#sessions.get(mapped);
    if (expired?.user !== user) return undefined;
    const [newest] = this.#of(user, now);
    return newest && actual === `+Session exists: ${newest.id}\r\n` ? newest : undefined;
  }

  /**
   * Whether an id that names no live session is known no more, rather than not yet reclaimed. One that this
   * user had never is.
   */
  #isGone(id: string, user: string, actual: string): boolean {
    const expired = this.#sessions.get(id);
    if (!expired && !this.#doubtful.has(id)) return true;
    return expired?.user !== user && actual.startsWith('+Session recreated');
  }

  #refuseOver(user: string, most: number, now: number): void {
    const has = this.#of(user, now).length;
    if (has >= most) throw new Refused(`MAXSESSIONS ${echo(user)} has ${has} sessions`);
  }

  #insert(id: string, user: string, options: Options, now: number, how: string): string {
    const max = options.max || this.#settings.max;
    if (options.reject) this.#refuseOver(user, max, now);
    const idle = 1000 * (options.idle || this.#settings.idle) || Infinity;
    const end = now + (1000 * (options.ttl || this.#settings.ttl) || Infinity);
    const expired = this.#sessions.get(id);
    if (expired) this.#remove(expired, now);
    this.#old.delete(id);
    if (max > 0) this.#evict(user, max - 1, now);
    const place = ++this.#places;
    this.#sessions.set(id, { id, user, created: now, accessed: now, idle, end, version: 0, data: options.data, place });
    this.#storage.set(user, id);
    return `+Session ${how}: ${id}\r\n`;
  }

  /** Ends the oldest sessions of the user until so many are left. */
  #evict(user: string, left: number, now: number): void {
    for (const session of this.#of(user, now).slice(left)) this.#remove(session, now);
  }

  #get(id: string, now: number): string {
    const session = this.#find(id, now);
    if (!session) return NULL;
    const data = [...session.data].map(([field, value]) => `${json(field)}:${json(value)}`).join(',');
    const times = `"created_at":"${time(session.created)}","last_accessed":"${time(session.accessed)}"`;
    return bulk(`{"id":${json(session.id)},"user_key":${json(session.user)},${times},"data":{${data}}}`);
  }

  #write(session: Session, data: Map<string, string>, now: number): void {
    for (const [field, value] of data) session.data.set(field, value);
    session.accessed = now;
    session.version = (session.version + 1) >>> 0;
  }

  #addData(id: string, flat: string[], now: number): string {
    if (flat.length % 2 !== 0) return wrongNumber('SESSION.ADD_DATA');
    this.#write(this.#found(id, now), pairsOf(flat), now);
    return OK;
  }

  #getData(id: string, field: string, now: number): string {
    const session = this.#found(id, now);
    session.accessed = now;
    const value = session.data.get(field);
    return value === undefined ? NULL : bulk(value);
  }

  #getAll(id: string, word: string | undefined, now: number): string {
    if (word !== undefined && word.toUpperCase() !== 'LINES') throw new Refused('ERR syntax error');
    const session = this.#find(id, now);
    if (!session) return NULL;
    session.accessed = now;
    const parts = [...session.data].flat();
    const lines = parts.map((part) => `${part}\n`).join('');
    const areLines = word !== undefined && lines.length <= LINES_MAX && !parts.some((part) => part.includes('\n'));
    return areLines ? bulk(lines) : array(parts);
  }

  #delData(id: string, fields: string[], now: number): string {
    const session = this.#found(id, now);
    const removed = fields.filter((field) => session.data.delete(field)).length;
    if (removed > 0) this.#write(session, new Map(), now);
    return integer(removed);
  }

  #incrData(id: string, field: string, by: string, now: number): string {
    const step = integerOf(by);
    const session = this.#found(id, now);
    let value: bigint;
    try {
      value = integerOf(session.data.get(field) ?? '0');
    } catch {
      throw new Refused('ERR hash value is not an integer');
    }
    const sum = value + step;
    if (sum > INTEGER_MAX || sum < -INTEGER_MAX - 1n) throw new Refused('ERR increment or decrement would overflow');
    this.#write(session, new Map([[field, String(sum)]]), now);
    return integer(sum);
  }

  #cas(id: string, version: string, flat: string[], now: number): string {
    if (flat.length % 2 !== 0) return wrongNumber('SESSION.CAS');
    const wanted = integerOf(version);
    const session = this.#found(id, now);
    if (wanted !== BigInt(session.version)) throw new Refused(`VERSION is ${session.version}`);
    this.#write(session, pairsOf(flat), now);
    return integer(session.version);
  }

  #touch(id: string, now: number): string {
    const session = this.#find(id, now);
    if (session) session.accessed = now;
    return integer(session ? 1 : 0);
  }

  #expire(id: string, text: string, word: string | undefined, now: number): string {
    const seconds = Number(integerOf(text));
    if (word !== undefined && !/^(idle|ttl)$/i.test(word)) throw syntax();
    const session = this.#find(id, now);
    if (!session) return integer(0);
    if (seconds <= 0) this.#remove(session, now);
    else if (word?.toUpperCase() === 'IDLE') session.idle = 1000 * seconds;
    else session.end = now + 1000 * seconds;
    return integer(1);
  }

  #ttl(id: string, now: number): string {
    const session = this.#find(id, now);
    if (!session) return integer(-2);
    const end = this.#endOf(session);
    return integer(end === Infinity ? -1 : end - now);
  }

  #info(id: string, now: number): string {
    const session = this.#find(id, now);
    if (!session) return NULL;
    const { user, created, accessed, idle, end, version, data } = session;
    const limit = (ms: number) => integer(ms === Infinity ? -1 : ms);
    const fields = [
      ...[bulk('id'), bulk(session.id), bulk('user_key'), bulk(user)],
      ...[bulk('created_at'), bulk(time(created)), bulk('last_accessed'), bulk(time(accessed))],
      ...[bulk('idle'), limit(idle), bulk('ttl'), limit(end - now)],
      ...[bulk('version'), integer(version), bulk('fields'), integer(data.size), bulk('bytes'), integer(0)],
    ];
    return `*${fields.length}\r\n${fields.join('')}`;
  }

  #rotate(id: string, options: string[], now: number, actual: string): string {
    const [word, text = ''] = options;
    if (word !== undefined && (word.toUpperCase() !== 'GRACE' || options.length !== 2)) throw syntax();
    const grace = word === undefined ? 0n : integerOf(text);
    if (grace < 0n) throw new Refused('ERR value is out of range, must be positive');
    const session = this.#found(id, now);
    if (session.id !== id) return bulk(session.id);
    const next = actual.slice(actual.indexOf('\r\n') + 2, -2);
    if (!UUID.test(next) || this.#sessions.has(next) || this.#old.has(next)) return bulk('a new id');
    this.#sessions.delete(id);
    this.#sessions.set(next, session);
    session.id = next;
    const until = now + Number(grace);
    if (grace > 0n) this.#old.set(id, { session, until });
    if (grace > 0n) this.#doubtful.add(id);
    for (const [earlier, old] of this.#old) {
      if (old.session === session && grace === 0n) this.#old.delete(earlier);
      else if (old.session === session) old.until = Math.min(old.until, until);
    }
    if (this.#storage.get(session.user) === id) this.#storage.set(session.user, next);
    return bulk(next);
  }

  #assign(id: string, user: string, now: number): string {
    const session = this.#find(id, now);
    if (!session) return integer(0);
    if (session.user === user) {
      return integer(1);
    }
    const before = session.user;
    session.user = user;
    session.place = ++this.#places;
    if (this.#storage.get(before) === session.id) this.#mapToNewest(before, now);
    this.#storage.set(user, session.id);
    if (this.#settings.max > 0) this.#evict(user, this.#settings.max, now);
    return integer(1);
  }

  #delete(id: string, now: number): string {
    const session = this.#find(id, now);
    if (session) this.#remove(session, now);
    return integer(session ? 1 : 0);
  }

  #delUser(user: string, words: string[], now: number): string {
    const given: { except?: string; before?: bigint } = {};
    if (words.length % 2 === 1) throw syntax();
    for (let index = 0; index < words.length; index += 2) {
      const [word, value] = [words[index]!.toUpperCase(), words[index + 1]!];
      if (word === 'EXCEPT' && given.except === undefined) given.except = value;
      else if (word === 'BEFORE' && given.before === undefined) given.before = integerOf(value);
      else throw syntax();
    }
    const kept = given.except === undefined ? undefined : this.#find(given.except, now);
    const { before } = given;
    const ended = this.#of(user, now).filter((session) => session !== kept && (before === undefined || BigInt(session.created) < before));
    for (const session of ended) this.#remove(session, now);
    return integer(ended.length);
  }

  #scan([, ...words]: string[], now: number): string {
    let pattern = '*';
    for (let index = 0; index < words.length; index += 2) {
      const [word, value] = [words[index]!.toUpperCase(), words[index + 1]];
      if (value === undefined) throw syntax();
      if (word === 'MATCH') pattern = value;
      else if (word !== 'COUNT') throw syntax();
      else if (integerOf(value) < 1n) throw syntax();
    }
    return array(this.ids(now).filter((id) => globbed(pattern, id)));
  }
}

function wrongNumber(name: string): string {
  return `-ERR wrong number of arguments for '${name.toLowerCase()}' command\r\n`;
}

/** Seconds of an expiry that must be at least 1. */
function expiry(text: string, command: string): number {
  const seconds = integerOf(text);
  if (seconds < 1n) throw new Refused(`ERR invalid expire time in '${command}' command`);
  return Number(seconds);
}

function positive(text: string): number {
  const value = integerOf(text);
  if (value < 1n) throw new Refused('ERR value is out of range, must be positive');
  return Number(value);
}
