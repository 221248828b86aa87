/**
 * Commands that a cluster refuses while a slot moves: they are sent again, within a bound.
 *
 * node-redis' cluster client follows MOVED and ASK by itself, 16 times. What it hands to the caller at once:
 * TRYAGAIN, which a command with several keys gets while their slot is open; and the lack of the node that
 * an ASK has named, for it does not know a node before that owns a slot. Neither has done anything.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { wrapped } from './namespace.ts';

/** Eight waits in all: 10, 20, 40, … 1280 ms, together 2.55 s. */
const WAIT_MIN_MS = 10;
const WAIT_MAX_MS = 1280;

/** Whether a call was refused before anything was done, and may go another time. */
function isRefused(error: unknown): boolean {
  return error instanceof Error && /^(?:TRYAGAIN|Cannot find node) /.test(error.message);
}

/**
 * What the call answers, sent again while the cluster refuses it: 8 times at most, in 2.55 s. Then it rejects
 * with the last refusal.
 *
 * @param signal - aborted: it is not sent again
 */
export async function again<T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (let wait_ms = WAIT_MIN_MS; wait_ms <= WAIT_MAX_MS; wait_ms *= 2) {
    try {
      return await call();
    } catch (error) {
      if (!isRefused(error)) throw error;
      await delay(wait_ms);
      if (signal?.aborted) throw error;
    }
  }
  return call();
}

/**
 * The same namespace, whose calls are sent again while the cluster answers TRYAGAIN, as it does to commands
 * with several keys (`mGet`, `mSet`, `del`, `exists`, `assign`, `delUser` with `except`) while their slot
 * moves: 8 times at most, in 2.55 s; then they reject with TRYAGAIN. A command that was so refused has done
 * nothing. The adapters of this package do it by themselves.
 *
 * @param namespace - `client.custom` or `client.session`
 * @throws ArgumentError when it is neither
 * @example
 * const custom = withRetries(cluster.custom);
 * await custom.mSet({ '{cart}a': '1', '{cart}b': '2' });
 */
export function withRetries<T extends object>(namespace: T): T {
  return wrapped(namespace, (call) => again(() => call() as Promise<unknown>));
}
