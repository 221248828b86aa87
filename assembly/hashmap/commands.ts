/** The commands CUSTOM.*: the table of them first, then a handler for each. */
import { keyLength, keyOf } from "../storage/entry";
import { argument, argumentLength, OK, REPLIED } from "../frame";
import { redis } from "../redis";
import { command } from "../register";
import { deleteValue, getValue, setValue, table } from "./store";
import { commandCheck } from "./check";

/** Registers the commands: 0, or how many of them the server refused. */
export function registerCommands(): i32 {
  let refused = 0;
  // name, handler's index in the table, flags, position of the key, arity
  refused += command(
    changetype<usize>("custom.set"),
    load<i32>(changetype<usize>(commandSet)),
    changetype<usize>("write deny-oom fast no-monitor no-slowlog"),
    1,
    3,
  );
  refused += command(
    changetype<usize>("custom.get"),
    load<i32>(changetype<usize>(commandGet)),
    changetype<usize>("readonly fast no-monitor no-slowlog"),
    1,
    2,
  );
  refused += command(
    changetype<usize>("custom.del"),
    load<i32>(changetype<usize>(commandDel)),
    changetype<usize>("write fast no-monitor no-slowlog"),
    1,
    2,
  );
  refused += command(
    changetype<usize>("custom.exists"),
    load<i32>(changetype<usize>(commandExists)),
    changetype<usize>("readonly fast no-monitor no-slowlog"),
    1,
    2,
  );
  refused += command(changetype<usize>("custom.keys"), load<i32>(changetype<usize>(commandKeys)), changetype<usize>("readonly"), 0, 1);
  refused += command(changetype<usize>("custom.check"), load<i32>(changetype<usize>(commandCheck)), changetype<usize>("readonly"), 0, 1);
  return refused;
}

/** `CUSTOM.SET key value` → `+OK`. O(key + value). */
function commandSet(argc: i32, argv: usize): u64 {
  setValue(argument(argv, 0), argumentLength(argv, 0), argument(argv, 1), argumentLength(argv, 1), true);
  return OK;
}

/** `CUSTOM.GET key` → the value, or null. O(key + value). */
function commandGet(argc: i32, argv: usize): u64 {
  return getValue(argument(argv, 0), argumentLength(argv, 0));
}

/** `CUSTOM.DEL key` → `:1`, or `:0` when the key was absent. O(key). */
function commandDel(argc: i32, argv: usize): u64 {
  redis.ReplyWithLongLong(<i64>deleteValue(argument(argv, 0), argumentLength(argv, 0), true));
  return REPLIED;
}

/** `CUSTOM.EXISTS key` → `:1` or `:0`. O(key). */
function commandExists(argc: i32, argv: usize): u64 {
  redis.ReplyWithLongLong(table.find(argument(argv, 0), argumentLength(argv, 0)) ? 1 : 0);
  return REPLIED;
}

/** `CUSTOM.KEYS` → all keys, in no particular order. O(entries). */
function commandKeys(argc: i32, argv: usize): u64 {
  redis.ReplyWithArray(<i64>table.count);
  let cursor: u64 = 0;
  do {
    table.seek(cursor);
    for (let entry = table.next(); entry; entry = table.next()) redis.ReplyWithStringBuffer(keyOf(entry), keyLength(entry));
    cursor = table.cursor;
  } while (cursor);
  return REPLIED;
}
