/** What has no key, over all nodes of a cluster: counts, lists, scans, CLEAR. */
import { ArgumentError, integer, knownOptions } from './arguments.ts';
import { isCluster, primariesOf, type NodeClient } from './cluster/positions.ts';
import { walk } from './cluster/walk.ts';
import type { RedisArgument } from './command.ts';
import { scanIterator, type Scannable, type ScanOptions } from './scan.ts';
import type { ListedSession } from './session/LIST.ts';
import type { StraysOptions } from './session/STRAYS.ts';

/** Options of `clusterWide`. */
export interface ClusterWideOptions {
  /**
   * ms that it waits for a node that is away, and for nodes that do not agree on who has a slot; by default
   * 5000. Then the call rejects.
   */
  timeout?: number;
}

/** What a client of createCluster has for each node; of any other client, itself. */
type NodeOf<C> = C extends { nodeClient: (...given: never[]) => infer N } ? Awaited<N> : C;
type Space<C, N extends string> = NodeOf<C> extends Record<N, infer S> ? S : never;
/** The elements of what a method answers. */
type Element<S, M extends string> = S extends Record<M, (...given: never[]) => Promise<(infer E)[]>> ? E : never;
type KeyOf<C> = Element<Space<C, 'custom'>, 'keys'>;
type IdOf<C> = Element<Space<C, 'session'>, 'user'>;
type Name = 'custom' | 'session';

/** Over all primaries. While slots move a count may have what moves twice, or not at all. */
export interface ClusterWide<Key, Id> {
  custom: {
    /** How many keys there are. */
    len(): Promise<number>;
    /** All keys, or those that match a pattern, each once. */
    keys(pattern?: RedisArgument): Promise<Key[]>;
    /** Walks through all keys, as `scanIterator` does. */
    scanIterator(options?: ScanOptions): AsyncGenerator<Key[], void, void>;
    /**
     * Deletes all keys of all nodes; how many there were. A node is cleared again when slots come to it
     * meanwhile.
     */
    clear(): Promise<number>;
    /** Checks every node; rejects with the first error. */
    check(): Promise<'OK'>;
  };
  session: {
    /** How many sessions there are. Of one user: `client.session.count(user)`. */
    count(): Promise<number>;
    /** All live sessions, each once. */
    list(): Promise<ListedSession[]>;
    /** Walks through the ids of all live sessions, as `scanIterator` does. */
    scanIterator(options?: ScanOptions): AsyncGenerator<Id[], void, void>;
    /** Counts and names ids in another slot than their user; `count` is how many to name in all. */
    strays(options?: StraysOptions): Promise<{ count: number; ids: Id[] }>;
    /** Checks every node; rejects with the first error. */
    check(): Promise<'OK'>;
  };
}

interface Node extends NodeClient {
  withCommandOptions(options: object): Node;
  custom: Scannable<RedisArgument> & {
    len(): Promise<unknown>;
    keys(pattern?: RedisArgument): Promise<RedisArgument[]>;
    clear(): Promise<unknown>;
    check(): Promise<'OK'>;
  };
  session: Scannable<RedisArgument> & {
    count(): Promise<unknown>;
    list(): Promise<ListedSession[]>;
    strays(options?: StraysOptions): Promise<{ count: unknown; ids: RedisArgument[] }>;
    check(): Promise<'OK'>;
  };
}

const TIMEOUT_MS = 5000;
const STRAYS_NAMED = 100;

/**
 * The commands that have no key, over all primaries of a cluster. Of any other client: of its server.
 *
 * What is there from the beginning to the end of `keys`, `list` or a scan is met, also where its slot moves
 * meanwhile, or its node fails over. A scan may meet it twice then; `keys` and `list` answer it once. Of one
 * that was called with a type mapping, keys and ids are what it says.
 *
 * @param client - a connected client with the modules `custom` and `session`, or with the one that is used
 * @param options - `timeout`
 * @throws ArgumentError when it is no such client, or names the option
 * @example
 * const all = clusterWide(cluster);
 * console.log(await all.session.count());
 * for await (const ids of all.session.scanIterator({ COUNT: 100 })) console.log(ids);
 */
export function clusterWide<C extends object>(
  client: C,
  options?: ClusterWideOptions,
): Pick<ClusterWide<KeyOf<C>, IdOf<C>>, keyof C & Name> {
  const { timeout = TIMEOUT_MS } = knownOptions(options, ['timeout']);
  const names = (['custom', 'session'] as const).filter((name) => hasModule(client, name));
  if (names.length === 0) {
    throw new ArgumentError(
      'client',
      "a client of node-redis with this package's modules: createCluster({ modules: { custom, session } })",
    );
  }
  const over = new Over(client, Number(integer('options.timeout', timeout, 1)));
  const all = { custom: () => customOver(over), session: () => sessionOver(over) };
  return Object.fromEntries(names.map((name) => [name, all[name]()])) as ReturnType<typeof clusterWide<C>>;
}

function hasModule(client: unknown, name: Name): boolean {
  return typeof (client as Partial<Record<string, Partial<Scannable<unknown>>>> | null | undefined)?.[name]?.scan === 'function';
}

function customOver(over: Over): ClusterWide<RedisArgument, RedisArgument>['custom'] {
  return {
    len: () => over.sum((node) => node.custom.len()),
    keys: (pattern) =>
      over.once(
        (node) => node.custom.keys(pattern),
        (key) => key,
      ),
    scanIterator: (given) => over.scan((node) => node.custom, given),
    clear: () => over.clear(),
    check: () => over.check((node) => node.custom.check()),
  };
}

function sessionOver(over: Over): ClusterWide<RedisArgument, RedisArgument>['session'] {
  return {
    count: () => over.sum((node) => node.session.count()),
    list: () =>
      over.once(
        (node) => node.session.list(),
        ({ id }) => id,
      ),
    scanIterator: (given) => over.scan((node) => node.session, given),
    strays: (given) => over.strays(given),
    check: () => over.check((node) => node.session.check()),
  };
}

const textOf = (key: RedisArgument): string => (typeof key === 'string' ? key : key.toString('latin1'));

/** A client, over all its nodes. */
class Over {
  readonly #client: object;
  readonly #timeout_ms: number;

  constructor(client: object, timeout_ms: number) {
    this.#client = client;
    this.#timeout_ms = timeout_ms;
  }

  /** A node's client, set to what the whole client is set to. */
  #nodeOf(node: unknown): Node {
    const { _commandOptions: options } = this.#client as { _commandOptions?: object };
    return node === this.#client || options === undefined ? (node as Node) : (node as Node).withCommandOptions(options);
  }

  #walk<T>(visit: (node: Node) => AsyncIterable<T[]>, keyOf: (element: T) => RedisArgument): AsyncGenerator<T[], void, void> {
    return walk(this.#client, { visit: (node) => visit(this.#nodeOf(node)), keyOf, timeout_ms: this.#timeout_ms });
  }

  async each<T>(ask: (node: Node) => Promise<T>): Promise<T[]> {
    const nodes = isCluster(this.#client) ? await primariesOf(this.#client) : [this.#client];
    return Promise.all(nodes.map((node) => ask(this.#nodeOf(node))));
  }

  async sum(ask: (node: Node) => Promise<unknown>): Promise<number> {
    const counts = await this.each(ask);
    return counts.reduce<number>((sum, count) => sum + Number(count), 0);
  }

  async check(ask: (node: Node) => Promise<'OK'>): Promise<'OK'> {
    await this.each(ask);
    return 'OK';
  }

  /** What one command of each node lists, each element once. `keyOf`: its name, which is in its slot. */
  async once<T>(ask: (node: Node) => Promise<T[]>, keyOf: (element: T) => RedisArgument): Promise<T[]> {
    const met = new Map<string, T>();
    const visit = async function* (node: Node): AsyncGenerator<T[]> {
      yield await ask(node);
    };
    for await (const page of this.#walk(visit, keyOf)) for (const element of page) met.set(textOf(keyOf(element)), element);
    return [...met.values()];
  }

  scan(spaceOf: (node: Node) => Scannable<RedisArgument>, options: ScanOptions | undefined): AsyncGenerator<RedisArgument[], void, void> {
    return this.#walk(
      (node) => scanIterator(spaceOf(node), options),
      (element) => element,
    );
  }

  async clear(): Promise<number> {
    let sum = 0;
    const visit = async function* (node: Node): AsyncGenerator<never[]> {
      sum += Number(await node.custom.clear());
      yield [];
    };
    const cleared = this.#walk<never>(visit, (element) => element);
    while (!(await cleared.next()).done);
    return sum;
  }

  async strays(options: StraysOptions | undefined): Promise<{ count: number; ids: RedisArgument[] }> {
    const { count: most = STRAYS_NAMED } = knownOptions(options, ['count']);
    const found = await this.each((node) => node.session.strays({ count: most }));
    const count = found.reduce((sum, each) => sum + Number(each.count), 0);
    return { count, ids: found.flatMap(({ ids }) => ids).slice(0, most) };
  }
}
