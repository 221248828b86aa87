import { command, keys, Reply, Table, now, uuid, type Bytes } from "redis-wasm/kit";

/** Keys whose value is fresh: an entry expires when it no longer is. */
const fresh = new Table<string, bool>("fresh");
/** Who is to compute a value, until when. */
const leases = new Table<string, string>("leases");

command("MEMO.GET", "key:key lease:integer", get, "A value or null, and for the one who is to compute it a lease of so many ms");
function get(key: string, lease: i64): Reply {
  if (lease < 1) throw new Error("lease must be over 0");
  const reply = new Reply().array(2);
  const value = keys.getBytes(key);
  if (value == null) reply.null();
  else reply.bytes(value);
  if (leases.has(key) || (value != null && fresh.has(key))) return reply.null();
  const id = uuid();
  leases.set(key, id, now() + lease);
  return reply.string(id);
}

command("MEMO.SET", "key:key lease value ms:integer [STALE more:integer]", set, "Stores what was computed, if the lease still holds");
function set(key: string, lease: string, value: Bytes, ms: i64, more: i64 = 0): bool {
  if (ms < 1 || more < 0) throw new Error("ms must be over 0, and STALE not below");
  if (leases.get(key, "") != lease) return false;
  leases.delete(key);
  fresh.set(key, true, now() + ms);
  keys.set(key, value, now() + ms + more);
  return true;
}

command("MEMO.DROP", "key:key", drop, "Drops a value, and what is being computed: it may be of old data");
function drop(key: string): bool {
  leases.delete(key);
  fresh.delete(key);
  return keys.delete(key);
}
