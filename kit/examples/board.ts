import { command, query, Reply, SortedTable, Table } from "redis-wasm/kit";

/** Most points first, which is why they are negative here; then by name. */
class Place {
  constructor(public points: i64, public user: string) {}
}
const places = new SortedTable<Place, bool>("places");
const points = new Table<string, i64>("points");

command("BOARD.ADD", "key:key user points:integer", add, "Adds points to a user's, and answers the sum");
function add(key: string, user: string, more: i64): i64 {
  const sum = points.in(key).add(user, more);
  places.in(key).delete(new Place(more - sum, user));
  places.in(key).set(new Place(-sum, user), true);
  return sum;
}

query("BOARD.RANK", "key:key user", rank, "A user's place, 0 being the first");
function rank(key: string, user: string): Reply {
  if (!points.in(key).has(user)) return new Reply().null();
  return new Reply().integer(places.in(key).rank(new Place(-points.in(key).get(user, 0), user)));
}

query("BOARD.TOP", "key:key count:integer [FROM place:integer]", top, "Users and their points, from a place on");
function top(key: string, count: i32, from: i32 = 0): Reply {
  if (count < 0 || from < 0) throw new Error("count and place must not be below 0");
  const board = places.in(key);
  const first = board.at(from);
  const last = board.last();
  if (first == null || last == null) return new Reply().array(0);
  const found = board.range(first.key, last.key, count);
  const reply = new Reply().array(2 * found.length);
  for (const entry of found) reply.string(entry.key.user).integer(-entry.key.points);
  return reply;
}
