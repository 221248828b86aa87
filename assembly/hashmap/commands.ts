/**
 * The commands CUSTOM.*: of each what the server is told of it, in the words of docs/ABI.md, and its handler.
 * The handlers are in handlers/ and replication/.
 */
import { addCommand } from "../base/register";
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

const APPLY: usize = changetype<usize>(`name: custom.apply
flags: write effect no-monitor no-slowlog
arity: -5
summary: Applies an effect of another CUSTOM command; for the replication stream and the append-only file
complexity: O(n) in the bytes written
since: 0.1.0
keys: 3 RW UPDATE
acl: @custom write dangerous`);

const SET: usize = changetype<usize>(`name: custom.set
flags: write deny-oom fast no-monitor no-slowlog
summary: Sets a key to a value
syntax: key:key value [NX|XX] [GET] [EX seconds:integer|PX milliseconds:integer|EXAT unix-time-seconds:unix-time|PXAT unix-time-milliseconds:unix-time|KEEPTTL]
late: 2
complexity: O(1)
since: 0.1.0
keys: 1 RW ACCESS UPDATE
acl: @custom write fast`);

const GET: usize = changetype<usize>(`name: custom.get
flags: readonly fast no-monitor no-slowlog
summary: Returns the value of a key
syntax: key:key
complexity: O(1)
since: 0.1.0
keys: 1 RO ACCESS
acl: @custom read fast`);

const GETDEL: usize = changetype<usize>(`name: custom.getdel
flags: write fast no-monitor no-slowlog
summary: Returns the value of a key after deleting it
syntax: key:key
complexity: O(1)
since: 0.1.0
keys: 1 RW ACCESS DELETE
acl: @custom write fast`);

const STRLEN: usize = changetype<usize>(`name: custom.strlen
flags: readonly fast no-monitor no-slowlog
summary: Returns the number of bytes of a value
syntax: key:key
complexity: O(1)
since: 0.1.0
keys: 1 RO
acl: @custom read fast`);

const INCRBY: usize = changetype<usize>(`name: custom.incrby
flags: write deny-oom fast no-monitor no-slowlog
summary: Adds to the integer that a value spells
syntax: key:key increment:integer
complexity: O(1)
since: 0.1.0
keys: 1 RW ACCESS UPDATE
acl: @custom write fast`);

const APPEND: usize = changetype<usize>(`name: custom.append
flags: write deny-oom fast no-monitor no-slowlog
summary: Appends to a value; an absent key is created
syntax: key:key value
late: 2
complexity: O(n) in the length of the value
since: 0.1.0
keys: 1 RW INSERT
acl: @custom write fast`);

const MSET: usize = changetype<usize>(`name: custom.mset
flags: write deny-oom no-monitor no-slowlog
summary: Sets keys to values, all of them or none
syntax: (key:key value ...)
late: 2/2
complexity: O(n) in the number of keys
since: 0.1.0
keys: 1..-1/2 OW UPDATE
tips: request_policy:multi_shard response_policy:all_succeeded
acl: @custom write slow`);

const MGET: usize = changetype<usize>(`name: custom.mget
flags: readonly fast no-monitor no-slowlog
summary: Returns the values of keys
syntax: key:key ...
complexity: O(n) in the number of keys
since: 0.1.0
keys: 1..-1 RO ACCESS
tips: request_policy:multi_shard
acl: @custom read fast`);

const DEL: usize = changetype<usize>(`name: custom.del
flags: write fast no-monitor no-slowlog
summary: Deletes keys
syntax: key:key ...
complexity: O(n) in the number of keys
since: 0.1.0
keys: 1..-1 RM DELETE
tips: request_policy:multi_shard response_policy:agg_sum
acl: @custom write fast`);

const EXISTS: usize = changetype<usize>(`name: custom.exists
flags: readonly fast no-monitor no-slowlog
summary: Counts how many of the keys are there
syntax: key:key ...
complexity: O(n) in the number of keys
since: 0.1.0
keys: 1..-1 RO
tips: request_policy:multi_shard response_policy:agg_sum
acl: @custom read fast`);

const EXPIRE: usize = changetype<usize>(`name: custom.expire
flags: write fast no-monitor no-slowlog
summary: Sets the time to live of a key in seconds
syntax: key:key seconds:integer
complexity: O(1)
since: 0.1.0
keys: 1 RW UPDATE
acl: @custom write fast`);

const PEXPIRE: usize = changetype<usize>(`name: custom.pexpire
flags: write fast no-monitor no-slowlog
summary: Sets the time to live of a key in milliseconds
syntax: key:key milliseconds:integer
complexity: O(1)
since: 0.1.0
keys: 1 RW UPDATE
acl: @custom write fast`);

const PERSIST: usize = changetype<usize>(`name: custom.persist
flags: write fast no-monitor no-slowlog
summary: Takes the time to live of a key away
syntax: key:key
complexity: O(1)
since: 0.1.0
keys: 1 RW UPDATE
acl: @custom write fast`);

const TTL: usize = changetype<usize>(`name: custom.ttl
flags: readonly fast no-monitor no-slowlog
summary: Returns the time to live of a key in seconds
syntax: key:key
complexity: O(1)
since: 0.1.0
keys: 1 RO ACCESS
tips: nondeterministic_output
acl: @custom read fast`);

const PTTL: usize = changetype<usize>(`name: custom.pttl
flags: readonly fast no-monitor no-slowlog
summary: Returns the time to live of a key in milliseconds
syntax: key:key
complexity: O(1)
since: 0.1.0
keys: 1 RO ACCESS
tips: nondeterministic_output
acl: @custom read fast`);

const SCAN: usize = changetype<usize>(`name: custom.scan
flags: readonly no-monitor no-slowlog
summary: Iterates over the keys
syntax: cursor:integer [MATCH pattern:pattern] [COUNT count:integer]
complexity: O(1) for each call, O(n) for all keys
since: 0.1.0
tips: nondeterministic_output request_policy:special response_policy:special
acl: @custom read slow`);

const KEYS: usize = changetype<usize>(`name: custom.keys
flags: readonly no-monitor no-slowlog
summary: Returns all keys, or those that match a pattern
syntax: [pattern:pattern]
complexity: O(n) in the number of keys
since: 0.1.0
tips: request_policy:all_shards nondeterministic_output_order
acl: @custom read slow dangerous`);

const LEN: usize = changetype<usize>(`name: custom.len
flags: readonly fast
arity: 1
summary: Returns the number of keys
complexity: O(1)
since: 0.1.0
tips: request_policy:all_shards response_policy:agg_sum
acl: @custom read fast`);

const CLEAR: usize = changetype<usize>(`name: custom.clear
flags: write
arity: 1
summary: Deletes all keys
complexity: O(n) in the number of keys
since: 0.1.0
tips: request_policy:all_shards response_policy:agg_sum
acl: @custom write slow dangerous`);

const MEMORY: usize = changetype<usize>(`name: custom.memory
flags: readonly fast no-monitor no-slowlog
summary: Returns the bytes of memory that a key takes
syntax: key:key
complexity: O(1)
since: 0.1.0
keys: 1 RO
acl: @custom read fast`);

const CHECK: usize = changetype<usize>(`name: custom.check
flags: readonly
arity: 1
summary: Checks that all structures hold together
complexity: O(n) in the number of keys
since: 0.1.0
tips: request_policy:all_shards response_policy:all_succeeded
acl: @custom read slow dangerous`);

/** Registers the commands: 0, or how many of them the server refused. */
export function registerCommands(): i32 {
  let refused = 0;
  refused += addCommand(APPLY, load<i32>(changetype<usize>(commandApply)));
  refused += addCommand(SET, load<i32>(changetype<usize>(commandSet)));
  refused += addCommand(GET, load<i32>(changetype<usize>(commandGet)));
  refused += addCommand(GETDEL, load<i32>(changetype<usize>(commandGetdel)));
  refused += addCommand(STRLEN, load<i32>(changetype<usize>(commandStrlen)));
  refused += addCommand(INCRBY, load<i32>(changetype<usize>(commandIncrby)));
  refused += addCommand(APPEND, load<i32>(changetype<usize>(commandAppend)));
  refused += addCommand(MSET, load<i32>(changetype<usize>(commandMset)));
  refused += addCommand(MGET, load<i32>(changetype<usize>(commandMget)));
  refused += addCommand(DEL, load<i32>(changetype<usize>(commandDel)));
  refused += addCommand(EXISTS, load<i32>(changetype<usize>(commandExists)));
  refused += addCommand(EXPIRE, load<i32>(changetype<usize>(commandExpire)));
  refused += addCommand(PEXPIRE, load<i32>(changetype<usize>(commandPexpire)));
  refused += addCommand(PERSIST, load<i32>(changetype<usize>(commandPersist)));
  refused += addCommand(TTL, load<i32>(changetype<usize>(commandTtl)));
  refused += addCommand(PTTL, load<i32>(changetype<usize>(commandPttl)));
  refused += addCommand(SCAN, load<i32>(changetype<usize>(commandScan)));
  refused += addCommand(KEYS, load<i32>(changetype<usize>(commandKeys)));
  refused += addCommand(LEN, load<i32>(changetype<usize>(commandLen)));
  refused += addCommand(CLEAR, load<i32>(changetype<usize>(commandClear)));
  refused += addCommand(MEMORY, load<i32>(changetype<usize>(commandMemory)));
  refused += addCommand(CHECK, load<i32>(changetype<usize>(commandCheck)));
  return refused;
}
