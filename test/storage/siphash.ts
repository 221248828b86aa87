/** SipHash-c-d in BigInt, straight from the paper, to check the engine's against. */
const MASK = (1n << 64n) - 1n;
const rotate = (value: bigint, by: bigint): bigint => ((value << by) | (value >> (64n - by))) & MASK;

export function sipHash(compress: number, finalize: number, k0: bigint, k1: bigint, data: Uint8Array): bigint {
  let [v0, v1, v2, v3] = [k0 ^ 0x736f6d6570736575n, k1 ^ 0x646f72616e646f6dn, k0 ^ 0x6c7967656e657261n, k1 ^ 0x7465646279746573n];
  const rounds = (count: number): void => {
    for (let round = 0; round < count; round++) {
      v0 = (v0 + v1) & MASK;
      v2 = (v2 + v3) & MASK;
      v1 = rotate(v1, 13n) ^ v0;
      v3 = rotate(v3, 16n) ^ v2;
      v0 = rotate(v0, 32n);
      v2 = (v2 + v1) & MASK;
      v0 = (v0 + v3) & MASK;
      v1 = rotate(v1, 17n) ^ v2;
      v3 = rotate(v3, 21n) ^ v0;
      v2 = rotate(v2, 32n);
    }
  };
  for (let at = 0; at <= data.length; at += 8) {
    let word = 0n;
    for (let byte = 0; byte < 8; byte++) word |= BigInt(data[at + byte] ?? 0) << BigInt(8 * byte);
    if (at + 8 > data.length) word |= BigInt(data.length & 255) << 56n;
    v3 ^= word;
    rounds(compress);
    v0 ^= word;
  }
  v2 ^= 0xffn;
  rounds(finalize);
  return v0 ^ v1 ^ v2 ^ v3;
}
