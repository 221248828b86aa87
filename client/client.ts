/**
 * What the adapters of this package ask of a client of node-redis, of createClient, createClientPool,
 * createCluster or createSentinel: text for its replies, and an answer in time for each call.
 */
import { RESP_TYPES } from '@redis/client';
import { again } from './again.ts';
import { ArgumentError, integer } from './arguments.ts';
import { walk } from './cluster/walk.ts';
import type { RedisArgument } from './command.ts';
import { Deadlines, TIMEOUT_MAX_MS, type Deadline, type Limit } from './deadline.ts';

const AS_TEXT = { [RESP_TYPES.MAP]: Map };

const NEEDED = 'a client of node-redis 6 is needed, and this one is of version 4 or earlier: npm install redis@6';

/** That of node-redis for a command that waits to be sent. */
const TIMEOUT_MS = 5000;

/**
 * A connected client that has the module `N` of this package:
 * `createClient({ modules: { custom, session } })`.
 */
export type ClientWith<N extends 'custom' | 'session'> = Record<N, object> & {
  multi: (...given: never[]) => unknown;
  withTypeMapping: (...given: never[]) => unknown;
};

/** A client of node-redis, as far as it is used here. */
interface Given extends Partial<Record<string, unknown>> {
  multi: () => Record<string, object> & { exec: () => Promise<unknown> };
  withTypeMapping: (mapping: object) => Given;
  withCommandOptions?: (options: object) => Given;
  /** What the application has set for all commands. */
  _commandOptions?: { abortSignal?: AbortSignal };
  /** Of a cluster. */
  masters?: readonly unknown[];
  nodeClient?: (node: unknown) => Promise<Given>;
}

/**
 * The same connection, with text for bulk strings and Maps for maps, whatever the client itself is set to. A
 * call rejects when the server has not answered in time, as when it is away: a client alone would wait for
 * it, some kinds for ever.
 *
 * @param timeout - ms that one command may take; by default 5000
 * @param onFailure - called when a call has failed otherwise than by an error reply
 * @throws ArgumentError when it is no such client, or no such time
 */
export function asText(
  client: unknown,
  name: 'custom' | 'session',
  timeout: unknown = TIMEOUT_MS,
  onFailure = (): void => undefined,
): unknown {
  const given = client as Partial<Record<string, unknown>> | null | undefined;
  const namespace = given?.[name] as Record<string, unknown> | undefined;
  if (typeof namespace?.scan !== 'function') {
    throw new ArgumentError('options.client', `a client of node-redis with this package's module: createClient({ modules: { ${name} } })`);
  }
  if (typeof given?.withTypeMapping !== 'function') {
    throw new ArgumentError('options.client', NEEDED);
  }
  const timeout_ms = Number(integer('options.timeout', timeout, 1));
  if (timeout_ms > TIMEOUT_MAX_MS) throw new ArgumentError('options.timeout', `at most ${TIMEOUT_MAX_MS} ms, not ${timeout_ms}`);
  return inTime(given as unknown as Given, name, { timeout_ms, onFailure });
}

interface InTime {
  /** The same for each primary of a cluster; of anything else, the client itself. */
  nodes: () => Promise<unknown[]>;
  /** Everything that all nodes hold, as `walk` says. */
  walk: <T>(visit: (node: unknown) => AsyncIterable<T[]>, keyOf: (element: T) => RedisArgument) => AsyncGenerator<T[], void, void>;
}

function inTime(client: Given, name: 'custom' | 'session', limit: Limit): InTime {
  const calls = new Calls(client, name, limit);
  const own: InTime & Record<string, unknown> = {
    [name]: calls.namespace(),
    multi: () => {
      const multi = calls.client().multi();
      return { [name]: multi[name], exec: () => calls.answer(() => multi.exec()) };
    },
    nodes: async (): Promise<unknown[]> => {
      const { masters, nodeClient } = client;
      if (masters === undefined || typeof nodeClient !== 'function') return [own];
      const nodes = await calls.answer(() => Promise.all(masters.map((node) => nodeClient.call(client, node))));
      return nodes.map((node) => inTime(node, name, limit));
    },
    walk: <T>(visit: (node: unknown) => AsyncIterable<T[]>, keyOf: (element: T) => RedisArgument) =>
      walk<Given, T>(client, {
        visit: (node) => visit(node === client ? own : inTime(node, name, limit)),
        keyOf,
        timeout_ms: limit.timeout_ms,
      }),
  };
  return own;
}

type Method = (...given: unknown[]) => Promise<unknown>;
type Namespace = Record<string, Method>;

/** The calls of a client, each with its deadline. */
class Calls {
  readonly #given: Given;
  readonly #name: string;
  readonly #deadlines: Deadlines;
  #deadline: Deadline | undefined;
  #client: Given;
  #namespace: Namespace;

  constructor(given: Given, name: string, limit: Limit) {
    this.#given = given;
    this.#name = name;
    this.#deadlines = new Deadlines({ ...limit, abortSignal: given._commandOptions?.abortSignal });
    [this.#client, this.#namespace] = [given, given[name] as Namespace];
  }

  /** With text, and withdrawing what it has not sent when the deadline passes. */
  client(): Given {
    this.#next();
    return this.#client;
  }

  /** Sent again while a slot of the cluster moves, as `again` says. */
  answer<T>(call: () => Promise<T>): Promise<T> {
    const deadline = this.#next();
    return deadline.answer(() => again(call, deadline.signal));
  }

  namespace(): object {
    const methods = new Map<string | symbol, unknown>();
    return new Proxy(this.#namespace, {
      get: (target, method) => {
        const known = methods.get(method);
        if (known !== undefined) return known;
        const member: unknown = Reflect.get(target, method, target);
        if (typeof member !== 'function') return member;
        const call = (...given: unknown[]) =>
          this.answer(() => {
            const current = Reflect.get(this.#namespace, method) as Method;
            return current.apply(this.#namespace, given);
          });
        methods.set(method, call);
        return call;
      },
    });
  }

  #next(): Deadline {
    const deadline = this.#deadlines.next();
    if (deadline === this.#deadline) return deadline;
    this.#deadline = deadline;
    this.#client = withdrawing(this.#given, deadline.signal);
    this.#namespace = this.#client[this.#name] as Namespace;
    return deadline;
  }
}

/** With text, and a signal that withdraws what has not been sent. */
function withdrawing(client: Given, signal: AbortSignal): Given {
  const { _commandOptions: options } = client;
  if (client.withCommandOptions === undefined) return client.withTypeMapping(AS_TEXT);
  return client.withCommandOptions({ ...options, timeout: undefined, abortSignal: signal, typeMapping: AS_TEXT });
}

/**
 * The clients of every primary of a cluster; of anything else, the client itself. `client`: what `asText` has
 * answered.
 */
export function nodesOf(client: unknown): Promise<unknown[]> {
  return (client as InTime).nodes();
}

/**
 * Everything that the primaries of a cluster hold, or the server of anything else. `client`: what `asText`
 * has answered; so is what `visit` gets of each node. `keyOf`: the key whose slot an element is in.
 */
export function everywhere<T>(
  client: unknown,
  visit: (node: unknown) => AsyncIterable<T[]>,
  keyOf: (element: T) => RedisArgument,
): AsyncGenerator<T[], void, void> {
  return (client as InTime).walk(visit, keyOf);
}

/**
 * Has node-redis 4, which asks commands for their arguments by another name, reject each of these with what
 * is needed.
 */
export function refuseEarlierClients(modules: Readonly<Record<string, Readonly<Record<string, object>>>>): void {
  for (const [name, commands] of Object.entries(modules)) {
    const refuse = () => {
      throw new ArgumentError(`modules.${name}`, NEEDED);
    };
    for (const command of new Set(Object.values(commands))) Object.defineProperty(command, 'transformArguments', { value: refuse });
  }
}
