import { command, on, query, session, Table } from "redis-wasm/kit";

/** Ids of sessions, in the key of their user: `user:ann`, which a program keeps as a hash or a string. */
const ids = new Table<string, bool>("ids");

command("SIGNOUT.IN", "user:key", signIn, "A new session of a user; its id");
function signIn(user: string): string {
  const id = session.create(user);
  ids.in(user).set(id, true);
  return id;
}

query("SIGNOUT.COUNT", "user:key", (user: string): i32 => ids.in(user).size, "How many sessions a user has begun");

// Whatever became of the user: nobody stays signed in.
on("del", "user:*", signOut);
on("expired", "user:*", signOut);
on("evicted", "user:*", signOut);
function signOut(user: string): void {
  for (const id of ids.in(user).keys()) session.delete(id);
  ids.in(user).clear();
}
