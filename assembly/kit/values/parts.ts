/**
 * Parts of replies, as `redis.ReplyWithParts` takes them and `redisKeys.Call` answers them: a kind, a number,
 * and of texts so many bytes.
 */

/** Kinds of parts. */
export namespace Kind {
  export const BYTES: u32 = 0;
  export const NULL: u32 = 1;
  export const INTEGER: u32 = 2;
  export const STATUS: u32 = 3;
  /** Of what the server answers alone. */
  export const ERROR: u32 = 4;
  export const ARRAY: u32 = 6;
  export const MAP: u32 = 7;
  export const NUMBER: u32 = 10;
  export const SET: u32 = 11;
  export const BOOL: u32 = 12;
  export const BIG_NUMBER: u32 = 13;
}

/** Bytes of a kind and its number. */
export const HEAD_BYTES: u32 = 9;

/** The kind of the part that begins here. */
// prettier-ignore
@inline
export function kindAt(part: usize): u32 {
  return <u32>load<u8>(part);
}

/** Its number: a value, a length in bytes, or how many elements or pairs there are. */
// prettier-ignore
@inline
export function numberAt(part: usize): u64 {
  return load<u64>(part, 1);
}

/** Whether it is a text: a number of bytes follows. */
export function isText(kind: u32): bool {
  return kind == Kind.BYTES || kind == Kind.STATUS || kind == Kind.ERROR || kind == Kind.BIG_NUMBER;
}

/** Whether it holds others, one after the other. */
export function isContainer(kind: u32): bool {
  return kind == Kind.ARRAY || kind == Kind.MAP || kind == Kind.SET;
}

/** Where the part ends that begins here, with all that it holds. */
export function endOf(part: usize): usize {
  let due: u64 = 1;
  let at = part;
  while (due) {
    const kind = kindAt(at);
    const number = numberAt(at);
    due--;
    at += HEAD_BYTES;
    if (isText(kind)) at += <usize>number;
    else if (kind == Kind.MAP) due += number << 1;
    else if (isContainer(kind)) due += number;
  }
  return at;
}
