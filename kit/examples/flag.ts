import { command, query, Table } from "redis-wasm/kit";

class Flag {
  constructor(public percent: i32, public allow: string[], public deny: string[]) {}
}
const flags = new Table<string, Flag>("flags");

command("FLAG.SET", "key:key percent:integer [ALLOW user ...] [DENY user ...]", set, "Gives a feature to some users");
function set(key: string, percent: i32, allow: string[], deny: string[]): void {
  if (percent < 0 || percent > 100) throw new Error("percent must be from 0 to 100");
  flags.set(key, new Flag(percent, allow, deny));
}

query("FLAG.HAS", "key:key user", has, "Whether a user has a feature");
function has(key: string, user: string): bool {
  const flag = flags.find(key);
  if (flag == null || flag.deny.includes(user)) return false;
  return flag.allow.includes(user) || bucketOf(key + ":" + user) < flag.percent;
}

/** From 0 to 99, always the same for a feature and a user: who has it keeps it when percent grows. FNV-1a. */
function bucketOf(text: string): i32 {
  let hash: u32 = 0x811c9dc5;
  for (const byte of Uint8Array.wrap(String.UTF8.encode(text))) hash = (hash ^ byte) * 0x01000193;
  return hash % 100;
}

command("FLAG.CLEAR", "key:key", (key: string): bool => flags.delete(key), "Takes a feature from all users");
