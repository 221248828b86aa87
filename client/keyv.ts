/**
 * A storage adapter for Keyv on CUSTOM.*. The server ends each entry in its time.
 *
 * @example
 * import { Keyv } from 'keyv';
 * import { createClient } from 'redis';
 * import { custom } from 'redis-wasm';
 * import { KeyvCustom } from 'redis-wasm/keyv';
 *
 * const client = await createClient({ modules: { custom } }).connect();
 * const cache = new Keyv({ store: new KeyvCustom({ client }), namespace: 'pages', ttl: 60_000 });
 */
import { EventEmitter } from 'node:events';
import { ArgumentError, bytes, knownOptions } from './arguments.ts';
import { asText, everywhere, type ClientWith } from './client.ts';
import type { SetOptions } from './custom/SET.ts';
import { scanIterator, type Scannable } from './scan.ts';

/** Options of a KeyvCustom. */
export interface KeyvCustomOptions {
  /**
   * A connected client: `createClient({ modules: { custom } })`. It stays the caller's: `disconnect` does not
   * close it.
   */
  client: ClientWith<'custom'>;
  /** Written before every key, so that `clear` ends nothing else; by default `keyv:`. */
  prefix?: string;
  /**
   * Milliseconds that a command may take before its call fails, as when the server is away; by default 5000.
   */
  timeout?: number;
  /**
   * The major version of Keyv. Not needed: it shows in how Keyv takes its store. One that shows to be the
   * other is refused.
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

/** What is stored under the name of a key, and the ms that it has left, if it ends. */
interface Entry {
  name: string;
  text: string;
  left_ms: number | undefined;
}

/** A moment in ms before this one (1973) is a duration. */
const MOMENT_MIN_MS = 1e11;

/**
 * Use it as the `store` of one Keyv, 6 or 5. Its methods reject with what the client rejects with; Keyv makes
 * its event `error` of it.
 *
 * Keyv 6 hands the moment at which an entry ends to `set`, and leaves namespaces to its store. Keyv 5 hands a
 * duration, and writes the namespace before the key itself. Which one it is shows in how it takes the store:
 * 6 asks for `capabilities`, then listens to `error`, then sets `namespace`; 5 listens, sets, then asks for
 * `opts.dialect`.
 */
export class KeyvCustom extends EventEmitter {
  readonly #client: unknown;
  readonly #custom: Commands;
  readonly #prefix: string;
  /** What the options say, then what has shown. */
  #version: 5 | 6 | undefined;
  #isTaken = false;
  #isAskedByKeyv6 = false;
  #namespace: string | undefined;
  /** That of before a Keyv began to take this store. */
  #namespaceBefore: string | undefined;

  /** @throws ArgumentError that names the option */
  constructor(options: KeyvCustomOptions) {
    super();
    const { client, prefix = 'keyv:', timeout, keyv } = knownOptions(options, ['client', 'prefix', 'timeout', 'keyv']);
    this.#client = asText(client, 'custom', timeout);
    this.#custom = (this.#client as { custom: Commands }).custom;
    if (typeof prefix !== 'string') throw new ArgumentError('options.prefix', 'a string');
    if (keyv !== undefined && (keyv as unknown) !== 5 && (keyv as unknown) !== 6) throw new ArgumentError('options.keyv', '5 or 6');
    this.#prefix = prefix;
    this.#version = keyv;
  }

  /** Set by Keyv: what the keys of this Keyv are told from others' by. */
  get namespace(): string | undefined {
    return this.#namespace;
  }

  set namespace(namespace: string | undefined) {
    this.#namespace = namespace;
  }

  /** What Keyv 5 knows stores by that it may iterate. */
  get opts(): { readonly dialect: string; readonly url: string } {
    const isTaken = () => {
      this.#isTakenBy(5);
    };
    return {
      get dialect() {
        isTaken();
        return 'redis';
      },
      url: '',
    };
  }

  /** As EventEmitter has it. */
  override on(event: string | symbol, listener: (...given: unknown[]) => void): this {
    if (event === 'error') {
      this.#namespaceBefore = this.#namespace;
      if (this.#isAskedByKeyv6) this.#isTakenBy(6);
      this.#isAskedByKeyv6 = false;
    }
    return super.on(event, listener);
  }

  /**
   * @throws ArgumentError for a second Keyv, before it changes the namespace of the first, and for one of
   *   another version than the option's
   */
  #isTakenBy(version: 5 | 6): void {
    if (this.#isTaken) {
      this.#namespace = this.#namespaceBefore;
      throw new ArgumentError('store', 'each Keyv needs a KeyvCustom of its own, which keeps its namespace: new KeyvCustom({ client })');
    }
    if (this.#version !== undefined && this.#version !== version) {
      throw new ArgumentError('options.keyv', `${this.#version}, but Keyv ${version} uses this store: leave the option out`);
    }
    this.#isTaken = true;
    this.#version = version;
  }

  get #isKeyv5(): boolean {
    return this.#version === 5;
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
    this.#isAskedByKeyv6 = true;
    const method = { exists: true, methodType: 'async' as const };
    const names = ['get', 'set', 'delete', 'clear', 'has', 'hasMany', 'getMany', 'setMany', 'deleteMany', 'disconnect'] as const;
    const methods = Object.fromEntries([...names, 'iterator'].map((name) => [name, method]));
    return {
      compatible: true,
      store: 'keyvStorage' as const,
      methods: methods as Record<(typeof names)[number] | 'iterator', typeof method>,
      expires: true,
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
      return this.#entryOf(`${argument}.`, entry.key, entry.value, this.#isKeyv5 ? entry.ttl : entry.expires);
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
    return this.#isKeyv5 ? (deleted.includes(true) as unknown as boolean[]) : deleted;
  }

  /** Whether the key is there. */
  async has(key: string): Promise<boolean> {
    return (await this.#custom.exists(this.#nameOf('key', key))) === 1;
  }

  /** Which of the keys are there. */
  async hasMany(keys: string[]): Promise<boolean[]> {
    return Promise.all(this.#namesOf(keys).map(async (name) => (await this.#custom.exists(name)) === 1));
  }

  /**
   * Deletes all keys of the namespace; without one, all with this store's prefix. O(all keys of CUSTOM.*).
   */
  async clear(): Promise<void> {
    for await (const names of this.#scan(this.#startOf(this.namespace))) await Promise.all(names.map((name) => this.#custom.del(name)));
  }

  /**
   * Keys and values of the namespace; without one, all with this store's prefix. A key may be met twice while
   * others come and go.
   */
  async *iterator<Value>(namespace = this.namespace): AsyncGenerator<(string | Awaited<Value> | undefined)[], void> {
    const start = this.#startOf(namespace);
    // Keyv 5 takes the namespace away by itself.
    const shown = this.#isKeyv5 && namespace ? `${namespace}:` : '';
    for await (const names of this.#scan(start)) {
      const values = await Promise.all(names.map((name) => this.#custom.get(name)));
      for (const [index, name] of names.entries()) {
        const value = values[index] ?? undefined;
        if (value !== undefined) yield [shown + name.slice(start.length), value];
      }
    }
  }

  /** Does nothing: the client is the caller's to close. */
  disconnect(): Promise<void> {
    return Promise.resolve();
  }

  #scan(start: string): AsyncGenerator<string[]> {
    const pattern = `${start.replace(/[\\*?[\]]/g, '\\$&')}*`;
    const visit = (node: unknown) => scanIterator((node as { custom: Commands }).custom, { MATCH: pattern, COUNT: 100 });
    return everywhere(this.#client, visit, (name) => name);
  }

  async #read<Value>(name: string): Promise<Value | undefined> {
    return ((await this.#custom.get(name)) ?? undefined) as Value | undefined;
  }

  async #write({ name, text, left_ms }: Entry): Promise<boolean> {
    if (left_ms === undefined) await this.#custom.set(name, text);
    else if (left_ms <= 0) await this.#custom.del(name);
    else await this.#custom.set(name, text, { expiration: { type: 'PX', value: left_ms } });
    return true;
  }

  /** What is to be stored. `at`: where it stands among the arguments. */
  #entryOf(at: string, key: unknown, value: unknown, end: number | undefined): Entry {
    const name = this.#nameOf(`${at}key`, key);
    if (typeof value !== 'string') throw new ArgumentError(`${at}value`, `text, not ${typeof value}: leave Keyv's serialization on`);
    bytes(`${at}value`, value);
    return { name, text: value, left_ms: this.#leftOf(at, end) };
  }

  #nameOf(argument: string, key: unknown): string {
    if (typeof key !== 'string') throw new ArgumentError(argument, `a string, not ${typeof key}`);
    bytes(argument, key);
    if (!this.#isKeyv5) return this.#startOf(this.namespace) + key;
    const written = this.namespace ? `${this.namespace}:` : '';
    // Without its option useKeyPrefix Keyv 5 writes no namespace.
    return key.startsWith(written) ? this.#startOf(this.namespace) + key.slice(written.length) : this.#prefix + key;
  }

  #namesOf(keys: unknown[]): string[] {
    return listOf('keys', keys).map((key, index) => this.#nameOf(`keys[${index}]`, key));
  }

  /**
   * What the names of all keys of a namespace begin with, and no others': the prefix, the namespace, a
   * separator. A namespace in which the separator would be found too early stands between two of them, with
   * each `:` as `%3A` and each `%` as `%25`.
   */
  #startOf(namespace: string | undefined): string {
    if (namespace === undefined || namespace === '') return this.#prefix;
    if (typeof namespace !== 'string') throw new ArgumentError('namespace', `a string, not ${typeof namespace}`);
    const separator = this.#isKeyv5 ? ':' : '::';
    if ((namespace + separator).indexOf(separator) === namespace.length) return this.#prefix + namespace + separator;
    const escaped = namespace.replace(/[%:]/g, (character) => (character === ':' ? '%3A' : '%25'));
    return this.#prefix + separator + escaped + separator;
  }

  /**
   * The ms that an entry has left: a duration, since the server's clock need not be that of this application.
   */
  #leftOf(at: string, end: number | undefined): number | undefined {
    // Keyv 5 hands over 0 or null for none, too.
    if (end === undefined || (end as unknown) === null || (this.#isKeyv5 && end === 0)) return undefined;
    if (!Number.isFinite(end)) throw new ArgumentError(at + (this.#isKeyv5 ? 'ttl' : 'expires'), `a number of ms, not ${String(end)}`);
    if (this.#isKeyv5) return Math.ceil(end);
    if (end < MOMENT_MIN_MS) throw new ArgumentError(`${at}expires`, `a moment in Unix ms, not ${end}`);
    return Math.ceil(end - Date.now());
  }
}

function listOf<T>(argument: string, given: T[]): T[] {
  if (Array.isArray(given)) return given;
  throw new ArgumentError(argument, `a list, not ${typeof given}`);
}
