import { command, SortedTable, Table, now } from "redis-wasm/kit";

class Hold {
  constructor(public until: i64, public items: string[], public counts: i64[]) {}
}
class End {
  constructor(public at: i64, public id: string) {}
}
const free = new Table<string, i64>("free");
const holds = new Table<string, Hold>("holds");
const ends = new SortedTable<End, bool>("ends");

command("STOCK.ADD", "key:key item count:integer", add, "Adds to what is free of an item; with 0 it only tells");
function add(key: string, item: string, count: i64): i64 {
  for (const past of ends.in(key).range(new End(0, ""), new End(now() + 1, ""), i32.MAX_VALUE)) end(key, past.key.id, false);
  const left = free.in(key).add(item, count);
  if (left < 0) throw new Error(`OUTOFSTOCK ${item}: ${-left} missing`);
  return left;
}

command("STOCK.HOLD", "key:key id ms:integer (item count:integer) ...", hold, "Reserves all of these items, or none");
function hold(key: string, id: string, ms: i64, items: string[], counts: i64[]): void {
  if (ms < 1 || counts.some((count) => count < 1)) throw new Error("ms and counts must be over 0");
  for (let i = 0; i < items.length; i++) add(key, items[i], -counts[i]);
  if (holds.in(key).has(id)) throw new Error("HELD there is a reservation of this id");
  holds.in(key).set(id, new Hold(now() + ms, items, counts));
  ends.in(key).set(new End(now() + ms, id), true);
}

command("STOCK.END", "key:key id [SOLD]", end, "Ends a reservation: its items are sold, or else free again");
function end(key: string, id: string, sold: bool): bool {
  const held = holds.in(key).find(id);
  if (held == null || (sold && held.until <= now())) return false;
  for (let i = 0; i < held.items.length && !sold; i++) free.in(key).add(held.items[i], held.counts[i]);
  return ends.in(key).delete(new End(held.until, id)) && holds.in(key).delete(id);
}
