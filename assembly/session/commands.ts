/**
 * The commands SESSION.*: the one table of them. Their handlers stand in handlers/, by what they are about.
 */
import { command } from "../base/register";
import { commandApply } from "./replication/apply";
import { commandCheck } from "./handlers/check";
import { commandAddData, commandCas, commandDelData, commandGetAll, commandGetData, commandIncrData } from "./handlers/data";
import { commandCount, commandDelUser, commandList, commandScan, commandUser } from "./handlers/lists";
import {
  commandAssign,
  commandCreate,
  commandDelete,
  commandExpire,
  commandGet,
  commandInfo,
  commandRotate,
  commandTouch,
  commandTtl,
} from "./handlers/sessions";

/** Registers the commands: 0, or how many of them the server refused. */
export function registerCommands(): i32 {
  let refused = 0;
  // name, handler's index in the table, flags, position of the first key, arity, and what COMMAND and ACL
  // know of it (docs/ABI.md)
  refused += command(
    changetype<usize>("session.create"),
    load<i32>(changetype<usize>(commandCreate)),
    changetype<usize>("write deny-oom no-monitor no-slowlog"),
    1,
    -2,
    changetype<usize>(`summary: Gives a user's session, a new one where there is none
syntax: user:key [NEW] [IDLE seconds:integer] [TTL seconds:integer] [MAX sessions:integer [EVICT|REJECT]] [ID id] [DATA (field value ...)]
complexity: O(1), where a limit of sessions is reached O(N) with N the sessions of the user
since: 0.1.0
keys: 1 RW ACCESS UPDATE
tips: nondeterministic_output
acl: @session write`),
  );
  refused += command(
    changetype<usize>("session.assign"),
    load<i32>(changetype<usize>(commandAssign)),
    changetype<usize>("write deny-oom no-monitor no-slowlog"),
    1,
    3,
    changetype<usize>(`summary: Makes a session another user's
syntax: id:key user:key
complexity: O(N) with N the sessions of both users
since: 0.1.0
keys: 1 RW UPDATE
keys: 2 RW UPDATE
acl: @session write`),
  );
  refused += command(
    changetype<usize>("session.get"),
    load<i32>(changetype<usize>(commandGet)),
    changetype<usize>("readonly no-monitor no-slowlog"),
    1,
    2,
    changetype<usize>(`summary: Returns a session as JSON
syntax: id:key
complexity: O(N) with N the bytes of its data
since: 0.1.0
keys: 1 RO ACCESS
acl: @session read`),
  );
  refused += command(
    changetype<usize>("session.getall"),
    load<i32>(changetype<usize>(commandGetAll)),
    changetype<usize>("readonly may-replicate no-monitor no-slowlog"),
    1,
    2,
    changetype<usize>(`summary: Returns all fields of a session and touches it
syntax: id:key
complexity: O(N) with N the fields
since: 0.1.0
keys: 1 RO ACCESS
acl: @session read`),
  );
  refused += command(
    changetype<usize>("session.list"),
    load<i32>(changetype<usize>(commandList)),
    changetype<usize>("readonly"),
    0,
    1,
    changetype<usize>(`summary: Lists all live sessions
complexity: O(N) with N the sessions
since: 0.1.0
tips: request_policy:all_shards nondeterministic_output_order
acl: @session read dangerous`),
  );
  refused += command(
    changetype<usize>("session.add_data"),
    load<i32>(changetype<usize>(commandAddData)),
    changetype<usize>("write deny-oom fast no-monitor no-slowlog"),
    1,
    -4,
    changetype<usize>(`summary: Sets fields of a session, all or none, and touches it
syntax: id:key (field value ...)
complexity: O(N) with N the bytes written
since: 0.1.0
keys: 1 RW UPDATE
acl: @session write fast`),
  );
  refused += command(
    changetype<usize>("session.get_data"),
    load<i32>(changetype<usize>(commandGetData)),
    changetype<usize>("readonly may-replicate fast no-monitor no-slowlog"),
    1,
    3,
    changetype<usize>(`summary: Returns a field of a session and touches it
syntax: id:key field
complexity: O(1)
since: 0.1.0
keys: 1 RO ACCESS
acl: @session read fast`),
  );
  refused += command(
    changetype<usize>("session.del_data"),
    load<i32>(changetype<usize>(commandDelData)),
    changetype<usize>("write fast no-monitor no-slowlog"),
    1,
    -3,
    changetype<usize>(`summary: Removes fields of a session and touches it
syntax: id:key field ...
complexity: O(N) with N the fields named
since: 0.1.0
keys: 1 RW DELETE
acl: @session write fast`),
  );
  refused += command(
    changetype<usize>("session.incr_data"),
    load<i32>(changetype<usize>(commandIncrData)),
    changetype<usize>("write deny-oom fast no-monitor no-slowlog"),
    1,
    4,
    changetype<usize>(`summary: Adds to a field that holds an integer and touches the session
syntax: id:key field increment:integer
complexity: O(1)
since: 0.1.0
keys: 1 RW ACCESS UPDATE
acl: @session write fast`),
  );
  refused += command(
    changetype<usize>("session.cas"),
    load<i32>(changetype<usize>(commandCas)),
    changetype<usize>("write deny-oom fast no-monitor no-slowlog"),
    1,
    -5,
    changetype<usize>(`summary: Sets fields of a session if its data is at a version
syntax: id:key version:integer (field value ...)
complexity: O(N) with N the bytes written
since: 0.1.0
keys: 1 RW ACCESS UPDATE
acl: @session write fast`),
  );
  refused += command(
    changetype<usize>("session.touch"),
    load<i32>(changetype<usize>(commandTouch)),
    changetype<usize>("write fast no-monitor no-slowlog"),
    1,
    2,
    changetype<usize>(`summary: Notes an access to a session
syntax: id:key
complexity: O(1)
since: 0.1.0
keys: 1 RW UPDATE
acl: @session write fast`),
  );
  refused += command(
    changetype<usize>("session.expire"),
    load<i32>(changetype<usize>(commandExpire)),
    changetype<usize>("write no-monitor no-slowlog"),
    1,
    -3,
    changetype<usize>(`summary: Limits the lifetime or the idle time of a session
syntax: id:key seconds:integer [IDLE|TTL]
complexity: O(1)
since: 0.1.0
keys: 1 RW UPDATE
acl: @session write`),
  );
  refused += command(
    changetype<usize>("session.ttl"),
    load<i32>(changetype<usize>(commandTtl)),
    changetype<usize>("readonly fast no-monitor no-slowlog"),
    1,
    2,
    changetype<usize>(`summary: Returns the milliseconds that a session has left
syntax: id:key
complexity: O(1)
since: 0.1.0
keys: 1 RO ACCESS
tips: nondeterministic_output
acl: @session read fast`),
  );
  refused += command(
    changetype<usize>("session.info"),
    load<i32>(changetype<usize>(commandInfo)),
    changetype<usize>("readonly no-monitor no-slowlog"),
    1,
    2,
    changetype<usize>(`summary: Returns what is known of a session
syntax: id:key
complexity: O(N) with N the fields
since: 0.1.0
keys: 1 RO ACCESS
tips: nondeterministic_output
acl: @session read`),
  );
  refused += command(
    changetype<usize>("session.rotate"),
    load<i32>(changetype<usize>(commandRotate)),
    changetype<usize>("write deny-oom no-monitor no-slowlog"),
    1,
    -2,
    changetype<usize>(`summary: Gives a session a new id
syntax: id:key [GRACE milliseconds:integer]
complexity: O(N) with N the ids of the session that are in grace
since: 0.1.0
keys: 1 RW ACCESS UPDATE
tips: nondeterministic_output
acl: @session write`),
  );
  refused += command(
    changetype<usize>("session.user"),
    load<i32>(changetype<usize>(commandUser)),
    changetype<usize>("readonly no-monitor no-slowlog"),
    1,
    2,
    changetype<usize>(`summary: Returns the ids of a user's live sessions, the newest first
syntax: user:key
complexity: O(N) with N the sessions of the user
since: 0.1.0
keys: 1 RO ACCESS
acl: @session read`),
  );
  refused += command(
    changetype<usize>("session.deluser"),
    load<i32>(changetype<usize>(commandDelUser)),
    changetype<usize>("write no-monitor no-slowlog"),
    1,
    -2,
    changetype<usize>(`summary: Ends the sessions of a user
syntax: user:key [EXCEPT id:key] [BEFORE milliseconds:integer]
complexity: O(N) with N the sessions of the user
since: 0.1.0
keys: 1 RW DELETE
keys: EXCEPT@2 RO
acl: @session write`),
  );
  refused += command(
    changetype<usize>("session.delete"),
    load<i32>(changetype<usize>(commandDelete)),
    changetype<usize>("write no-monitor no-slowlog"),
    1,
    2,
    changetype<usize>(`summary: Ends a session
syntax: id:key
complexity: O(N) with N the sessions of its user
since: 0.1.0
keys: 1 RW DELETE
acl: @session write`),
  );
  refused += command(
    changetype<usize>("session.scan"),
    load<i32>(changetype<usize>(commandScan)),
    changetype<usize>("readonly no-monitor no-slowlog"),
    0,
    -2,
    changetype<usize>(`summary: Iterates over the ids of the live sessions
syntax: cursor:integer [MATCH pattern:pattern] [COUNT count:integer]
complexity: O(1) for each call, O(N) for all of them with N the sessions
since: 0.1.0
tips: nondeterministic_output request_policy:special response_policy:special
acl: @session read`),
  );
  refused += command(
    changetype<usize>("session.count"),
    load<i32>(changetype<usize>(commandCount)),
    changetype<usize>("readonly fast no-monitor no-slowlog"),
    1,
    -1,
    changetype<usize>(`summary: Counts all sessions, or those of a user
syntax: [user:key]
complexity: O(1)
since: 0.1.0
keys: 1 RO
tips: request_policy:special response_policy:agg_sum
acl: @session read fast`),
  );
  refused += command(
    changetype<usize>("session.check"),
    load<i32>(changetype<usize>(commandCheck)),
    changetype<usize>("readonly"),
    0,
    1,
    changetype<usize>(`summary: Tells whether all structures and counters hold together
complexity: O(N) with N the bytes of all sessions
since: 0.1.0
tips: request_policy:all_shards response_policy:all_succeeded
acl: @session read dangerous`),
  );
  refused += command(
    changetype<usize>("session.apply"),
    load<i32>(changetype<usize>(commandApply)),
    changetype<usize>("write effect no-monitor no-slowlog"),
    3,
    -4,
    changetype<usize>(`summary: Applies an effect of another SESSION command; for the replication stream and the append-only file
complexity: O(N) with N the bytes written
since: 0.1.0
keys: 3 RW UPDATE
acl: @session write dangerous`),
  );
  return refused;
}
