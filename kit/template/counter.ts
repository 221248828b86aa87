import { command, query, now, Table } from "redis-wasm/kit";

/**
 * What is stored for each key. A field that is added later has its initial value in what was stored before.
 */
class Counter {
  constructor(
    public count: i64 = 0,
    public lastAt: i64 = 0,
  ) {}
}

/** What lasts: saved, replicated, expiring by itself. Its name is what the data is found by. */
const counters = new Table<string, Counter>("counters");

command("COUNTER.ADD", "key:key [BY amount:integer] [TTL seconds:integer]", add, "Adds to a counter; the new count");
function add(key: string, amount: i64 = 1, seconds: i64 = 0): i64 {
  if (amount < 1) throw new Error("the amount must be at least 1");
  const counter = counters.get(key, new Counter());
  counter.count += amount;
  counter.lastAt = now();
  // Without a deadline it stays for good.
  counters.set(key, counter, seconds > 0 ? now() + seconds * 1000 : 0);
  return counter.count;
}

query("COUNTER.GET", "key:key", get, "The count so far, 0 where there is none");
function get(key: string): i64 {
  return counters.get(key, new Counter()).count;
}

query("COUNTER.TOTAL", "key:key ...", total, "The sum of counters");
function total(keys: string[]): i64 {
  let sum: i64 = 0;
  for (const key of keys) sum += get(key);
  return sum;
}
