/**
 * SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF"; one round for each 8 bytes, three at
 * the end): a keyed hash, so that nobody who does not know the key can choose byte strings that collide.
 */

/**
 * The 64-bit hash of `length` bytes under the key (k0, k1). Reads nothing outside of them. O(length).
 */
// prettier-ignore
export function hash(k0: u64, k1: u64, pointer: usize, length: u32): u64 {
  let v0 = k0 ^ 0x736f6d6570736575;
  let v1 = k1 ^ 0x646f72616e646f6d;
  let v2 = k0 ^ 0x6c7967656e657261;
  let v3 = k1 ^ 0x7465646279746573;
  const end = pointer + <usize>(length & ~7);
  for (let at = pointer; at != end; at += 8) {
    const word = load<u64>(at);
    v3 ^= word;
    v0 += v1; v1 = rotl(v1, 13) ^ v0; v0 = rotl(v0, 32);
    v2 += v3; v3 = rotl(v3, 16) ^ v2;
    v0 += v3; v3 = rotl(v3, 21) ^ v0;
    v2 += v1; v1 = rotl(v1, 17) ^ v2; v2 = rotl(v2, 32);
    v0 ^= word;
  }
  const last = (<u64>length << 56) | tail(pointer, length, end);
  v3 ^= last;
  v0 += v1; v1 = rotl(v1, 13) ^ v0; v0 = rotl(v0, 32);
  v2 += v3; v3 = rotl(v3, 16) ^ v2;
  v0 += v3; v3 = rotl(v3, 21) ^ v0;
  v2 += v1; v1 = rotl(v1, 17) ^ v2; v2 = rotl(v2, 32);
  v0 ^= last;
  v2 ^= 0xff;
  v0 += v1; v1 = rotl(v1, 13) ^ v0; v0 = rotl(v0, 32);
  v2 += v3; v3 = rotl(v3, 16) ^ v2;
  v0 += v3; v3 = rotl(v3, 21) ^ v0;
  v2 += v1; v1 = rotl(v1, 17) ^ v2; v2 = rotl(v2, 32);
  v0 += v1; v1 = rotl(v1, 13) ^ v0; v0 = rotl(v0, 32);
  v2 += v3; v3 = rotl(v3, 16) ^ v2;
  v0 += v3; v3 = rotl(v3, 21) ^ v0;
  v2 += v1; v1 = rotl(v1, 17) ^ v2; v2 = rotl(v2, 32);
  v0 += v1; v1 = rotl(v1, 13) ^ v0; v0 = rotl(v0, 32);
  v2 += v3; v3 = rotl(v3, 16) ^ v2;
  v0 += v3; v3 = rotl(v3, 21) ^ v0;
  v2 += v1; v1 = rotl(v1, 17) ^ v2; v2 = rotl(v2, 32);
  return v0 ^ v1 ^ v2 ^ v3;
}

/** The last `length % 8` bytes as a little-endian number. */
// prettier-ignore
@inline
function tail(pointer: usize, length: u32, end: usize): u64 {
  const rest = length & 7;
  if (!rest) return 0;
  if (length >= 8) return load<u64>(end + <usize>rest - 8) >> ((8 - <u64>rest) << 3);
  if (rest >= 4) {
    // The upper four bytes overlap the lower ones by 8 - rest bytes.
    const upper = <u64>load<u32>(pointer + <usize>rest - 4);
    return <u64>load<u32>(pointer) | (upper << ((<u64>rest - 4) << 3));
  }
  // 1: the same byte three times; 2: bytes 0, 1, 1; 3: bytes 0, 1, 2.
  const half = <u64>rest >> 1;
  const middle = <u64>load<u8>(pointer + <usize>half);
  const last = <u64>load<u8>(pointer + <usize>rest - 1);
  return <u64>load<u8>(pointer) | (middle << (half << 3)) | (last << ((<u64>rest - 1) << 3));
}
