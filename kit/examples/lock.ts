import { command, keys, Reply, Table, now } from "redis-wasm/kit";

/** The last token of each lock. It outlives the lock: what comes with an older token can be refused. */
const tokens = new Table<string, i64>("tokens");

command("LOCK.ACQUIRE", "key:key ms:integer", acquire, "Takes a lock; its token, greater each time, or null: it is taken");
function acquire(key: string, ms: i64): Reply {
  if (ms < 1) throw new Error("ms must be over 0");
  if (keys.exists(key)) return new Reply().null();
  const token = tokens.add(key, 1);
  keys.set(key, token, now() + ms);
  return new Reply().integer(token);
}

command("LOCK.EXTEND", "key:key token ms:integer", extend, "Keeps a lock from now on; whether it was still held by this token");
function extend(key: string, token: string, ms: i64): bool {
  if (ms < 1) throw new Error("ms must be over 0");
  return keys.get(key) == token && keys.expire(key, ms);
}

command("LOCK.RELEASE", "key:key token", release, "Gives a lock back; whether it was still held by this token");
function release(key: string, token: string): bool {
  return keys.deleteIf(key, token);
}
