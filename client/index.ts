/**
 * The commands CUSTOM.* and SESSION.* for node-redis, typed.
 *
 * @example
 * import { createClient } from 'redis';
 * import { custom, session } from 'redis-wasm';
 *
 * const client = await createClient({ modules: { custom, session } }).connect();
 * const { id } = await client.session.create('alice', { idle: 1800 });
 */
import { refuseEarlierClients } from './client.ts';
import custom from './custom/index.ts';
import session from './session/index.ts';

refuseEarlierClients({ custom, session });

export { custom, session };
export { withRetries } from './again.ts';
export { ArgumentError, type Fields, type Value } from './arguments.ts';
export {
  IdExistsError,
  MaxSessionsError,
  NotLoadedError,
  OutOfMemoryError,
  SessionNotFoundError,
  typedError,
  VersionError,
  withTypedErrors,
} from './errors.ts';
export { clusterWide, type ClusterWide, type ClusterWideOptions } from './cluster.ts';
export { scanIterator, type ScanOptions } from './scan.ts';
export type { SetOptions } from './custom/SET.ts';
export type { Created, CreateOptions } from './session/CREATE.ts';
export type { DelUserOptions } from './session/DELUSER.ts';
export type { Session } from './session/GET.ts';
export type { SessionInfo } from './session/INFO.ts';
export type { ListedSession } from './session/LIST.ts';
export type { RotateOptions } from './session/ROTATE.ts';
export type { StraysOptions } from './session/STRAYS.ts';
