import { command, Table, now } from "redis-wasm/kit";

class Bucket {
  constructor(public tokens: f64, public at: i64) {}
}
const buckets = new Table<string, Bucket>("buckets");

command("LIMIT.TAKE", "key:key capacity:double refill:double [COST cost:double]", take, "Takes tokens from a bucket");
function take(key: string, capacity: f64, refill: f64, cost: f64 = 1): i64[] {
  if (capacity <= 0 || refill <= 0) throw new Error("capacity and refill must be over 0");
  const bucket = buckets.get(key, new Bucket(capacity, now()));
  let tokens = Math.min(capacity, bucket.tokens + (f64(now() - bucket.at) * refill) / 1000);
  const taken = tokens >= cost;
  if (taken) tokens -= cost;
  buckets.set(key, new Bucket(tokens, now()), now() + i64(Math.ceil(((capacity - tokens) * 1000) / refill)));
  return [taken ? 1 : 0, i64(tokens)];
}
