/** Which slot of a cluster a key is in. */

export const SLOTS = 16_384;

/**
 * The slot of a key: CRC16 (XMODEM) of it, or of its hash tag, modulo 16384, as the Redis Cluster
 * specification has it. O(length).
 */
export function slotOf(key: string | Buffer): number {
  const bytes = Buffer.from(key);
  const open = bytes.indexOf('{');
  const close = bytes.indexOf('}', open + 1);
  return crc16(hasTag(open, close) ? bytes.subarray(open + 1, close) : bytes) % SLOTS;
}

/**
 * Whether a slot is that of a part of the key: of the text between its first `{` and the next `}`, if there
 * is any.
 */
export function isTagged(key: string): boolean {
  const open = key.indexOf('{');
  return hasTag(open, key.indexOf('}', open + 1));
}

function hasTag(open: number, close: number): boolean {
  return open >= 0 && close > open + 1;
}

/** Goes on from `crc`, the CRC of what is before these bytes. */
export function crc16(bytes: Uint8Array, crc = 0): number {
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? (crc << 1) & 0xffff : ((crc << 1) & 0xffff) ^ 0x1021;
  }
  return crc;
}
