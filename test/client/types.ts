/**
 * What TypeScript knows of every command's arguments and answers, on clients of every kind. It is checked and
 * never run: with the project's own types, and by package.test.ts with those that are published.
 */
import { createClient, createClientPool, createCluster, createSentinel, RESP_TYPES } from 'redis';
import {
  clusterWide,
  custom,
  scanIterator,
  session,
  withRetries,
  withTypedErrors,
  type Created,
  type ListedSession,
  type Session,
} from '../../client/index.ts';
import type { SessionInfo } from '../../client/index.ts';

const modules = { custom, session };
const client = createClient({ modules });
export const resp2 = createClient({ RESP: 2, modules });
const pool = createClientPool({ modules });
const cluster = createCluster({ rootNodes: [], modules });
export const sentinel = createSentinel({ name: 'main', sentinelRootNodes: [], modules });
const buffers = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });

/* eslint-disable @typescript-eslint/no-unnecessary-type-parameters --
   what two generic functions have in common is what the compiler compares exactly */
/** Whether `A` and `B` are the same type: that one is assignable to the other is not enough. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/* eslint-enable */
type Is<T extends true> = T;
type AnswerOf<F> = F extends (...given: infer _Given) => Promise<infer Answer> ? Answer : never;
type Answers<N> = { [Name in keyof N]: AnswerOf<N[Name]> };
type ArgumentsOf<F> = F extends (...given: infer Given) => unknown ? Given : never;
type Flat<T> = { [Name in keyof T]: T[Name] };
/** Only the names of one spelling: each command is there twice. */
type Methods<N> = { -readonly [Name in keyof N as Name extends Uppercase<Name & string> ? never : Name]: N[Name] };
type Aliases<N> = { [Name in keyof N as Name extends Uppercase<Name & string> ? Name : never]: N[Name] };

interface CustomAnswers<Bytes> {
  append: number;
  check: 'OK';
  clear: number;
  del: number;
  exists: number;
  expire: number;
  get: Bytes | null;
  getDel: Bytes | null;
  incrBy: number;
  keys: Bytes[];
  len: number;
  mGet: (Bytes | null)[];
  mSet: 'OK';
  memory: number | null;
  pExpire: number;
  pTTL: number;
  persist: number;
  scan: { cursor: Bytes; keys: Bytes[] };
  set: Bytes | null;
  strLen: number;
  ttl: number;
}

interface SessionAnswers<Bytes> {
  addData: 'OK';
  assign: number;
  cas: number;
  check: 'OK';
  count: number;
  create: Flat<Created>;
  delData: number;
  delUser: number;
  delete: number;
  expire: number;
  get: Flat<Session> | null;
  getAll: Record<string, Bytes> | null;
  getData: Bytes | null;
  incrData: number;
  info: Flat<SessionInfo<Bytes>> | null;
  list: Flat<ListedSession>[];
  rotate: Bytes;
  scan: { cursor: Bytes; ids: Bytes[] };
  strays: { count: number; ids: Bytes[] };
  touch: number;
  ttl: number;
  user: Bytes[];
}

type Custom = typeof client.custom;
type Sessions = typeof client.session;

export type EveryAnswer = [
  Is<Same<Flat<Answers<Methods<Custom>>>, Flat<CustomAnswers<string> & { set: string | null }>>>,
  Is<Same<Flat<Answers<Methods<Sessions>>>, Flat<SessionAnswers<string>>>>,
  Is<Same<Flat<Answers<Methods<typeof buffers.session>>>, Flat<SessionAnswers<Buffer>>>>,
  Is<Same<Flat<Omit<Answers<Methods<typeof buffers.custom>>, 'set'>>, Flat<Omit<CustomAnswers<Buffer>, 'set'>>>>,
  // `'OK'` is a simple string, which the mapping of bulk strings leaves as it is.
  Is<Same<AnswerOf<typeof buffers.custom.set>, 'OK' | Buffer | null>>,
];

export type BothSpellings = [
  Is<Same<keyof Aliases<Custom>, Aliased<Custom>>>,
  Is<Same<AnswerOf<Custom['MGET']>, AnswerOf<Custom['mGet']>>>,
  Is<Same<AnswerOf<Sessions['ADD_DATA']>, AnswerOf<Sessions['addData']>>>,
  Is<Same<ArgumentsOf<Sessions['DELUSER']>, ArgumentsOf<Sessions['delUser']>>>,
];
type Aliased<N> = Uppercase<keyof Methods<N> & string>;

/** Clients of every kind, and both protocols, answer the same. */
export type EveryClient = [
  Is<Same<Answers<typeof resp2.custom>, Answers<Custom>>>,
  Is<Same<Answers<typeof resp2.session>, Answers<Sessions>>>,
  Is<Same<Answers<typeof pool.custom>, Answers<Custom>>>,
  Is<Same<Answers<typeof pool.session>, Answers<Sessions>>>,
  Is<Same<Answers<typeof cluster.custom>, Answers<Custom>>>,
  Is<Same<Answers<typeof cluster.session>, Answers<Sessions>>>,
  Is<Same<Answers<typeof sentinel.custom>, Answers<Custom>>>,
  Is<Same<Answers<typeof sentinel.session>, Answers<Sessions>>>,
];

export const maps = client.withTypeMapping({ [RESP_TYPES.MAP]: Map, [RESP_TYPES.BLOB_STRING]: Buffer });
export const arrays = client.withTypeMapping({ [RESP_TYPES.MAP]: Array });
export const texts = client.withTypeMapping({ [RESP_TYPES.NUMBER]: String });
export const poolBuffers = pool.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
export const clusterBuffers = cluster.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });

export type EveryMapping = [
  Is<Same<AnswerOf<typeof maps.session.getAll>, Map<string, Buffer> | null>>,
  Is<Same<AnswerOf<typeof arrays.session.getAll>, string[] | null>>,
  Is<Same<AnswerOf<typeof texts.session.incrData>, `${number}`>>,
  Is<Same<AnswerOf<typeof poolBuffers.custom.get>, Buffer | null>>,
  Is<Same<AnswerOf<typeof clusterBuffers.session.user>, Buffer[]>>,
];

export async function several(): Promise<[string | null, Created, number]> {
  const multi = client.multi().custom.get('key').session.create('alice', { new: true }).session.count();
  return multi.execTyped();
}

export async function scans(): Promise<void> {
  for await (const keys of scanIterator(client.custom, { MATCH: 'a*' })) keys satisfies string[];
  for await (const ids of scanIterator(buffers.session)) ids satisfies Buffer[];
  for await (const ids of scanIterator([client.session, pool.session])) ids satisfies string[];
}

export async function wholeClusters(): Promise<void> {
  const all = clusterWide(cluster, { timeout: 1000 });
  (await all.custom.keys('a*')) satisfies string[];
  for await (const ids of all.session.scanIterator({ COUNT: 1 })) ids satisfies string[];
  (await all.session.list()) satisfies ListedSession[];
  const raw = clusterWide(cluster.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }));
  (await raw.custom.keys()) satisfies Buffer[];
  (await raw.session.strays({ count: 1 })) satisfies { count: number; ids: Buffer[] };
  (await clusterWide(client).custom.len()) satisfies number;
  const entries = clusterWide(createCluster({ rootNodes: [], modules: { custom } }));
  (await entries.custom.len()) satisfies number;
  true satisfies Is<Same<keyof typeof entries, 'custom'>>;
  (await withRetries(cluster.custom).mGet(['a', 'b'])) satisfies (string | null)[];
}

export async function rightArguments(): Promise<void> {
  const typed = withTypedErrors(client.session);
  await typed.create(Buffer.from('alice'), { idle: 1, ttl: 2, max: 3, id: 'an-id-of-16-bytes', data: [[Buffer.from([0]), 1]] });
  await typed.addData('id', new Map([['field', 1]]));
  await typed.cas('id', 1, 'field', Buffer.from('value'));
  await typed.delUser('alice', { except: 'id', before: new Date() });
  await client.custom.set('key', 'value', { condition: 'NX', expiration: { type: 'PXAT', value: new Date() }, GET: true });
  await client.custom.mSet({ a: '1', b: 2 });
  await client.custom.incrBy('key', 1n);
}

export async function wrongArguments(): Promise<void> {
  // @ts-expect-error a misspelt option
  await client.session.create('alice', { idel: 5 });
  // @ts-expect-error without a field
  await client.session.addData('id');
  // @ts-expect-error a second pair, which is for an object
  await client.session.addData('id', 'a', '1', 'b', '2');
  // @ts-expect-error a limit that is none
  await client.session.expire('id', 5, 'EX');
  // @ts-expect-error a moment without a value
  await client.custom.set('key', 'value', { expiration: { type: 'EXAT' } });
  // @ts-expect-error a Date where a duration is asked for
  await client.custom.set('key', 'value', { expiration: { type: 'EX', value: new Date() } });
  // @ts-expect-error a number as a key
  await client.custom.get(5);
  // @ts-expect-error a value that is none
  await client.custom.append('key', null);
}

// @ts-expect-error a client without the module
export const without: { session: object } = createClient({ modules: { custom } });
