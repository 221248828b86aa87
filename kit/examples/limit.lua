#!lua name=limit
-- FCALL limit_take 1 key capacity refill [COST cost]
redis.register_function('limit_take', function(keys, args)
  local capacity, refill = tonumber(args[1]), tonumber(args[2])
  local cost = args[3] and tonumber(args[4]) or 1
  if capacity <= 0 or refill <= 0 then
    return redis.error_reply('ERR capacity and refill must be over 0')
  end
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local bucket = redis.call('HMGET', keys[1], 'tokens', 'at')
  local tokens = tonumber(bucket[1]) or capacity
  local at = tonumber(bucket[2]) or now
  tokens = math.min(capacity, tokens + (now - at) * refill / 1000)
  local taken = tokens >= cost
  if taken then
    tokens = tokens - cost
  end
  redis.call('HSET', keys[1], 'tokens', tokens, 'at', now)
  redis.call('PEXPIRE', keys[1], math.ceil((capacity - tokens) * 1000 / refill))
  return { taken and 1 or 0, math.floor(tokens) }
end)
