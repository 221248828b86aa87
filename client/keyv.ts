/**
 * A storage adapter for Keyv on CUSTOM.*. The server ends each entry in its time.
 *
 * @example
 * import { Keyv } from 'keyv';
 * import { createClient } from 'redis';
 * import { custom } from 'redis-wasm-sessions';
 * import { KeyvCustom } from 'redis-wasm-sessions/keyv';
 *
 * const client = await createClient({ modules: { custom } }).connect();
 * const cache = new Keyv({ store: new KeyvCustom({ client }), namespace: 'pages', ttl: 60_000 });
 */
import { EventEmitter } from 'node:events';
import { ArgumentError, knownOptions } from './arguments.ts';
import { asText, nodesOf, type ClientWith } from './client.ts';
import type { SetOptions } from './custom/SET.ts';
import { scanIterator, type Scannable } from './scan.ts';

/** Options of a KeyvCustom. */
export interface KeyvCustomOptions {
  /** A connected client: `createClient({ modules: { custom } })`. It stays the caller's: `disconnect` does not close it. */
  client: ClientWith<'custom'>;
  /** Written before every key, so that `clear` ends nothing else; by default `keyv:`. */
  prefix?: string;
  /**
   * The major version of Keyv. 6 (the default) hands the moment at which an entry ends to `set`, and leaves namespaces to its store; 5 hands
   * a duration, and writes the namespace before the key itself.
   */
  keyv?: 5 | 6;
}

/** An entry for `setMany`: `expires` in Unix ms of Keyv 6, `ttl` in ms of Keyv 5. */
export interface KeyvEntry {
  key: string;
  value: unknown;
  expires?: number | undefined;
  ttl?: number | undefined;
}

interface Commands extends Scannable<string> {
  get(key: string): Promise<string | null>;
  set(key: string, value: string, options?: SetOptions): Promise<unknown>;
  del(key: string): Promise<number>;
  exists(key: string): Promise<number>;
}

/** What is stored under the name of a key, and the moment at which it ends, in Unix ms. */
interface Entry {
  name: string;
  text: string;
  expires: number | undefined;
}

/** A moment in ms before this one (1973) is a duration that Keyv 5 has handed over. */
const MOMENT_MIN_MS = 1e11;

/** Use it as the `store` of a Keyv. Its methods reject with what the client rejects with; Keyv makes its event `error` of it. */
export class KeyvCustom extends EventEmitter {
  /** Set by Keyv: what the keys of this Keyv begin with. */
  namespace?: string | undefined;
  /** What Keyv 5 knows stores by that it may iterate. */
  readonly opts = { dialect: 'redis', url: '' };
  readonly #client: unknown;
  readonly #custom: Commands;
  readonly #prefix: string;
  readonly #version: 5 | 6;

  /** @throws ArgumentError that names the option */
  constructor(options: KeyvCustomOptions) {
    super();
    const { client, prefix = 'keyv:', keyv = 6 } = knownOptions(options, ['client', 'prefix', 'keyv']);
    this.#client = asText(client, 'custom');
    this.#custom = (this.#client as { custom: Commands }).custom;
    if (typeof prefix !== 'string') throw new ArgumentError('options.prefix', 'a string');
    if ((keyv as unknown) !== 5 && (keyv as unknown) !== 6) throw new ArgumentError('options.keyv', '5 or 6');
    this.#prefix = prefix;
    this.#version = keyv;
  }

  /** As EventEmitter has it, with the type that Keyv asks for. */
  override listeners(event: string | symbol): ((...given: unknown[]) => void)[] {
    return super.listeners(event) as ((...given: unknown[]) => void)[];
  }

  /** As EventEmitter has it, with the type that Keyv asks for. */
  override rawListeners(event: string | symbol): ((...given: unknown[]) => void)[] {
    return super.rawListeners(event) as ((...given: unknown[]) => void)[];
  }

  /** Tells Keyv 6 that this store takes the moment at which an entry ends. */
  get capabilities() {
    const method = { exists: true, methodType: 'async' as const };
    const names = ['get', 'set', 'delete', 'clear', 'has', 'hasMany', 'getMany', 'setMany', 'deleteMany', 'disconnect'] as const;
    const methods = Object.fromEntries([...names, 'iterator'].map((name) => [name, method]));
    return {
      compatible: true,
      store: 'keyvStorage' as const,
      methods: methods as Record<(typeof names)[number] | 'iterator', typeof method>,
      expires: this.#version === 6,
    };
  }

  /** The value as Keyv has encoded it, undefined when the key is absent. */
  async get<Value>(key: string): Promise<Value | undefined> {
    return this.#read<Value>(this.#nameOf('key', key));
  }

  /** The values of the keys, in their order. */
  async getMany<Value>(keys: string[]): Promise<(Value | undefined)[]> {
    return Promise.all(this.#namesOf(keys).map((name) => this.#read<Value>(name)));
  }

  /**
   * Stores a value that Keyv has encoded.
   * @param end - Keyv 6: the moment at which it ends, in Unix ms. Keyv 5: ms from now
   */
  async set(key: string, value: unknown, end?: number): Promise<boolean> {
    return this.#write(this.#entryOf('', key, value, end));
  }

  /** Stores several values. Where one of the entries is wrong, none is stored. */
  async setMany(entries: KeyvEntry[]): Promise<boolean[]> {
    const given = listOf('entries', entries).map((entry, index) => {
      const argument = `entries[${index}]`;
      if (typeof entry !== 'object' || (entry as unknown) === null) throw new ArgumentError(argument, '{ key, value }');
      return this.#entryOf(`${argument}.`, entry.key, entry.value, this.#version === 6 ? entry.expires : entry.ttl);
    });
    return Promise.all(given.map((entry) => this.#write(entry)));
  }

  /** Whether the key was there. */
  async delete(key: string): Promise<boolean> {
    return (await this.#custom.del(this.#nameOf('key', key))) === 1;
  }

  /** Which of the keys were there; for Keyv 5, whether any was. */
  async deleteMany(keys: string[]): Promise<boolean[]> {
    const deleted = await Promise.all(this.#namesOf(keys).map(async (name) => (await this.#custom.del(name)) === 1));
    return this.#version === 6 ? deleted : (deleted.includes(true) as unknown as boolean[]);
  }

  /** Whether the key is there. */
  async has(key: string): Promise<boolean> {
    return (await this.#custom.exists(this.#nameOf('key', key))) === 1;
  }

  /** Which of the keys are there. */
  async hasMany(keys: string[]): Promise<boolean[]> {
    return Promise.all(this.#namesOf(keys).map(async (name) => (await this.#custom.exists(name)) === 1));
  }

  /** Deletes all keys of the namespace; without one, all with this store's prefix. O(all keys of CUSTOM.*). */
  async clear(): Promise<void> {
    for await (const keys of this.#scan(this.namespace)) await Promise.all(keys.map((key) => this.#custom.del(key)));
  }

  /** Keys and values of the namespace; without one, all with this store's prefix. A key may be met twice while others come and go. */
  async *iterator<Value>(namespace = this.namespace): AsyncGenerator<(string | Awaited<Value> | undefined)[], void> {
    const own = this.#version === 6 ? this.#prefix + this.#namespacePrefix(namespace) : this.#prefix;
    for await (const keys of this.#scan(namespace)) {
      const values = await Promise.all(keys.map((key) => this.#custom.get(key)));
      for (const [index, key] of keys.entries()) {
        const value = values[index] ?? undefined;
        if (value !== undefined) yield [key.slice(own.length), value];
      }
    }
  }

  /** Does nothing: the client is the caller's to close. */
  disconnect(): Promise<void> {
    return Promise.resolve();
  }

  async *#scan(namespace: string | undefined): AsyncGenerator<string[]> {
    const start = this.#prefix + this.#namespacePrefix(namespace);
    const nodes = (await nodesOf(this.#client)) as { custom: Commands }[];
    const pattern = `${start.replace(/[\\*?[\]]/g, '\\$&')}*`;
    yield* scanIterator(
      nodes.map((node) => node.custom),
      { MATCH: pattern, COUNT: 100 },
    );
  }

  async #read<Value>(name: string): Promise<Value | undefined> {
    return ((await this.#custom.get(name)) ?? undefined) as Value | undefined;
  }

  async #write({ name, text, expires }: Entry): Promise<boolean> {
    if (expires === undefined) await this.#custom.set(name, text);
    else if (expires <= Date.now()) await this.#custom.del(name);
    else await this.#custom.set(name, text, { expiration: { type: 'PXAT', value: expires } });
    return true;
  }

  /** What is to be stored. `at`: where it stands among the arguments. */
  #entryOf(at: string, key: unknown, value: unknown, end: number | undefined): Entry {
    const name = this.#nameOf(`${at}key`, key);
    if (typeof value !== 'string') throw new ArgumentError(`${at}value`, `text, not ${typeof value}: leave Keyv's serialization on`);
    return { name, text: value, expires: this.#momentOf(at, end) };
  }

  #nameOf(argument: string, key: unknown): string {
    if (typeof key !== 'string') throw new ArgumentError(argument, `a string, not ${typeof key}`);
    return this.#prefix + (this.#version === 6 ? this.#namespacePrefix(this.namespace) : '') + key;
  }

  #namesOf(keys: unknown[]): string[] {
    return listOf('keys', keys).map((key, index) => this.#nameOf(`keys[${index}]`, key));
  }

  #namespacePrefix(namespace: string | undefined): string {
    if (namespace === undefined || namespace === '') return '';
    if (typeof namespace !== 'string') throw new ArgumentError('namespace', `a string, not ${typeof namespace}`);
    return namespace + (this.#version === 6 ? '::' : ':');
  }

  #momentOf(at: string, end: number | undefined): number | undefined {
    // Keyv 5 hands over 0 or null for none, too.
    if (end === undefined || (end as unknown) === null || (this.#version === 5 && end === 0)) return undefined;
    if (!Number.isFinite(end))
      throw new ArgumentError(at + (this.#version === 6 ? 'expires' : 'ttl'), `a number of ms, not ${String(end)}`);
    if (this.#version === 5) return Date.now() + Math.ceil(end);
    if (end < MOMENT_MIN_MS) {
      throw new ArgumentError(`${at}expires`, `a moment in Unix ms, not ${end}: with Keyv 5 say new KeyvCustom({ client, keyv: 5 })`);
    }
    return Math.ceil(end);
  }
}

function listOf<T>(argument: string, given: T[]): T[] {
  if (Array.isArray(given)) return given;
  throw new ArgumentError(argument, `a list, not ${typeof given}`);
}
