import { command, every, query, SortedTable, Table, now } from "redis-wasm/kit";

const HOUR: i64 = 3_600_000;
/** By hours since 1970 while the day lasts, then by days; in the key of the page. */
const hours = new SortedTable<i64, i64>("hours");
const days = new SortedTable<i64, i64>("days");
const pages = new Table<string, bool>("pages");
/** The last day that was begun here. */
const last = new Table<string, i64>("last");

command("ROLLUP.HIT", "page:key [BY count:integer] [AT ms:unix-time]", hit, "Counts hits of a page");
function hit(page: string, count: i64 = 1, ms: i64 = 0): void {
  if (count < 1) throw new Error("count must be over 0");
  hours.in(page).add((ms > 0 ? ms : now()) / HOUR, count);
  pages.set(page, true);
}

query("ROLLUP.DAY", "page:key day:integer", (page: string, day: i64): i64 => days.in(page).get(day, 0), "Hits of a day that is over");

// Whether a day is over is asked each second: an interval of a day would begin anew with each restart.
every(1000, rollUp);
function rollUp(): void {
  const today = now() / HOUR / 24;
  if (last.get("day", 0) == today) return;
  for (const page of pages.keys()) {
    for (const entry of hours.in(page).range(0, today * 24 - 1, i32.MAX_VALUE)) {
      days.in(page).add(entry.key / 24, entry.value);
      hours.in(page).delete(entry.key);
    }
    if (hours.in(page).size == 0) pages.delete(page);
  }
  last.set("day", today);
}
