/** What the server says of the running command and of itself. */
import { ContextFlags, redis } from "./redis";

/** Whether the running command comes from the primary or a file, which say themselves what has expired. */
export function repeatsDecisions(): bool {
  return (redis.GetContextFlags() & (ContextFlags.REPLICATED | ContextFlags.LOADING)) != 0;
}

/** Whether the server was asked if it is a node of a cluster, which no process changes; and what it said. */
let isAsked: bool = false;
let clustered: bool = false;

/** Whether this server is a node of a cluster. */
export function isClustered(): bool {
  if (!isAsked) {
    clustered = (redis.GetContextFlags() & ContextFlags.CLUSTER) != 0;
    isAsked = true;
  }
  return clustered;
}

/** Whether this server is a replica. */
export function isReplica(): bool {
  return (redis.GetContextFlags() & ContextFlags.REPLICA) != 0;
}

/** Whether the running effect comes with slots of another node: each key that it names needs `MayAccess`. */
export function isConfined(): bool {
  return isClustered() && (redis.GetContextFlags() & ContextFlags.CONFINED) != 0;
}
