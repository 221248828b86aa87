/** SHA-256 (FIPS 180-4), HMAC (RFC 2104), and comparing in constant time. */
import { take } from "../memory/arena";

const BLOCK_BYTES: i32 = 64;
const DIGEST_BYTES: i32 = 32;
/** Bytes of the end of a message: a bit, and its length. */
const END_BYTES: i32 = 9;

// prettier-ignore
const K: usize = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);
// prettier-ignore
const START: usize = memory.data<u32>([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);

const state: usize = memory.data(32, 8);
const words: usize = memory.data(256, 8);

/** The SHA-256 of these bytes, 32 bytes. */
export function sha256(data: Uint8Array): Uint8Array {
  memory.copy(state, START, DIGEST_BYTES);
  finish(data.dataStart, data.length, 0);
  return digest();
}

/** The HMAC-SHA-256 of these bytes under a key, 32 bytes. */
export function hmac(key: Uint8Array, data: Uint8Array): Uint8Array {
  const short = key.length > BLOCK_BYTES ? sha256(key) : key;
  const inner = keyed(short, 0x36, data.dataStart, data.length);
  return keyed(short, 0x5c, inner.dataStart, DIGEST_BYTES);
}

function keyed(key: Uint8Array, pad: u8, data: usize, length: i32): Uint8Array {
  const block = take(BLOCK_BYTES);
  memory.fill(block, pad, BLOCK_BYTES);
  for (let index = 0; index < key.length; index++) store<u8>(block + index, (<u8>key[index]) ^ pad);
  memory.copy(state, START, DIGEST_BYTES);
  compress(block);
  finish(data, length, BLOCK_BYTES);
  return digest();
}

/** Whether both are the same; how long it takes tells of their lengths alone. */
export function equal(a: Uint8Array, b: Uint8Array): bool {
  if (a.length != b.length) return false;
  let difference: u32 = 0;
  for (let index = 0; index < a.length; index++) difference |= a[index] ^ b[index];
  return !difference;
}

/** Compresses the bytes and the end of a message of which `before` bytes came before. */
function finish(data: usize, length: i32, before: i32): void {
  let at = data;
  let left = length;
  for (; left >= BLOCK_BYTES; left -= BLOCK_BYTES, at += BLOCK_BYTES) compress(at);
  const last = take(2 * BLOCK_BYTES);
  memory.fill(last, 0, 2 * BLOCK_BYTES);
  memory.copy(last, at, left);
  store<u8>(last + left, 0x80);
  const bytes = left + END_BYTES <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;
  store<u64>(last + bytes - 8, bswap<u64>((<u64>length + before) << 3));
  for (let block = 0; block < bytes; block += BLOCK_BYTES) compress(last + block);
}

function digest(): Uint8Array {
  const bytes = new Uint8Array(DIGEST_BYTES);
  for (let at: usize = 0; at < 32; at += 4) store<u32>(bytes.dataStart + at, bswap<u32>(load<u32>(state + at)));
  return bytes;
}

function compress(block: usize): void {
  for (let at: usize = 0; at < 64; at += 4) store<u32>(words + at, bswap<u32>(load<u32>(block + at)));
  for (let at: usize = 64; at < 256; at += 4) {
    const w15 = load<u32>(words + at - 60);
    const w2 = load<u32>(words + at - 8);
    const s0 = rotr(w15, 7) ^ rotr(w15, 18) ^ (w15 >> 3);
    const s1 = rotr(w2, 17) ^ rotr(w2, 19) ^ (w2 >> 10);
    store<u32>(words + at, load<u32>(words + at - 64) + s0 + load<u32>(words + at - 28) + s1);
  }
  let a = load<u32>(state);
  let b = load<u32>(state, 4);
  let c = load<u32>(state, 8);
  let d = load<u32>(state, 12);
  let e = load<u32>(state, 16);
  let f = load<u32>(state, 20);
  let g = load<u32>(state, 24);
  let h = load<u32>(state, 28);
  for (let at: usize = 0; at < 256; at += 4) {
    const s1 = rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25);
    const t1 = h + s1 + ((e & f) ^ (~e & g)) + load<u32>(K + at) + load<u32>(words + at);
    const s0 = rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22);
    const t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  add(0, a);
  add(4, b);
  add(8, c);
  add(12, d);
  add(16, e);
  add(20, f);
  add(24, g);
  add(28, h);
}

// prettier-ignore
@inline
function add(at: usize, value: u32): void {
  store<u32>(state + at, load<u32>(state + at) + value);
}
