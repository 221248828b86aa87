#!lua name=memo
-- Next to the value's own key there are key:fresh and key:lease: in a cluster the key needs a {tag}.
-- FCALL memo_get 1 key lease
redis.register_function('memo_get', function(keys, args)
  local key, lease = keys[1], tonumber(args[1])
  if lease < 1 then
    return redis.error_reply('ERR lease must be over 0')
  end
  local value = redis.call('GET', key)
  if redis.call('EXISTS', key .. ':lease') == 1 or (value and redis.call('EXISTS', key .. ':fresh') == 1) then
    return { value, false }
  end
  -- There are no random numbers: the clock, to the microsecond.
  local id = table.concat(redis.call('TIME'), '-')
  redis.call('SET', key .. ':lease', id, 'PX', lease)
  return { value, id }
end)

-- FCALL memo_set 1 key lease value ms [STALE more]
redis.register_function('memo_set', function(keys, args)
  local key, ms, more = keys[1], tonumber(args[3]), tonumber(args[5] or 0)
  if ms < 1 or more < 0 then
    return redis.error_reply('ERR ms must be over 0, and STALE not below')
  end
  if redis.call('GET', key .. ':lease') ~= args[1] then
    return 0
  end
  redis.call('DEL', key .. ':lease')
  redis.call('SET', key .. ':fresh', 1, 'PX', ms)
  redis.call('SET', key, args[2], 'PX', ms + more)
  return 1
end)

-- FCALL memo_drop 1 key
redis.register_function('memo_drop', function(keys)
  redis.call('DEL', keys[1] .. ':lease', keys[1] .. ':fresh')
  return redis.call('DEL', keys[1])
end)
