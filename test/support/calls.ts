/**
 * One call of each command of client/, with every argument that it takes: what tests of all of them begin
 * with.
 */
import { custom, session } from '../../client/index.ts';

/** Arguments by their names, in order; `?` after a name: it may be left out. */
type Call = Readonly<Record<string, unknown>>;

const ID = 'a-session-id-of-32-characters-00';
const FIELDS = { theme: 'dark', visits: 1 };

export const CUSTOM_CALLS = {
  append: { key: 'key', value: 'more' },
  check: {},
  clear: {},
  del: { keys: ['a', 'b'] },
  exists: { keys: ['a', 'b'] },
  expire: { key: 'key', seconds: 60 },
  get: { key: 'key' },
  getDel: { key: 'key' },
  incrBy: { key: 'key', increment: 1 },
  keys: { 'pattern?': 'user:*' },
  len: {},
  mGet: { keys: ['a', 'b'] },
  mSet: { entries: { a: '1', b: 2 } },
  memory: { key: 'key' },
  pExpire: { key: 'key', ms: 1500 },
  pTTL: { key: 'key' },
  persist: { key: 'key' },
  scan: { cursor: '0', 'options?': { MATCH: 'user:*', COUNT: 100 } },
  set: { key: 'key', value: 'value', 'options?': { condition: 'NX', expiration: { type: 'EX', value: 60 }, GET: true } },
  strLen: { key: 'key' },
  ttl: { key: 'key' },
} satisfies Partial<Record<keyof typeof custom, Call>>;

export const SESSION_CALLS = {
  addData: { id: ID, fields: FIELDS },
  assign: { id: ID, user: 'alice' },
  cas: { id: ID, version: 1, fields: FIELDS },
  check: {},
  count: { 'user?': 'alice' },
  create: {
    user: 'alice',
    'options?': { new: true, idle: 60, ttl: 3600, max: { n: 3, mode: 'EVICT' }, id: ID, data: FIELDS },
  },
  delData: { id: ID, fields: ['theme', 'visits'] },
  delUser: { user: 'alice', 'options?': { except: ID, before: 1 } },
  delete: { id: ID },
  expire: { id: ID, seconds: 60, 'limit?': 'IDLE' },
  get: { id: ID },
  getAll: { id: ID },
  getData: { id: ID, field: 'theme' },
  incrData: { id: ID, field: 'visits', increment: 1 },
  info: { id: ID },
  list: {},
  rotate: { id: ID, 'options?': { grace: 1000 } },
  scan: { cursor: '0', 'options?': { MATCH: '*', COUNT: 100 } },
  strays: { 'options?': { count: 10 } },
  touch: { id: ID },
  ttl: { id: ID },
  user: { user: 'alice' },
} satisfies Partial<Record<keyof typeof session, Call>>;

type AnyCommand = (typeof custom)[keyof typeof custom] | (typeof session)[keyof typeof session];

/** Every command: its name as the client has it, the command, and the call. */
export const CALLS: readonly { name: string; command: AnyCommand; call: Call }[] = [
  ...Object.entries(CUSTOM_CALLS).map(([method, call]) => ({
    name: `custom.${method}`,
    command: custom[method as keyof typeof CUSTOM_CALLS],
    call,
  })),
  ...Object.entries(SESSION_CALLS).map(([method, call]) => ({
    name: `session.${method}`,
    command: session[method as keyof typeof SESSION_CALLS],
    call,
  })),
];
