#!lua name=slide
-- FCALL slide_hit 1 key limit window
redis.register_function('slide_hit', function(keys, args)
  local limit, window = tonumber(args[1]), tonumber(args[2])
  if limit < 1 or window < 1 then
    return redis.error_reply('ERR limit and window must be over 0')
  end
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('ZREMRANGEBYSCORE', keys[1], '-inf', now - window)
  local used = redis.call('ZCARD', keys[1])
  if used >= limit then
    local blocking = redis.call('ZRANGE', keys[1], -limit, -limit, 'WITHSCORES')
    return { 0, 0, blocking[2] + window - now }
  end
  redis.call('ZADD', keys[1], now, now .. '-' .. used)
  redis.call('PEXPIRE', keys[1], window)
  return { 1, limit - used - 1, 0 }
end)
