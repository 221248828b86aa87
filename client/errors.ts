/**
 * The server's errors as classes. node-redis hands a command's error reply to the caller before the command's
 * own code sees it, so that they are made of it afterwards: by `typedError` where an error is caught, or by
 * `withTypedErrors` for all calls of a namespace.
 */
import { ErrorReply, MultiErrorReply } from '@redis/client';
import { ArgumentError } from './arguments.ts';
import { wrapped } from './namespace.ts';

/** The session is unknown: it never was, it has expired, or it was ended. A new one is needed. */
export class SessionNotFoundError extends ErrorReply {
  override readonly name: string = 'SessionNotFoundError';
  /** The id, as the server tells it: cut at 128 bytes, control characters as blanks. */
  readonly id: string;

  constructor(reply: Error, id: string) {
    super(reply.message, { cause: reply });
    this.id = id;
  }
}

/**
 * Somebody else has changed the session's data: read it again, and try with the current version. Nothing was
 * stored.
 */
export class VersionError extends ErrorReply {
  override readonly name: string = 'VersionError';
  /** The version that the session's data has now. */
  readonly current: number;

  constructor(reply: Error, current: number) {
    super(reply.message, { cause: reply });
    this.current = current;
  }
}

/** The user has as many sessions as may be. No session was created. */
export class MaxSessionsError extends ErrorReply {
  override readonly name: string = 'MaxSessionsError';
  /** The user key, as the server tells it: cut at 128 bytes, control characters as blanks. */
  readonly user: string;
  /** How many live sessions the user has. */
  readonly sessions: number;

  constructor(reply: Error, user: string, sessions: number) {
    super(reply.message, { cause: reply });
    this.user = user;
    this.sessions = sessions;
  }
}

/** The id that the caller has made is that of a live session, or was until a moment ago. Make another one. */
export class IdExistsError extends ErrorReply {
  override readonly name: string = 'IdExistsError';

  constructor(reply: Error) {
    super(reply.message, { cause: reply });
  }
}

/** The server has no memory left for it. Nothing was stored. Reads and deletes go on. */
export class OutOfMemoryError extends ErrorReply {
  override readonly name: string = 'OutOfMemoryError';

  constructor(reply: Error) {
    super(reply.message, { cause: reply });
  }
}

/** The server does not serve these commands. */
export class NotLoadedError extends ErrorReply {
  override readonly name: string = 'NotLoadedError';

  constructor(reply: Error) {
    super(`${reply.message}. Load the module: start the server with --loadmodule <path>/host.so, or MODULE LOAD <path>/host.so`, {
      cause: reply,
    });
  }
}

/**
 * The error of its own class that a server's error reply stands for: SessionNotFoundError, VersionError,
 * MaxSessionsError, IdExistsError, OutOfMemoryError, NotLoadedError. All are ErrorReply too, with the reply
 * as their `cause`. In node-redis' MultiErrorReply its `replies` are made so. Anything else is answered as it
 * is.
 *
 * @example
 * try {
 *   await client.session.cas(id, version, { cart });
 * } catch (error) {
 *   const typed = typedError(error);
 *   if (typed instanceof VersionError) console.log(`the version is ${typed.current}`);
 *   else throw typed;
 * }
 */
export function typedError(error: unknown): unknown {
  if (error instanceof MultiErrorReply) {
    error.replies = error.replies.map((reply) => typedError(reply) as ErrorReply);
    return error;
  }
  // By its message: a second copy of the client's package has error classes of its own.
  if (!(error instanceof Error) || error instanceof ArgumentError || isTyped(error)) return error;
  return ofMessage(error) ?? error;
}

function isTyped(error: Error): boolean {
  return [SessionNotFoundError, VersionError, MaxSessionsError, IdExistsError, OutOfMemoryError, NotLoadedError].some(
    (type) => error instanceof type,
  );
}

function ofMessage(reply: Error): Error | undefined {
  const { message } = reply;
  const notFound = /^Session not found: (.*)$/s.exec(message);
  if (notFound) return new SessionNotFoundError(reply, notFound[1] ?? '');
  const version = /^VERSION is (\d+)$/.exec(message);
  if (version) return new VersionError(reply, Number(version[1]));
  const sessions = /^MAXSESSIONS (.*) has (\d+) sessions?$/s.exec(message);
  if (sessions) return new MaxSessionsError(reply, sessions[1] ?? '', Number(sessions[2]));
  if (message.startsWith('IDEXISTS ')) return new IdExistsError(reply);
  if (message.startsWith('OOM ')) return new OutOfMemoryError(reply);
  if (/^ERR unknown command ['`](?:custom|session)\./i.test(message)) return new NotLoadedError(reply);
  return undefined;
}

/**
 * The same namespace, whose calls reject with errors of their own classes.
 *
 * @param namespace - `client.custom` or `client.session`
 * @example
 * const session = withTypedErrors(client.session);
 * await session.addData(id, 'theme', 'dark').catch((error) => {
 *   if (error instanceof SessionNotFoundError) return login();
 *   throw error;
 * });
 */
export function withTypedErrors<T extends object>(namespace: T): T {
  return wrapped(namespace, (call) => {
    const reply = call();
    if (!(reply instanceof Promise)) return reply;
    return reply.catch((error: unknown) => {
      throw typedError(error);
    });
  });
}
