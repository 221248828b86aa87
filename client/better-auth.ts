/**
 * The secondary storage of better-auth on CUSTOM.*: sessions, verification values and rate limits, each under
 * a key of its own that the server ends in its time.
 *
 * @example
 * import { betterAuth } from 'better-auth';
 * import { createClient } from 'redis';
 * import { custom } from 'redis-wasm';
 * import { secondaryStorage } from 'redis-wasm/better-auth';
 *
 * const client = await createClient({ modules: { custom } }).connect();
 * export const auth = betterAuth({ secondaryStorage: secondaryStorage({ client }), database });
 */
import { ArgumentError, bytes, knownOptions } from './arguments.ts';
import { asText, type ClientWith } from './client.ts';
import type { SetOptions } from './custom/SET.ts';

/** Options of `secondaryStorage`. */
export interface SecondaryStorageOptions {
  /** A connected client: `createClient({ modules: { custom } })`. */
  client: ClientWith<'custom'>;
  /** Written before every key; by default `better-auth:`. */
  prefix?: string;
  /**
   * Milliseconds that a command may take before its call fails, as when the server is away; by default 5000.
   */
  timeout?: number;
}

/** What better-auth asks of a secondary storage. Times are seconds; of 0 or less, the entry has ended. */
export interface SecondaryStorage {
  /** The value, null when the key is absent. */
  get(key: string): Promise<string | null>;
  /** Stores a value, for `ttl` seconds or without an end. */
  set(key: string, value: string, ttl?: number): Promise<void>;
  delete(key: string): Promise<void>;
  /** The value, which is deleted in the same step: of several that ask, one gets it. */
  getAndDelete(key: string): Promise<string | null>;
  /** Adds 1 in one step. The first sets the end, `ttl` seconds from then on. Answers the count. */
  increment(key: string, ttl: number): Promise<number>;
}

interface Commands {
  get(key: string): Promise<string | null>;
  getDel(key: string): Promise<string | null>;
  set(key: string, value: string, options?: SetOptions): Promise<unknown>;
  del(key: string): Promise<number>;
  incrBy(key: string, increment: number): Promise<number>;
  pExpire(key: string, ms: number): Promise<number>;
}

interface TextClient {
  custom: Commands;
  multi(): { custom: Commands; exec(): Promise<unknown[]> };
}

/**
 * A secondary storage for the option `secondaryStorage` of better-auth.
 * @throws ArgumentError that names the option or argument
 */
export function secondaryStorage(options: SecondaryStorageOptions): SecondaryStorage {
  const { client: given, prefix = 'better-auth:', timeout } = knownOptions(options, ['client', 'prefix', 'timeout']);
  const client = asText(given, 'custom', timeout) as TextClient;
  if (typeof prefix !== 'string') throw new ArgumentError('options.prefix', 'a string');
  const { custom } = client;
  const keyOf = (key: unknown) => prefix + text('key', key);

  return {
    get: async (key) => custom.get(keyOf(key)),
    getAndDelete: async (key) => custom.getDel(keyOf(key)),
    delete: async (key) => {
      await custom.del(keyOf(key));
    },
    set: async (key, value, ttl) => {
      const name = keyOf(key);
      const ttl_ms = ttl === undefined ? undefined : milliseconds(ttl);
      if (ttl_ms !== undefined && ttl_ms <= 0) await custom.del(name);
      else await custom.set(name, text('value', value), ttl_ms === undefined ? {} : { expiration: { type: 'PX', value: ttl_ms } });
    },
    increment: async (key, ttl) => {
      const name = keyOf(key);
      const ttl_ms = milliseconds(ttl);
      if (ttl_ms <= 0) throw new ArgumentError('ttl', `more than 0 seconds, not ${ttl}`);
      const multi = client.multi();
      void multi.custom.set(name, '0', { condition: 'NX', expiration: { type: 'PX', value: ttl_ms } });
      void multi.custom.incrBy(name, 1);
      const [opened, count] = await multi.exec();
      // The window before has ended between the two, where the server's time goes on in a transaction: this
      // is the first count of another.
      if (opened === null && count === 1) await custom.pExpire(name, ttl_ms);
      return count as number;
    },
  };
}

function text(argument: string, given: unknown): string {
  if (typeof given === 'string') return bytes(argument, given) as string;
  throw new ArgumentError(argument, `a string, not ${typeof given}`);
}

function milliseconds(ttl: unknown): number {
  if (typeof ttl !== 'number' || !Number.isFinite(ttl)) throw new ArgumentError('ttl', `seconds, not ${String(ttl)}`);
  return Math.ceil(ttl * 1000);
}
