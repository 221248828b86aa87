#!lua name=once
-- FCALL once_begin 1 key digest lease
redis.register_function('once_begin', function(keys, args)
  local lease = tonumber(args[2])
  if lease < 1 then
    return redis.error_reply('ERR lease must be over 0')
  end
  local known = redis.call('HMGET', keys[1], 'digest', 'answer')
  if not known[1] then
    redis.call('HSET', keys[1], 'digest', args[1])
    redis.call('PEXPIRE', keys[1], lease)
    return false
  end
  if known[1] ~= args[1] then
    return redis.error_reply('MISMATCH this key belongs to another request')
  end
  if not known[2] then
    return redis.error_reply('INPROGRESS this request is under way')
  end
  return known[2]
end)

-- FCALL once_end 1 key digest answer keep
redis.register_function('once_end', function(keys, args)
  if redis.call('HGET', keys[1], 'digest') ~= args[1] then
    return redis.error_reply('EXPIRED the lease of this request is over')
  end
  redis.call('HSET', keys[1], 'answer', args[2])
  redis.call('PEXPIRE', keys[1], args[3])
  return redis.status_reply('OK')
end)

-- FCALL once_cancel 1 key digest
redis.register_function('once_cancel', function(keys, args)
  local known = redis.call('HMGET', keys[1], 'digest', 'answer')
  if known[1] ~= args[1] or known[2] then
    return 0
  end
  return redis.call('DEL', keys[1])
end)
