#!lua name=lock
-- Next to the lock's own key there is key:token, a counter: in a cluster the key needs a {tag}.
-- FCALL lock_acquire 1 key ms
redis.register_function('lock_acquire', function(keys, args)
  if tonumber(args[1]) < 1 then
    return redis.error_reply('ERR ms must be over 0')
  end
  if redis.call('EXISTS', keys[1]) == 1 then
    return false
  end
  local token = redis.call('INCR', keys[1] .. ':token')
  redis.call('SET', keys[1], token, 'PX', args[1])
  return token
end)

-- FCALL lock_extend 1 key token ms
redis.register_function('lock_extend', function(keys, args)
  if tonumber(args[2]) < 1 then
    return redis.error_reply('ERR ms must be over 0')
  end
  if redis.call('GET', keys[1]) ~= args[1] then
    return 0
  end
  return redis.call('PEXPIRE', keys[1], args[2])
end)

-- FCALL lock_release 1 key token
redis.register_function('lock_release', function(keys, args)
  if redis.call('GET', keys[1]) ~= args[1] then
    return 0
  end
  return redis.call('DEL', keys[1])
end)
