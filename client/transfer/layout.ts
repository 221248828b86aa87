/**
 * How entries and sessions look as the server's own keys. All names begin with the prefix of the transfer,
 * `wasm:` by default.
 *
 *     custom:<key>     string      the value. PEXPIREAT: its deadline; where it maps a user to a session, the
 *                                  end of that if it comes first
 *     session:<id>     hash        its data, field by field, and what is known of it: @user, @created,
 *                                  @accessed, @version, and where they are limited @idle (s) and @expires
 *                                  (Unix ms). A field of the data that begins with @ has one more.
 *                                  PEXPIREAT: its end, from both limits
 *     sessions:<user>  sorted set  ids of the user's sessions by their creation, Unix ms. PEXPIREAT: the end
 *                                  of the last
 */
import type { Reply, Wire } from './wire.ts';

export const PREFIX_DEFAULT = 'wasm:';
/** Elements that one SCAN asks for. */
export const PAGE = '200';
/** Bytes of values that are read before any of them is written; one that is longer is read alone. */
const BATCH_BYTES = 4 << 20;
const KINDS = { custom: 'string', session: 'hash', sessions: 'zset' } as const;
export type Kind = keyof typeof KINDS;

const MARK = '@'.charCodeAt(0);
/** Ids, as the server takes them from callers. */
const ID = /^[\x21-\x7e]{16,128}$/;

/** The names of the server's own keys under a prefix. */
export class Layout {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  key(kind: Kind, name: Buffer): Buffer {
    return Buffer.concat([Buffer.from(`${this.#prefix}${kind}:`), name]);
  }

  /** What is behind the prefix of a key of this kind. */
  nameIn(kind: Kind, key: Buffer): Buffer {
    return key.subarray(Buffer.byteLength(`${this.#prefix}${kind}:`));
  }

  /** All keys of a kind, as the server gives them: a list at a time, some perhaps twice. */
  async *pages(kind: Kind, wire: Wire): AsyncGenerator<Buffer[]> {
    const pattern = `${`${this.#prefix}${kind}:`.replaceAll(/[\\*?[\]^-]/g, '\\$&')}*`;
    yield* scan(wire, 'SCAN', 'MATCH', pattern, 'TYPE', KINDS[kind]);
  }
}

/** All that a SCAN has, a list at a time. */
export async function* scan(wire: Wire, command: string, ...options: string[]): AsyncGenerator<Buffer[]> {
  let cursor = '0';
  do {
    const [next, found] = (await wire.call([command, cursor, ...options, 'COUNT', PAGE])) as [Buffer, Buffer[]];
    yield found;
    cursor = next.toString();
  } while (cursor !== '0');
}

/** The items in batches of about BATCH_BYTES, and of at most `most`. `sizes`: bytes of each. */
export function* batches<T>(items: T[], sizes: number[], most = Infinity): Generator<T[]> {
  let batch: T[] = [];
  let bytes = 0;
  for (const [index, item] of items.entries()) {
    const size = sizes[index] ?? 0;
    if (batch.length === most || (batch.length > 0 && bytes + size > BATCH_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(item);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

/** Whether a value may be the id of a session. */
export function isId(value: Buffer): boolean {
  return value.length >= 16 && value.length <= 128 && ID.test(value.toString('latin1'));
}

/** The time of TIME in Unix ms. */
export function msOf(time: Reply | undefined): number {
  const [seconds, microseconds] = (time as Buffer[]).map(Number);
  return (seconds ?? 0) * 1000 + Math.floor((microseconds ?? 0) / 1000);
}

/** A session, whole. */
export interface Session {
  id: Buffer;
  user: Buffer;
  /** Unix ms. */
  created: number;
  accessed: number;
  /** Seconds; null: none. */
  idle: number | null;
  /** Unix ms; null: never. */
  expires: number | null;
  version: number;
  /** Fields and values in turn. */
  data: Buffer[];
}

/** Unix ms at which the session ends by itself; null: never. */
export function endOf({ accessed, idle, expires }: Session): number | null {
  const ends = [...(idle === null ? [] : [accessed + idle * 1000]), ...(expires === null ? [] : [expires])];
  return ends.length === 0 ? null : Math.min(...ends);
}

/** The fields and values of the session's hash. */
export function toHash(session: Session): (Buffer | string)[] {
  const known: Record<string, Buffer | number | null> = {
    '@user': session.user,
    '@created': session.created,
    '@accessed': session.accessed,
    '@version': session.version,
    '@idle': session.idle,
    '@expires': session.expires,
  };
  const notes = Object.entries(known).flatMap(([name, value]) =>
    value === null ? [] : [name, Buffer.isBuffer(value) ? value : String(value)],
  );
  return [
    ...notes,
    ...session.data.map((bytes, index) => (index % 2 === 0 && bytes[0] === MARK ? Buffer.concat([Buffer.of(MARK), bytes]) : bytes)),
  ];
}

/**
 * The latest time, 9999-12-31T23:59:59.999Z, and the longest idle limit in seconds, that the server takes.
 */
const TIME_MAX_MS = 253_402_300_799_999;
const IDLE_MAX_S = 0xffff_ffff;

/** The session of a hash; null: it is none that `toHash` writes. */
export function fromHash(id: Buffer, hash: Buffer[]): Session | null {
  const notes = new Map<string, Buffer>();
  const data: Buffer[] = [];
  for (let index = 0; index + 1 < hash.length; index += 2) {
    const [name, value] = [hash[index], hash[index + 1]] as [Buffer, Buffer];
    if (name[0] !== MARK) data.push(name, value);
    else if (name[1] === MARK) data.push(name.subarray(1), value);
    else notes.set(name.toString(), value);
  }
  // Undefined: there is none. NaN: it is no number of this range.
  const numberOf = (name: string, least: number, most: number): number | undefined => {
    const text = notes.get(name)?.toString('latin1');
    if (text === undefined) return undefined;
    const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    return number >= least && number <= most ? number : Number.NaN;
  };
  const user = notes.get('@user');
  const [created, accessed] = [numberOf('@created', 0, TIME_MAX_MS), numberOf('@accessed', 0, TIME_MAX_MS)];
  const [version, idle] = [numberOf('@version', 0, 0xffff_ffff), numberOf('@idle', 1, IDLE_MAX_S)];
  const expires = numberOf('@expires', 0, TIME_MAX_MS);
  if (user === undefined || created === undefined || accessed === undefined || version === undefined) return null;
  if (!isId(id) || [created, accessed, version, idle, expires].some(Number.isNaN)) return null;
  return { id, user, created, accessed, version, idle: idle ?? null, expires: expires ?? null, data };
}
