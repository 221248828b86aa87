import { command, query, setting, Table, now, type Bytes } from "redis-wasm/kit";

/** HyperLogLog: so many bytes for each day, for counts with a standard error of 1.6 %. */
const REGISTERS: i32 = 4096;
const DAY: i64 = 86_400_000;
const kept = setting("days", 90, 1, 3650);
const days = new Table<i64, Bytes>("days");

command("VISITS.ADD", "key:key visitor ...", add, "Notes visitors of today, UTC");
function add(key: string, visitors: Bytes[]): void {
  const day = now() / DAY;
  const sketch = days.in(key).get(day, new Uint8Array(REGISTERS));
  for (const visitor of visitors) {
    const hash = hashOf(visitor);
    const at = i32(hash % REGISTERS);
    sketch[at] = max(sketch[at], u8(clz(hash) + 1));
  }
  days.in(key).set(day, sketch, (day + kept.value) * DAY);
}

query("VISITS.COUNT", "key:key days:integer", count, "About how many came in so many days, today included");
function count(key: string, last: i64): i64 {
  const union = new Uint8Array(REGISTERS);
  for (let back: i64 = 0; back < min(last, kept.value); back++) {
    const sketch = days.in(key).get(now() / DAY - back, new Uint8Array(REGISTERS));
    for (let at = 0; at < REGISTERS; at++) union[at] = max(union[at], sketch[at]);
  }
  let sum: f64 = 0, empty: f64 = 0;
  for (const register of union) sum += Math.pow(2, -f64(register));
  for (const register of union) empty += f64(register == 0);
  const m: f64 = REGISTERS;
  const raw = ((0.7213 / (1 + 1.079 / m)) * m * m) / sum;
  return i64(Math.round(raw < 2.5 * m && empty > 0 ? m * Math.log(m / empty) : raw));
}

function hashOf(bytes: Bytes): u64 {
  let hash: u64 = 0xcbf29ce484222325;
  for (const byte of bytes) hash = (hash ^ byte) * 0x100000001b3;
  return (hash ^ (hash >> 32)) * 0xd6e8feb86659fd93;
}
