/** What the server says of the running command and of itself. */
import { ContextFlags, redis } from "./redis";

/** Whether the running command comes from the primary or a file, which say themselves what has expired. */
export function repeatsDecisions(): bool {
  return (redis.GetContextFlags() & (ContextFlags.REPLICATED | ContextFlags.LOADING)) != 0;
}

/** What isClustered answers: a process does not change it. UNKNOWN: not asked yet. */
const UNKNOWN: i32 = -1;
let clustered: i32 = UNKNOWN;

/** Whether this server is a node of a cluster. */
export function isClustered(): bool {
  if (clustered == UNKNOWN) clustered = redis.GetContextFlags() & ContextFlags.CLUSTER;
  return clustered != 0;
}

/** Whether this server is a replica. */
export function isReplica(): bool {
  return (redis.GetContextFlags() & ContextFlags.REPLICA) != 0;
}
