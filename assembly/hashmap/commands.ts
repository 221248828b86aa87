/**
 * The table of the commands CUSTOM.*, each with what COMMAND DOCS tells of it. Their handlers are in
 * handlers/ and replication/.
 */
import { command } from "../base/register";
import { commandApply } from "./replication/apply";
import { commandCheck } from "./handlers/check";
import { commandExpire, commandPersist, commandPexpire, commandPttl, commandTtl } from "./handlers/deadlines";
import { commandClear, commandKeys, commandLen, commandMemory, commandScan } from "./handlers/keys";
import {
  commandAppend,
  commandDel,
  commandExists,
  commandGet,
  commandGetdel,
  commandIncrby,
  commandMget,
  commandMset,
  commandSet,
  commandStrlen,
} from "./handlers/values";

/** Registers the commands: 0, or how many of them the server refused. */
export function registerCommands(): i32 {
  const effect = command(
    changetype<usize>("custom.apply"),
    load<i32>(changetype<usize>(commandApply)),
    changetype<usize>("write effect no-monitor no-slowlog"),
    3,
    -5,
    changetype<usize>(`summary: Applies an effect of another CUSTOM command; for the replication stream and the append-only file
      complexity: O(n) in the bytes written
      since: 0.1.0
      keys: 3 RW UPDATE
      acl: @custom write dangerous`),
  );
  return effect + registerValues() + registerMany() + registerDeadlines() + registerKeys();
}

// Each row: name, handler's index in the table, flags, position of the first key, arity, description.

/** Reads and writes one value. */
function registerValues(): i32 {
  let refused = 0;
  refused += command(
    changetype<usize>("custom.set"),
    load<i32>(changetype<usize>(commandSet)),
    changetype<usize>("write deny-oom fast no-monitor no-slowlog"),
    1,
    -3,
    changetype<usize>(`summary: Sets a key to a value
      syntax: key:key value [NX|XX] [GET] [EX seconds:integer|PX milliseconds:integer|EXAT unix-time-seconds:unix-time|PXAT unix-time-milliseconds:unix-time|KEEPTTL]
      complexity: O(1)
      since: 0.1.0
      keys: 1 RW ACCESS UPDATE
      acl: @custom write fast`),
  );
  refused += command(
    changetype<usize>("custom.get"),
    load<i32>(changetype<usize>(commandGet)),
    changetype<usize>("readonly fast no-monitor no-slowlog"),
    1,
    2,
    changetype<usize>(`summary: Returns the value of a key
      syntax: key:key
      complexity: O(1)
      since: 0.1.0
      keys: 1 RO ACCESS
      acl: @custom read fast`),
  );
  refused += command(
    changetype<usize>("custom.getdel"),
    load<i32>(changetype<usize>(commandGetdel)),
    changetype<usize>("write fast no-monitor no-slowlog"),
    1,
    2,
    changetype<usize>(`summary: Returns the value of a key after deleting it
      syntax: key:key
      complexity: O(1)
      since: 0.1.0
      keys: 1 RW ACCESS DELETE
      acl: @custom write fast`),
  );
  refused += command(
    changetype<usize>("custom.strlen"),
    load<i32>(changetype<usize>(commandStrlen)),
    changetype<usize>("readonly fast no-monitor no-slowlog"),
    1,
    2,
    changetype<usize>(`summary: Returns the number of bytes of a value
      syntax: key:key
      complexity: O(1)
      since: 0.1.0
      keys: 1 RO
      acl: @custom read fast`),
  );
  refused += command(
    changetype<usize>("custom.incrby"),
    load<i32>(changetype<usize>(commandIncrby)),
    changetype<usize>("write deny-oom fast no-monitor no-slowlog"),
    1,
    3,
    changetype<usize>(`summary: Adds to the integer that a value spells
      syntax: key:key increment:integer
      complexity: O(1)
      since: 0.1.0
      keys: 1 RW ACCESS UPDATE
      acl: @custom write fast`),
  );
  refused += command(
    changetype<usize>("custom.append"),
    load<i32>(changetype<usize>(commandAppend)),
    changetype<usize>("write deny-oom fast no-monitor no-slowlog"),
    1,
    3,
    changetype<usize>(`summary: Appends to a value; an absent key is created
      syntax: key:key value
      complexity: O(n) in the length of the value
      since: 0.1.0
      keys: 1 RW INSERT
      acl: @custom write fast`),
  );
  return refused;
}

/** Values of several keys. */
function registerMany(): i32 {
  let refused = 0;
  refused += command(
    changetype<usize>("custom.mset"),
    load<i32>(changetype<usize>(commandMset)),
    changetype<usize>("write deny-oom no-monitor no-slowlog"),
    1,
    -3,
    changetype<usize>(`summary: Sets keys to values, all of them or none
      syntax: (key:key value ...)
      complexity: O(n) in the number of keys
      since: 0.1.0
      keys: 1..-1/2 OW UPDATE
      tips: request_policy:multi_shard response_policy:all_succeeded
      acl: @custom write slow`),
  );
  refused += command(
    changetype<usize>("custom.mget"),
    load<i32>(changetype<usize>(commandMget)),
    changetype<usize>("readonly fast no-monitor no-slowlog"),
    1,
    -2,
    changetype<usize>(`summary: Returns the values of keys
      syntax: key:key ...
      complexity: O(n) in the number of keys
      since: 0.1.0
      keys: 1..-1 RO ACCESS
      tips: request_policy:multi_shard
      acl: @custom read fast`),
  );
  refused += command(
    changetype<usize>("custom.del"),
    load<i32>(changetype<usize>(commandDel)),
    changetype<usize>("write fast no-monitor no-slowlog"),
    1,
    -2,
    changetype<usize>(`summary: Deletes keys
      syntax: key:key ...
      complexity: O(n) in the number of keys
      since: 0.1.0
      keys: 1..-1 RM DELETE
      tips: request_policy:multi_shard response_policy:agg_sum
      acl: @custom write fast`),
  );
  refused += command(
    changetype<usize>("custom.exists"),
    load<i32>(changetype<usize>(commandExists)),
    changetype<usize>("readonly fast no-monitor no-slowlog"),
    1,
    -2,
    changetype<usize>(`summary: Counts how many of the keys are there
      syntax: key:key ...
      complexity: O(n) in the number of keys
      since: 0.1.0
      keys: 1..-1 RO
      tips: request_policy:multi_shard response_policy:agg_sum
      acl: @custom read fast`),
  );
  return refused;
}

/** Deadlines. */
function registerDeadlines(): i32 {
  let refused = 0;
  refused += command(
    changetype<usize>("custom.expire"),
    load<i32>(changetype<usize>(commandExpire)),
    changetype<usize>("write fast no-monitor no-slowlog"),
    1,
    3,
    changetype<usize>(`summary: Sets the time to live of a key in seconds
      syntax: key:key seconds:integer
      complexity: O(1)
      since: 0.1.0
      keys: 1 RW UPDATE
      acl: @custom write fast`),
  );
  refused += command(
    changetype<usize>("custom.pexpire"),
    load<i32>(changetype<usize>(commandPexpire)),
    changetype<usize>("write fast no-monitor no-slowlog"),
    1,
    3,
    changetype<usize>(`summary: Sets the time to live of a key in milliseconds
      syntax: key:key milliseconds:integer
      complexity: O(1)
      since: 0.1.0
      keys: 1 RW UPDATE
      acl: @custom write fast`),
  );
  refused += command(
    changetype<usize>("custom.persist"),
    load<i32>(changetype<usize>(commandPersist)),
    changetype<usize>("write fast no-monitor no-slowlog"),
    1,
    2,
    changetype<usize>(`summary: Takes the time to live of a key away
      syntax: key:key
      complexity: O(1)
      since: 0.1.0
      keys: 1 RW UPDATE
      acl: @custom write fast`),
  );
  refused += command(
    changetype<usize>("custom.ttl"),
    load<i32>(changetype<usize>(commandTtl)),
    changetype<usize>("readonly fast no-monitor no-slowlog"),
    1,
    2,
    changetype<usize>(`summary: Returns the time to live of a key in seconds
      syntax: key:key
      complexity: O(1)
      since: 0.1.0
      keys: 1 RO ACCESS
      tips: nondeterministic_output
      acl: @custom read fast`),
  );
  refused += command(
    changetype<usize>("custom.pttl"),
    load<i32>(changetype<usize>(commandPttl)),
    changetype<usize>("readonly fast no-monitor no-slowlog"),
    1,
    2,
    changetype<usize>(`summary: Returns the time to live of a key in milliseconds
      syntax: key:key
      complexity: O(1)
      since: 0.1.0
      keys: 1 RO ACCESS
      tips: nondeterministic_output
      acl: @custom read fast`),
  );
  return refused;
}

/** All keys. */
function registerKeys(): i32 {
  let refused = 0;
  refused += command(
    changetype<usize>("custom.scan"),
    load<i32>(changetype<usize>(commandScan)),
    changetype<usize>("readonly no-monitor no-slowlog"),
    0,
    -2,
    changetype<usize>(`summary: Iterates over the keys
      syntax: cursor:integer [MATCH pattern:pattern] [COUNT count:integer]
      complexity: O(1) for each call, O(n) for all keys
      since: 0.1.0
      tips: nondeterministic_output request_policy:special response_policy:special
      acl: @custom read slow`),
  );
  refused += command(
    changetype<usize>("custom.keys"),
    load<i32>(changetype<usize>(commandKeys)),
    changetype<usize>("readonly no-monitor no-slowlog"),
    0,
    -1,
    changetype<usize>(`summary: Returns all keys, or those that match a pattern
      syntax: [pattern:pattern]
      complexity: O(n) in the number of keys
      since: 0.1.0
      tips: request_policy:all_shards nondeterministic_output_order
      acl: @custom read slow dangerous`),
  );
  refused += command(
    changetype<usize>("custom.len"),
    load<i32>(changetype<usize>(commandLen)),
    changetype<usize>("readonly fast"),
    0,
    1,
    changetype<usize>(`summary: Returns the number of keys
      complexity: O(1)
      since: 0.1.0
      tips: request_policy:all_shards response_policy:agg_sum
      acl: @custom read fast`),
  );
  refused += command(
    changetype<usize>("custom.clear"),
    load<i32>(changetype<usize>(commandClear)),
    changetype<usize>("write"),
    0,
    1,
    changetype<usize>(`summary: Deletes all keys
      complexity: O(n) in the number of keys
      since: 0.1.0
      tips: request_policy:all_shards response_policy:agg_sum
      acl: @custom write slow dangerous`),
  );
  refused += command(
    changetype<usize>("custom.memory"),
    load<i32>(changetype<usize>(commandMemory)),
    changetype<usize>("readonly fast no-monitor no-slowlog"),
    1,
    2,
    changetype<usize>(`summary: Returns the bytes of memory that a key takes
      syntax: key:key
      complexity: O(1)
      since: 0.1.0
      keys: 1 RO
      acl: @custom read fast`),
  );
  refused += command(
    changetype<usize>("custom.check"),
    load<i32>(changetype<usize>(commandCheck)),
    changetype<usize>("readonly"),
    0,
    1,
    changetype<usize>(`summary: Checks that all structures hold together
      complexity: O(n) in the number of keys
      since: 0.1.0
      tips: request_policy:all_shards response_policy:all_succeeded
      acl: @custom read slow dangerous`),
  );
  return refused;
}
