/**
 * Random bytes for ids. Each refill draws a fresh key of 32 bytes from the server's cryptographic source and
 * expands it with ChaCha20 (RFC 8439): the server's own source hashes for every 32 bytes, which took a
 * quarter of a whole SESSION.CREATE. The key is wiped at once and a byte is handed out once, so what is in
 * memory tells nothing of ids that were minted.
 */
import { redis } from "../../base/redis";

const KEY_SIZE: u32 = 32;
const BLOCK_SIZE: u32 = 64;
const POOL_SIZE: u32 = 4096;
const ROUNDS: u32 = 20;

const pool: usize = memory.data(4096, 16);
const key: usize = memory.data(32, 16);
/** The first row of every block: "expand 32-byte k". */
const CONSTANT: usize = memory.data<u32>([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]);
let used: u32 = 4096;

/** Moves 16 random bytes to `target`. */
export function take16(target: usize): void {
  if (used == POOL_SIZE) refill();
  const source = pool + used;
  used += 16;
  v128.store(target, v128.load(source));
  v128.store(source, i64x2.splat(0));
}

function refill(): void {
  redis.GetRandomBytes(key, KEY_SIZE);
  for (let block: u32 = 0; block < POOL_SIZE / BLOCK_SIZE; block++) expand(block, pool + <usize>(block * BLOCK_SIZE));
  memory.fill(key, 0, KEY_SIZE);
  used = 0;
}

/**
 * Writes block number `counter` of the key's stream, with a nonce of zeros, 64 bytes, to `target`.
 *
 *     a  constant      a round works on all four columns at once; then the rows are turned, so that the
 *     b  key 0–15      diagonals are columns in the next round, and columns again in the one after it
 *     c  key 16–31
 *     d  counter 0 0 0
 */
function expand(counter: u32, target: usize): void {
  const a0 = v128.load(CONSTANT);
  const b0 = v128.load(key);
  const c0 = v128.load(key, 16);
  const d0 = i32x4.replace_lane(i32x4.splat(0), 0, counter);
  let a = a0;
  let b = b0;
  let c = c0;
  let d = d0;
  for (let round: u32 = 0; round < ROUNDS; round++) {
    a = i32x4.add(a, b);
    d = rotl16(v128.xor(d, a));
    c = i32x4.add(c, d);
    b = rotl(v128.xor(b, c), 12);
    a = i32x4.add(a, b);
    d = rotl8(v128.xor(d, a));
    c = i32x4.add(c, d);
    b = rotl(v128.xor(b, c), 7);
    // The diagonals become columns, and in the next round columns again.
    const isOdd = round & 1;
    const first = isOdd ? d : b;
    const second = isOdd ? b : d;
    const left = v128.shuffle<u32>(first, first, 1, 2, 3, 0);
    const right = v128.shuffle<u32>(second, second, 3, 0, 1, 2);
    b = isOdd ? right : left;
    c = v128.shuffle<u32>(c, c, 2, 3, 0, 1);
    d = isOdd ? left : right;
  }
  v128.store(target, i32x4.add(a, a0));
  v128.store(target, i32x4.add(b, b0), 16);
  v128.store(target, i32x4.add(c, c0), 32);
  v128.store(target, i32x4.add(d, d0), 48);
}

// prettier-ignore
@inline
function rotl(value: v128, bits: i32): v128 {
  return v128.or(i32x4.shl(value, bits), i32x4.shr_u(value, 32 - bits));
}

// prettier-ignore
@inline
function rotl16(value: v128): v128 {
  return i8x16.shuffle(value, value, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
}

// prettier-ignore
@inline
function rotl8(value: v128): v128 {
  return i8x16.shuffle(value, value, 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14);
}
