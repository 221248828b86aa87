/** A kit module whose commands are one function of `keys` each, or a call of the server's. */
import { kitOf } from './kit.ts';

export const OWN_FILE = await kitOf(
  'own',
  `import { command, KEEP, keys, now, query, redis, Reply, Table } from "redis-wasm/kit";

const counts = new Table<string, i64>("counts");

function textOf(value: string | null): Reply {
  return value === null ? new Reply().null() : new Reply().string(value);
}
function truth(value: bool): Reply {
  return new Reply().integer(value ? 1 : 0);
}
function done(): Reply {
  return new Reply().status("OK");
}

function run(key: string, op: string, words: string[]): Reply {
  if (op == "type") return new Reply().string(keys.type(key));
  if (op == "exists") return truth(keys.exists(key));
  if (op == "delete") return truth(keys.delete(key));
  if (op == "deleteIf") return truth(keys.deleteIf(key, words[0]));
  if (op == "expire") return truth(keys.expire(key, parseInt(words[0]) as i64));
  if (op == "expireAt") return truth(keys.expireAt(key, parseInt(words[0]) as i64));
  if (op == "persist") return truth(keys.persist(key));
  if (op == "deadline") return new Reply().integer(keys.deadline(key));
  if (op == "get") return textOf(keys.get(key));
  if (op == "set") {
    keys.set(key, words[0]);
    return done();
  }
  if (op == "setAt") {
    keys.set(key, words[0], parseInt(words[1]) as i64);
    return done();
  }
  if (op == "setKeep") {
    keys.set(key, words[0], KEEP);
    return done();
  }
  if (op == "incr") return new Reply().integer(keys.incr(key, parseInt(words[0]) as i64));
  if (op == "append") return new Reply().integer(keys.append(key, words[0]));
  if (op == "strlen") return new Reply().integer(keys.strlen(key));
  if (op == "hget") return textOf(keys.hget(key, words[0]));
  if (op == "hexists") return truth(keys.hexists(key, words[0]));
  if (op == "hset") return truth(keys.hset(key, words[0], words[1]));
  if (op == "hdel") return truth(keys.hdel(key, words[0]));
  if (op == "hincrby") return new Reply().integer(keys.hincrby(key, words[0], parseInt(words[1]) as i64));
  if (op == "hlen") return new Reply().integer(keys.hlen(key));
  if (op == "hgetall") {
    const all = keys.hgetall(key);
    const names = all.keys();
    const reply = new Reply().array(names.length * 2);
    for (let index = 0; index < names.length; index++) reply.string(names[index]).string(all.get(names[index]));
    return reply;
  }
  if (op == "zadd") return truth(keys.zadd(key, parseFloat(words[0]), words[1]));
  if (op == "zincrby") return new Reply().double(keys.zincrby(key, parseFloat(words[0]), words[1]));
  if (op == "zrem") return truth(keys.zrem(key, words[0]));
  if (op == "zscore") {
    const score = keys.zscore(key, words[0]);
    return isNaN(score) ? new Reply().null() : new Reply().double(score);
  }
  if (op == "zcard") return new Reply().integer(keys.zcard(key));
  if (op == "zrange") {
    const found = keys.zrange(key, parseFloat(words[0]), parseFloat(words[1]), parseInt(words[2]) as i32);
    const reply = new Reply().array(found.length);
    for (let index = 0; index < found.length; index++) reply.string(found[index].member);
    return reply;
  }
  if (op == "lpush") return new Reply().integer(keys.lpush(key, words[0]));
  if (op == "rpush") return new Reply().integer(keys.rpush(key, words[0]));
  if (op == "lpop") return textOf(keys.lpop(key));
  if (op == "rpop") return textOf(keys.rpop(key));
  if (op == "lindex") return textOf(keys.lindex(key, parseInt(words[0]) as i64));
  if (op == "lset") {
    keys.lset(key, parseInt(words[0]) as i64, words[1]);
    return done();
  }
  if (op == "llen") return new Reply().integer(keys.llen(key));
  throw new Error("there is no " + op);
}

command("OWN.DO", "key:key op [word ...]", (key: string, op: string, words: string[] = []): Reply => run(key, op, words));
query("OWN.LOOK", "key:key op [word ...]", (key: string, op: string, words: string[] = []): Reply => run(key, op, words));

// Several of them, each with its words: a comma ends one.
function all(key: string, steps: string[]): Reply {
  let reply = done();
  for (let from = 0; from < steps.length; ) {
    let to = from;
    while (to < steps.length && steps[to] != ",") to++;
    reply = run(key, steps[from], steps.slice(from + 1, to));
    from = to + 1;
  }
  return reply;
}
command("OWN.ALL", "key:key [step ...]", (key: string, steps: string[] = []): Reply => all(key, steps));
command("OWN.FAIL", "key:key [step ...]", fail);
function fail(key: string, steps: string[] = []): void {
  counts.add(key, 1);
  all(key, steps);
  throw new Error("ON purpose");
}
command("OWN.LOOP", "key:key [step ...]", loop);
function loop(key: string, steps: string[] = []): i64 {
  all(key, steps);
  let count: i64 = 0;
  while (now() > 0) count++;
  return count;
}
query("OWN.COUNT", "key:key", (key: string): i64 => counts.get(key, 0));
command("OWN.OTHER", "key:key other", (key: string, other: string): string | null => keys.get(other));
command("OWN.COPY", "from:key to:key", copy, { summary: "Copies a text", readKeys: "from" });
function copy(from: string, to: string): void {
  const text = keys.get(from);
  if (text !== null) keys.set(to, text);
}
command("OWN.BACK", "from:key to:key", back, { summary: "Writes what it may only read", readKeys: "from" });
function back(from: string, to: string): void {
  keys.set(from, to);
}

command("OWN.CALL", "key:key name [word ...]", call);
function call(key: string, name: string, words: string[] = []): Reply {
  return redis.call(name, ...words);
}
query("OWN.ASK", "key:key name [word ...]", (key: string, name: string, words: string[] = []): Reply => redis.call(name, ...words));
command("OWN.FREE", "name [word ...]", (name: string, words: string[] = []): Reply => redis.call(name, ...words));
command("OWN.TRY", "key:key name [word ...]", attempt);
function attempt(key: string, name: string, words: string[] = []): string {
  const reply = redis.tryCall(name, ...words);
  return reply.isError ? "caught " + reply.error : reply.type;
}
command("OWN.MIX", "key:key", mix);
function mix(key: string): void {
  keys.set(key, "by keys");
  counts.add(key, 1);
  redis.call("APPEND", key, " and by a call");
  keys.append(key, " and by keys");
  throw new Error("ON purpose");
}
command("OWN.READ", "key:key", read);
function read(key: string): void {
  keys.set(key, "by keys");
  if (redis.call("GET", key).asString() != "by keys") throw new Error("a call reads something else");
  keys.delete(key);
  if (!redis.call("GET", key).isNull) throw new Error("a call finds what was deleted");
  throw new Error("ON purpose");
}
command("OWN.MANY", "key:key times:integer", many);
function many(key: string, times: i64): i64 {
  let sum: i64 = 0;
  for (let turn: i64 = 0; turn < times; turn++) sum += redis.call("STRLEN", key).asInteger();
  return sum;
}
command("OWN.TYPES", "key:key name [word ...]", types);
function types(key: string, name: string, words: string[] = []): string {
  return shape(redis.call(name, ...words));
}
function shape(reply: Reply): string {
  const type = reply.type;
  if (type != "array" && type != "map" && type != "set") return reply.isNull ? "null" : type + " " + reply.asString();
  const parts: string[] = [];
  const elements = reply.elements();
  for (let index = 0; index < elements.length; index++) parts.push(shape(elements[index]));
  return type + "(" + parts.join(", ") + ")";
}
`,
);
