/** New ids in a given slot of a cluster. */
import { randomBytes } from 'node:crypto';
import { crc16, SLOTS } from '../cluster/slots.ts';

const ID_BYTES = 24;
/** Characters from 0-9 and a-z: enough of them for each slot. */
const END_LENGTH = 4;

export interface ClusterOptions {
  /** What node-redis puts before keys, and not before ids. */
  keyPrefix: string | Buffer;
}

/** What concerns slots of a client of createCluster; undefined of any other. */
export function clusterOf(client: unknown): ClusterOptions | undefined {
  const { masters, nodeClient, _keyPrefix } = client as { masters?: unknown; nodeClient?: unknown; _keyPrefix?: string | Buffer };
  if (masters === undefined || typeof nodeClient !== 'function') return undefined;
  return { keyPrefix: _keyPrefix ?? '' };
}

/** A session id of 192 random bits: 32 visible ASCII characters. */
export function randomSid(): string {
  return randomBytes(ID_BYTES).toString('base64url');
}

/**
 * A session id of 192 random bits and an end of four characters that puts `prefix + id` into this slot. The
 * prefix has no `{`. O(1), but the first call looks for the ends: some tens of ms.
 * @param slot - 0 to 16383
 */
export function sidIn(slot: number, prefix: string): string {
  ends ??= endsOfSlots();
  const start = randomSid();
  // A CRC is linear: that of the whole is that of the start with zeros in the end's place, and that of the
  // end alone, by XOR.
  const before = crc16(Buffer.alloc(END_LENGTH), crc16(Buffer.from(prefix + start)));
  return start + endText(ends[(before ^ slot) % SLOTS] ?? 0);
}

let ends: Uint32Array | undefined;

/** For each slot the number of an end that is in it by itself. */
function endsOfSlots(): Uint32Array {
  const found = new Uint32Array(SLOTS);
  const missing = new Set(found.keys());
  for (let n = 0; missing.size > 0; n++) {
    const slot = crc16(Buffer.from(endText(n))) % SLOTS;
    if (missing.delete(slot)) found[slot] = n;
  }
  return found;
}

function endText(n: number): string {
  return n.toString(36).padStart(END_LENGTH, '0');
}
