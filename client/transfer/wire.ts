/**
 * A connection that speaks in bytes: commands as lists of arguments, replies as the protocol has them, with
 * Buffers for bulk strings.
 */
import { createClient, RESP_TYPES, type RedisArgument, type RedisClientOptions } from '@redis/client';
import { whole } from '../replies.ts';

/** A reply: Buffers are bulk strings, strings are statuses. */
export type Reply = Buffer | string | number | null | Reply[];

/**
 * What can be done on a connection. Calls that are not waited for go out together. Each rejects with a
 * WireError.
 */
export interface Wire {
  /** Sends one command, of any number of arguments. */
  call: (command: RedisArgument[]) => Promise<Reply>;
  /** Runs the commands in one transaction; their replies. */
  atOnce: (commands: RedisArgument[][]) => Promise<Reply[]>;
  close: () => void;
}

/** What a server answered, or why it could not be asked. */
export class WireError extends Error {
  override readonly name: string = 'WireError';
  /** The server's own words. */
  readonly reply: string;

  constructor(server: string, cause: unknown) {
    const reply = cause instanceof Error ? cause.message || cause.name : String(cause);
    super(`${server}: ${reply}`, { cause });
    this.reply = reply;
  }
}

/** A reply without an error in it, at any depth: throws the first. */
function checked(reply: Reply): Reply {
  if (Array.isArray(reply)) whole(reply).forEach(checked);
  return reply;
}

/**
 * Connects in RESP2, without trying again: a transfer that loses its connection ends, and can be run again.
 * `name`: for errors.
 */
export async function connect(name: string, options: RedisClientOptions): Promise<Wire> {
  const failed = (cause: unknown): never => {
    throw new WireError(name, cause);
  };
  const socket = { ...options.socket, reconnectStrategy: false } as RedisClientOptions['socket'];
  const client = createClient({ ...options, RESP: 2, socket });
  // The calls that it rejects tell of it.
  client.on('error', () => undefined);
  await client.connect().catch(failed);
  const bytes = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  const call = (command: RedisArgument[]) => bytes.sendCommand<Reply>(command).then(checked).catch(failed);
  return {
    call,
    // By hand: node-redis' own transactions answer text whatever the mapping of types.
    atOnce: async (commands) => {
      const queued = [call(['MULTI']), ...commands.map(call)];
      const [executed, ...others] = await Promise.allSettled([call(['EXEC']), ...queued]);
      const rejected = others.find((outcome) => outcome.status === 'rejected') ?? executed;
      if (rejected.status === 'rejected') throw rejected.reason;
      return (executed as PromiseFulfilledResult<Reply[]>).value;
    },
    close: () => {
      client.destroy();
    },
  };
}
