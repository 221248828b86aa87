/** A seeded source of pseudo-random numbers: every run measures the same keys in the same order. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    // mulberry32 (Tommy Ettinger, public domain).
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** The key number `index`: 16 bytes. */
export function keyName(index: number): string {
  return `key:${String(index).padStart(12, '0')}`;
}

/** A value of `length` bytes. */
export function valueOf(length: number): string {
  return 'v'.repeat(length);
}
