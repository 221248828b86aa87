import { command, query, Reply, SortedTable, Table, now, type Bytes } from "redis-wasm/kit";

class Due {
  constructor(public at: i64, public id: i64) {}
}
class Job {
  constructor(public payload: Bytes, public tries: i64) {}
}
const ids = new Table<string, i64>("ids");
const jobs = new SortedTable<Due, Job>("jobs");

command("QUEUE.PUSH", "key:key payload [DELAY ms:integer]", push, "Adds a job that is due now, or later; its id");
function push(key: string, payload: Bytes, delay: i64 = 0): i64 {
  const id = ids.add(key, 1);
  jobs.in(key).set(new Due(now() + delay, id), new Job(payload, 0));
  return id;
}

command("QUEUE.TAKE", "key:key hide:integer", take, "A job: id, until when nobody else gets it, try, payload");
function take(key: string, hide: i64): Reply {
  if (hide < 1) throw new Error("hide must be over 0");
  const next = jobs.in(key).first();
  if (next == null || next.key.at > now()) return new Reply().null();
  const id = next.key.id;
  const until = now() + hide;
  const job = new Job(next.value.payload, next.value.tries + 1);
  jobs.in(key).delete(next.key);
  jobs.in(key).set(new Due(until, id), job);
  return new Reply().array(4).integer(id).integer(until).integer(job.tries).bytes(job.payload);
}

command("QUEUE.DONE", "key:key id:integer until:integer", done, "Removes a job, unless it was taken again since");
function done(key: string, id: i64, until: i64): bool {
  return jobs.in(key).delete(new Due(until, id));
}

query("QUEUE.LENGTH", "key:key", length, "How many jobs there are, those too that are under way");
function length(key: string): i32 {
  return jobs.in(key).size;
}
