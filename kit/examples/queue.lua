#!lua name=queue
-- Next to the queue's own key, a counter, there are key:line, key:jobs and key:tries: in a cluster the key
-- needs a {tag}.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- FCALL queue_push 1 key payload [DELAY ms]
redis.register_function('queue_push', function(keys, args)
  local key, delay = keys[1], tonumber(args[3] or 0)
  local id = redis.call('INCR', key)
  redis.call('HSET', key .. ':jobs', id, args[1])
  redis.call('ZADD', key .. ':line', now() + delay, id)
  return id
end)

-- FCALL queue_take 1 key hide
redis.register_function('queue_take', function(keys, args)
  local key, time, hide = keys[1], now(), tonumber(args[1])
  if hide < 1 then
    return redis.error_reply('ERR hide must be over 0')
  end
  local next = redis.call('ZRANGE', key .. ':line', 0, 0, 'WITHSCORES')
  if not next[1] or tonumber(next[2]) > time then
    return false
  end
  local id, till = next[1], time + hide
  redis.call('ZADD', key .. ':line', till, id)
  local tries = redis.call('HINCRBY', key .. ':tries', id, 1)
  return { tonumber(id), till, tries, redis.call('HGET', key .. ':jobs', id) }
end)

-- FCALL queue_done 1 key id until
redis.register_function('queue_done', function(keys, args)
  local key, id = keys[1], args[1]
  if tonumber(redis.call('ZSCORE', key .. ':line', id) or -1) ~= tonumber(args[2]) then
    return 0
  end
  redis.call('HDEL', key .. ':tries', id)
  redis.call('HDEL', key .. ':jobs', id)
  return redis.call('ZREM', key .. ':line', id)
end)

-- FCALL queue_length 1 key
redis.register_function('queue_length', function(keys)
  return redis.call('ZCARD', keys[1] .. ':line')
end)
