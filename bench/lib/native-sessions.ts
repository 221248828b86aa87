/**
 * Sessions as an application keeps them in native keys.
 * Each is a hash that may have a time to live.
 * Each user has a set of ids, and a string that names the newest session.
 */
import type { Words } from './load.ts';

const TIME = '2026-01-02T03:04:05.678Z';

/** A session: its id, its user, and its fields, each followed by its value. */
export interface NativeSession {
  id: string;
  user: string;
  fields?: string[];
  /** its time to live in s, if it has one */
  idle_s?: string;
}

export const user = (index: number) => `user:${String(index).padStart(6, '0')}`;
export const uuid = (index: number) => `01234567-89ab-4cde-8f01-${String(index).padStart(12, '0')}`;

const hash = (id: string) => `session:${id}`;
const idsOf = (user: string) => `sessions:${user}`;

/** The hash of a session, and what it holds beside the session's fields, as words of HSET. */
export function hashOf(id: string, user: string): Words {
  return [hash(id), 'user_key', user, 'created_at', TIME, 'last_accessed', TIME];
}

/** Creates a session, whether its user has one or not. */
export function create({ id, user, fields = [], idle_s }: NativeSession): Words[] {
  return [
    ['HSET', ...hashOf(id, user), ...fields],
    ...(idle_s === undefined ? [] : [['EXPIRE', hash(id), idle_s]]),
    ['SADD', idsOf(user), id],
    ['SET', user, id],
  ];
}

/** The replies to `create` of a session with so many fields, each a text of its own. */
export function createReplies(fields: number, idle_s?: string): string[] {
  return [`:${3 + fields}\r\n`, ...(idle_s === undefined ? [] : [':1\r\n']), ':1\r\n', '+OK\r\n'];
}

/** Renews a session's time to live and the time of its last access, and writes `fields` that it has. */
export function touch(id: string, idle_s: string, fields: string[] = []): Words[] {
  return [
    ['HSET', hash(id), ...fields, 'last_accessed', TIME],
    ['EXPIRE', hash(id), idle_s],
  ];
}
export const TOUCH_REPLIES = [':0\r\n', ':1\r\n'];

export function get(id: string, field: string): Words {
  return ['HGET', hash(id), field];
}

/**
 * The same as Lua scripts, each of which is one step with the checks of the module's command in it.
 * CREATE gives a user's session if there is one, else a new one.
 * Its KEYS are the user's newest session, the set of ids and the hash of a new session.
 * Its ARGV are id, user, time and seconds.
 */
const CREATE = `
  local old = redis.call('GET', KEYS[1])
  if old and redis.call('EXISTS', 'session:' .. old) == 1 then
    redis.call('HSET', 'session:' .. old, 'last_accessed', ARGV[3])
    redis.call('EXPIRE', 'session:' .. old, ARGV[4])
    return old
  end
  redis.call('HSET', KEYS[3], 'user_key', ARGV[2], 'created_at', ARGV[3], 'last_accessed', ARGV[3])
  redis.call('EXPIRE', KEYS[3], ARGV[4])
  redis.call('SADD', KEYS[2], ARGV[1])
  redis.call('SET', KEYS[1], ARGV[1])
  return ARGV[1]`;
/** KEYS hash; ARGV time, seconds, field. */
const GET = `
  if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('Session not found') end
  redis.call('HSET', KEYS[1], 'last_accessed', ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[2])
  return redis.call('HGET', KEYS[1], ARGV[3])`;
/** KEYS hash; ARGV time, seconds, field, value. */
const ADD = `
  if redis.call('EXISTS', KEYS[1]) == 0 then return redis.error_reply('Session not found') end
  redis.call('HSET', KEYS[1], ARGV[3], ARGV[4], 'last_accessed', ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[2])
  return redis.status_reply('OK')`;

const SCRIPTS = { CREATE, GET, ADD };
/** The digests of the scripts, as a server names them. */
export type Digests = Record<keyof typeof SCRIPTS, string>;

/** Loads the scripts. `ask` sends a command and answers its reply. */
export async function loadScripts(ask: (words: Words) => Promise<string>): Promise<Digests> {
  const digests: Digests = { CREATE: '', GET: '', ADD: '' };
  for (const name of Object.keys(SCRIPTS) as (keyof typeof SCRIPTS)[]) {
    digests[name] = (await ask(['SCRIPT', 'LOAD', SCRIPTS[name]])).split('\r\n')[1] ?? '';
  }
  return digests;
}

export function createByScript({ CREATE: digest }: Digests, { id, user }: NativeSession, idle_s: string): Words {
  return ['EVALSHA', digest, '3', user, idsOf(user), hash(id), id, user, TIME, idle_s];
}

export function getByScript({ GET: digest }: Digests, id: string, idle_s: string, field: string): Words {
  return ['EVALSHA', digest, '1', hash(id), TIME, idle_s, field];
}

export function addByScript({ ADD: digest }: Digests, id: string, idle_s: string, field: string, value: string): Words {
  return ['EVALSHA', digest, '1', hash(id), TIME, idle_s, field, value];
}
