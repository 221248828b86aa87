import { command, redis, now } from "redis-wasm/kit";

command("SLIDE.HIT", "key:key limit:integer window:integer", hit, "Lets a hit through, or says how many ms to wait");
function hit(key: string, limit: i64, window: i64): i64[] {
  if (limit < 1 || window < 1) throw new Error("limit and window must be over 0");
  redis.call("ZREMRANGEBYSCORE", key, "-inf", now() - window);
  const used = redis.call("ZCARD", key).asInteger();
  if (used >= limit) {
    const blocking = redis.call("ZRANGE", key, -limit, -limit, "WITHSCORES").at(0);
    return [0, 0, i64(blocking.at(1).asDouble()) + window - now()];
  }
  redis.call("ZADD", key, now(), `${now()}-${used}`);
  redis.call("PEXPIRE", key, window);
  return [1, limit - used - 1, 0];
}
