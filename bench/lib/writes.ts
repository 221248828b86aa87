/** Writes that leave an effect, each beside the native write that it is compared with. */
import { command, creating, storing, type Operation } from './load.ts';
import * as native from './native-sessions.ts';
import { user, uuid } from './native-sessions.ts';
import { keyName, valueOf } from './random.ts';
import { OK_BYTES, VALUE_BYTES } from './sizes.ts';

const IDLE_S = '1800';
const PX_MS = '100000000';
const FIELD = 'field';
const VALUE = valueOf(VALUE_BYTES);

/** Settings of the server by who takes its effects. The file is never written anew while it is measured. */
export const TAKERS: Record<string, string[]> = {
  'no append-only file': [],
  'append-only file': ['--appendonly', 'yes', '--appendfsync', 'no', '--auto-aof-rewrite-percentage', '0'],
};

/** What a native write and the module's are called. */
export type NativeName = 'SET' | 'INCRBY' | 'SET PX' | 'HSET and EXPIRE in Lua';
export type ModuleName = 'CUSTOM.SET' | 'CUSTOM.INCRBY' | 'CUSTOM.SET PX' | 'SESSION.ADD_DATA' | 'SESSION.CREATE of a new user';

/** By the module's write, the native one. */
export const PEERS: Record<ModuleName, NativeName> = {
  'CUSTOM.SET': 'SET',
  'CUSTOM.INCRBY': 'INCRBY',
  'CUSTOM.SET PX': 'SET PX',
  'SESSION.ADD_DATA': 'HSET and EXPIRE in Lua',
  'SESSION.CREATE of a new user': 'SET',
};

/** So many digits every counter keeps, however often it is added to. */
const COUNTER_FROM = 1_000_000_000;
const COUNTER_REPLY_BYTES = `:${COUNTER_FROM}\r\n`.length;

const counter = (index: number) => `counter:${keyName(index)}`;
const increments = (name: string, key: (index: number) => string): Operation =>
  command((index) => [name, counter(Number(key(index))), '1'], COUNTER_REPLY_BYTES);
const expiring = (name: string, key: (index: number) => string): Operation =>
  command((index) => [name, `px:${keyName(Number(key(index)))}`, VALUE, 'PX', PX_MS], OK_BYTES);

/** What is sent once for each of the keys before any of the writes. */
export function stored(): Operation[] {
  return [
    storing('SET', VALUE),
    storing('CUSTOM.SET', VALUE),
    command((index) => ['SET', counter(index), String(COUNTER_FROM)], OK_BYTES),
    command((index) => ['CUSTOM.SET', counter(index), String(COUNTER_FROM)], OK_BYTES),
    expiring('SET', String),
    expiring('CUSTOM.SET', String),
    creating('Session created', (index) => [user(index), 'IDLE', IDLE_S, 'ID', uuid(index), 'DATA', FIELD, VALUE]),
    command((index) => ['HSET', ...native.hashOf(uuid(index), user(index)), FIELD, VALUE], ':4\r\n'.length),
  ];
}

/**
 * The writes, of the keys that `place` gives for an operation's number; new users are further numbers.
 * @param digests the scripts, loaded
 */
export function writes(digests: native.Digests, place: (index: number) => number): Record<NativeName | ModuleName, Operation> {
  const at = (index: number) => String(place(index));
  const key = (index: number) => keyName(place(index));
  const id = (index: number) => uuid(place(index));
  return {
    SET: storing('SET', VALUE, key),
    'CUSTOM.SET': storing('CUSTOM.SET', VALUE, key),
    INCRBY: increments('INCRBY', at),
    'CUSTOM.INCRBY': increments('CUSTOM.INCRBY', at),
    'SET PX': expiring('SET', at),
    'CUSTOM.SET PX': expiring('CUSTOM.SET', at),
    'HSET and EXPIRE in Lua': command((index) => native.addByScript(digests, id(index), IDLE_S, FIELD, VALUE), OK_BYTES),
    'SESSION.ADD_DATA': command((index) => ['SESSION.ADD_DATA', id(index), FIELD, VALUE], OK_BYTES),
    'SESSION.CREATE of a new user': creating('Session created', (index) => [`new:${user(index)}`]),
  };
}
