/**
 * The commands SESSION.*: of each what the server is told of it, in the words of docs/ABI.md, and its
 * handler. The handlers are in handlers/ and replication/.
 */
import { addCommand } from "../base/register";
import { commandApply } from "./replication/apply";
import { commandCheck } from "./handlers/check";
import { commandAddData, commandCas, commandDelData, commandGetAll, commandGetData, commandIncrData } from "./handlers/data";
import { commandStrays } from "./handlers/strays";
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

const CREATE: usize = changetype<usize>(`name: session.create
flags: write deny-oom no-monitor no-slowlog
summary: Gives a user's session, a new one where there is none
syntax: user:key [NEW] [IDLE seconds:integer] [TTL seconds:integer] [MAX sessions:integer [EVICT|REJECT]] [ID id] [DATA (field value ...)]
complexity: O(1), where a limit of sessions is reached O(N) with N the sessions of the user
since: 0.1.0
keys: 1 RW ACCESS UPDATE
tips: nondeterministic_output
acl: @session write`);

const ASSIGN: usize = changetype<usize>(`name: session.assign
flags: write deny-oom no-monitor no-slowlog
summary: Makes a session another user's
syntax: id:key user:key
complexity: O(N) with N the sessions of both users
since: 0.1.0
keys: 1 RW UPDATE
keys: 2 RW UPDATE
acl: @session write`);

const GET: usize = changetype<usize>(`name: session.get
flags: readonly no-monitor no-slowlog
summary: Returns a session as JSON
syntax: id:key
complexity: O(N) with N the bytes of its data
since: 0.1.0
keys: 1 RO ACCESS
acl: @session read`);

const GETALL: usize = changetype<usize>(`name: session.getall
flags: readonly may-replicate no-monitor no-slowlog
summary: Returns all fields of a session and touches it
syntax: id:key [LINES]
complexity: O(N) with N the bytes of its data
since: 0.1.0
keys: 1 RO ACCESS
acl: @session read`);

const LIST: usize = changetype<usize>(`name: session.list
flags: readonly
arity: 1
summary: Lists all live sessions
complexity: O(N) with N the sessions
since: 0.1.0
tips: request_policy:all_shards nondeterministic_output_order
acl: @session read dangerous`);

const ADD_DATA: usize = changetype<usize>(`name: session.add_data
flags: write deny-oom fast no-monitor no-slowlog
summary: Sets fields of a session, all or none, and touches it
syntax: id:key (field value ...)
complexity: O(N) with N the bytes written
since: 0.1.0
keys: 1 RW UPDATE
acl: @session write fast`);

const GET_DATA: usize = changetype<usize>(`name: session.get_data
flags: readonly may-replicate fast no-monitor no-slowlog
summary: Returns a field of a session and touches it
syntax: id:key field
complexity: O(1)
since: 0.1.0
keys: 1 RO ACCESS
acl: @session read fast`);

const DEL_DATA: usize = changetype<usize>(`name: session.del_data
flags: write fast no-monitor no-slowlog
summary: Removes fields of a session and touches it
syntax: id:key field ...
complexity: O(N) with N the fields named
since: 0.1.0
keys: 1 RW DELETE
acl: @session write fast`);

const INCR_DATA: usize = changetype<usize>(`name: session.incr_data
flags: write deny-oom fast no-monitor no-slowlog
summary: Adds to a field that holds an integer and touches the session
syntax: id:key field increment:integer
complexity: O(1)
since: 0.1.0
keys: 1 RW ACCESS UPDATE
acl: @session write fast`);

const CAS: usize = changetype<usize>(`name: session.cas
flags: write deny-oom fast no-monitor no-slowlog
summary: Sets fields of a session if its data is at a version
syntax: id:key version:integer (field value ...)
complexity: O(N) with N the bytes written
since: 0.1.0
keys: 1 RW ACCESS UPDATE
acl: @session write fast`);

const TOUCH: usize = changetype<usize>(`name: session.touch
flags: write fast no-monitor no-slowlog
summary: Notes an access to a session
syntax: id:key
complexity: O(1)
since: 0.1.0
keys: 1 RW UPDATE
acl: @session write fast`);

const EXPIRE: usize = changetype<usize>(`name: session.expire
flags: write no-monitor no-slowlog
summary: Limits the lifetime or the idle time of a session
syntax: id:key seconds:integer [IDLE|TTL]
complexity: O(1)
since: 0.1.0
keys: 1 RW UPDATE
acl: @session write`);

const TTL: usize = changetype<usize>(`name: session.ttl
flags: readonly fast no-monitor no-slowlog
summary: Returns the milliseconds that a session has left
syntax: id:key
complexity: O(1)
since: 0.1.0
keys: 1 RO ACCESS
tips: nondeterministic_output
acl: @session read fast`);

const INFO: usize = changetype<usize>(`name: session.info
flags: readonly no-monitor no-slowlog
summary: Returns what is known of a session
syntax: id:key
complexity: O(N) with N the fields
since: 0.1.0
keys: 1 RO ACCESS
tips: nondeterministic_output
acl: @session read`);

const ROTATE: usize = changetype<usize>(`name: session.rotate
flags: write deny-oom no-monitor no-slowlog
summary: Gives a session a new id
syntax: id:key [GRACE milliseconds:integer]
complexity: O(N) with N the ids of the session that are in grace
since: 0.1.0
keys: 1 RW ACCESS UPDATE
tips: nondeterministic_output
acl: @session write`);

const USER: usize = changetype<usize>(`name: session.user
flags: readonly no-monitor no-slowlog
summary: Returns the ids of a user's live sessions, the newest first
syntax: user:key
complexity: O(N) with N the sessions of the user
since: 0.1.0
keys: 1 RO ACCESS
acl: @session read`);

const DELUSER: usize = changetype<usize>(`name: session.deluser
flags: write no-monitor no-slowlog
summary: Ends the sessions of a user
syntax: user:key [EXCEPT id:key] [BEFORE milliseconds:integer]
complexity: O(N) with N the sessions of the user
since: 0.1.0
keys: 1 RW DELETE
keys: EXCEPT@2 RO
acl: @session write`);

const DELETE: usize = changetype<usize>(`name: session.delete
flags: write no-monitor no-slowlog
summary: Ends a session
syntax: id:key
complexity: O(N) with N the sessions of its user
since: 0.1.0
keys: 1 RW DELETE
acl: @session write`);

const SCAN: usize = changetype<usize>(`name: session.scan
flags: readonly no-monitor no-slowlog
summary: Iterates over the ids of the live sessions
syntax: cursor:integer [MATCH pattern:pattern] [COUNT count:integer]
complexity: O(1) for each call, O(N) for all of them with N the sessions
since: 0.1.0
tips: nondeterministic_output request_policy:special response_policy:special
acl: @session read`);

const COUNT: usize = changetype<usize>(`name: session.count
flags: readonly fast no-monitor no-slowlog
summary: Counts all sessions, or those of a user
syntax: [user:key]
complexity: O(1)
since: 0.1.0
keys: 1 RO
tips: request_policy:special response_policy:agg_sum
acl: @session read fast`);

const CHECK: usize = changetype<usize>(`name: session.check
flags: readonly
arity: 1
summary: Tells whether all structures and counters hold together
complexity: O(N) with N the bytes of all sessions
since: 0.1.0
tips: request_policy:all_shards response_policy:all_succeeded
acl: @session read dangerous`);

const STRAYS: usize = changetype<usize>(`name: session.strays
flags: readonly
summary: Names sessions whose id lies in another cluster slot than their user
syntax: [COUNT count:integer]
complexity: O(N) with N the sessions
since: 0.1.0
tips: request_policy:all_shards response_policy:special nondeterministic_output_order
acl: @session read dangerous`);

const APPLY: usize = changetype<usize>(`name: session.apply
flags: write effect no-monitor no-slowlog
arity: -4
summary: Applies an effect of another SESSION command; for the replication stream and the append-only file
complexity: O(N) with N the bytes written
since: 0.1.0
keys: 3 RW UPDATE
acl: @session write dangerous`);

/** Registers the commands: 0, or how many of them the server refused. */
export function registerCommands(): i32 {
  let refused = 0;
  refused += addCommand(CREATE, load<i32>(changetype<usize>(commandCreate)));
  refused += addCommand(ASSIGN, load<i32>(changetype<usize>(commandAssign)));
  refused += addCommand(GET, load<i32>(changetype<usize>(commandGet)));
  refused += addCommand(GETALL, load<i32>(changetype<usize>(commandGetAll)));
  refused += addCommand(LIST, load<i32>(changetype<usize>(commandList)));
  refused += addCommand(ADD_DATA, load<i32>(changetype<usize>(commandAddData)));
  refused += addCommand(GET_DATA, load<i32>(changetype<usize>(commandGetData)));
  refused += addCommand(DEL_DATA, load<i32>(changetype<usize>(commandDelData)));
  refused += addCommand(INCR_DATA, load<i32>(changetype<usize>(commandIncrData)));
  refused += addCommand(CAS, load<i32>(changetype<usize>(commandCas)));
  refused += addCommand(TOUCH, load<i32>(changetype<usize>(commandTouch)));
  refused += addCommand(EXPIRE, load<i32>(changetype<usize>(commandExpire)));
  refused += addCommand(TTL, load<i32>(changetype<usize>(commandTtl)));
  refused += addCommand(INFO, load<i32>(changetype<usize>(commandInfo)));
  refused += addCommand(ROTATE, load<i32>(changetype<usize>(commandRotate)));
  refused += addCommand(USER, load<i32>(changetype<usize>(commandUser)));
  refused += addCommand(DELUSER, load<i32>(changetype<usize>(commandDelUser)));
  refused += addCommand(DELETE, load<i32>(changetype<usize>(commandDelete)));
  refused += addCommand(SCAN, load<i32>(changetype<usize>(commandScan)));
  refused += addCommand(COUNT, load<i32>(changetype<usize>(commandCount)));
  refused += addCommand(CHECK, load<i32>(changetype<usize>(commandCheck)));
  refused += addCommand(STRAYS, load<i32>(changetype<usize>(commandStrays)));
  refused += addCommand(APPLY, load<i32>(changetype<usize>(commandApply)));
  return refused;
}
