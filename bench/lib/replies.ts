/** How long replies are, in bytes: every reply of a measured command has the same length. */

const ID_BYTES = 36;

/** `+OK`. */
export const OK_BYTES = '+OK\r\n'.length;

/** A bulk string of `length` bytes. */
export function bulkBytes(length: number): number {
  return `$${length}\r\n`.length + length + '\r\n'.length;
}

/** A reply of SESSION.CREATE: its words, then the id. */
export function createBytes(words: 'Session created' | 'Session exists'): number {
  return `+${words}: \r\n`.length + ID_BYTES;
}
