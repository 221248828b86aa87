import { command, SortedTable, now } from "redis-wasm/kit";

/** A hit that was let through: when, and how many were in its window already. */
class Hit {
  constructor(public at: i64, public number: i32) {}
}
const hits = new SortedTable<Hit, bool>("hits");

command("WINDOW.HIT", "key:key limit:integer window:integer", hit, "Lets a hit through, or says how many ms to wait");
function hit(key: string, limit: i32, window: i64): i64[] {
  if (limit < 1 || window < 1) throw new Error("limit and window must be over 0");
  const mine = hits.in(key);
  const start = new Hit(now() - window, i32.MAX_VALUE);
  const used = mine.count(start, new Hit(now(), i32.MAX_VALUE));
  if (used >= limit) {
    const blocking = mine.at(-limit);
    return [0, 0, blocking == null ? 0 : blocking.key.at + window - now()];
  }
  mine.set(new Hit(now(), used), true);
  mine.expireAt(now() + window);
  for (const old of mine.range(new Hit(0, 0), start)) mine.delete(old.key);
  return [1, limit - used - 1, 0];
}
