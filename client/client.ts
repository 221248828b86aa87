/**
 * What the adapters of this package ask of a client of node-redis, of createClient, createClientPool,
 * createCluster or createSentinel: text for its replies, and an answer in time for each call.
 */
import { ErrorReply, RESP_TYPES, TimeoutError } from '@redis/client';
import { ArgumentError, integer } from './arguments.ts';

const AS_TEXT = { [RESP_TYPES.MAP]: Map };

const NEEDED = 'a client of node-redis 6 is needed, and this one is of version 4 or earlier: npm install redis@6';

/** That of node-redis for a command that waits to be sent. */
const TIMEOUT_MS = 5000;
/** The longest time of a timer. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1;

/**
 * A connected client that has the module `N` of this package:
 * `createClient({ modules: { custom, session } })`.
 */
export type ClientWith<N extends 'custom' | 'session'> = Record<N, object> & {
  multi: (...given: never[]) => unknown;
  withTypeMapping: (...given: never[]) => unknown;
};

/** How long a call may take, and who is told of one that the server has not answered. */
interface Limit {
  timeout_ms: number;
  onFailure: () => void;
}

/** A client of node-redis, as far as it is used here. */
interface Given {
  multi: () => Record<string, object> & { exec: () => Promise<unknown> };
  withTypeMapping: (mapping: object) => Given;
  withCommandOptions?: (options: object) => Given;
  /** What the application has set for all commands. */
  _commandOptions?: object;
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
  return inTime(mapped(given as unknown as Given, timeout_ms), name, { timeout_ms, onFailure });
}

/** With text, and withdrawing in time what it has not sent yet. */
function mapped(client: Given, timeout_ms: number): Given {
  const { _commandOptions: options } = client;
  if (client.withCommandOptions === undefined) return client.withTypeMapping(AS_TEXT);
  return client.withCommandOptions({ ...options, timeout: timeout_ms, typeMapping: AS_TEXT });
}

interface InTime {
  /** The same for each primary of a cluster; of anything else, the client itself. */
  nodes: () => Promise<unknown[]>;
}

function inTime(client: Given, name: 'custom' | 'session', limit: Limit): InTime {
  const own = {
    [name]: namespaceInTime((client as unknown as Record<string, object>)[name] ?? {}, limit),
    multi: () => {
      const multi = client.multi();
      return { [name]: multi[name], exec: () => answer(() => multi.exec(), limit) };
    },
    nodes: async (): Promise<unknown[]> => {
      const { masters, nodeClient } = client;
      if (masters === undefined || typeof nodeClient !== 'function') return [own];
      const nodes = await answer(() => Promise.all(masters.map((node) => nodeClient.call(client, node))), limit);
      return nodes.map((node) => inTime(mapped(node, limit.timeout_ms), name, limit));
    },
  };
  return own;
}

function namespaceInTime(namespace: object, limit: Limit): object {
  return new Proxy(namespace, {
    get(target, method) {
      const member: unknown = Reflect.get(target, method, target);
      if (typeof member !== 'function') return member;
      return (...given: unknown[]) =>
        answer(() => Reflect.apply(member as (...given: unknown[]) => Promise<unknown>, target, given), limit);
    },
  });
}

/** What the call answers; a TimeoutError when that is not there in time. */
function answer<T>(call: () => Promise<T>, { timeout_ms, onFailure }: Limit): Promise<T> {
  return new Promise((resolve, reject) => {
    const fails = (error: Error): void => {
      clearTimeout(timer);
      if (!(error instanceof ErrorReply) && !(error instanceof ArgumentError)) onFailure();
      reject(error);
    };
    const timer = setTimeout(() => {
      fails(new TimeoutError(`the server has not answered within ${timeout_ms} ms; whether it has done this is not known`));
    }, timeout_ms);
    new Promise<T>((called) => {
      called(call());
    }).then((value) => {
      clearTimeout(timer);
      resolve(value);
    }, fails);
  });
}

/**
 * The clients of every primary of a cluster; of anything else, the client itself. `client`: what `asText` has
 * answered.
 */
export function nodesOf(client: unknown): Promise<unknown[]> {
  return (client as InTime).nodes();
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
