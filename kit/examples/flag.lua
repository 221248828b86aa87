#!lua name=flag
-- FCALL flag_set 1 key percent [ALLOW user ...] [DENY user ...]
redis.register_function('flag_set', function(keys, args)
  local percent, list = tonumber(args[1]), nil
  if percent < 0 or percent > 100 then
    return redis.error_reply('ERR percent must be from 0 to 100')
  end
  redis.call('DEL', keys[1])
  redis.call('HSET', keys[1], 'percent', percent)
  for at = 2, #args do
    if args[at] == 'ALLOW' or args[at] == 'DENY' then
      list = args[at]
    else
      redis.call('HSET', keys[1], list .. ':' .. args[at], 1)
    end
  end
  return redis.status_reply('OK')
end)

-- FCALL flag_has 1 key user
redis.register_function { function_name = 'flag_has', flags = { 'no-writes' }, callback = function(keys, args)
  local flag = redis.call('HMGET', keys[1], 'percent', 'ALLOW:' .. args[1], 'DENY:' .. args[1])
  if not flag[1] or flag[3] then
    return 0
  end
  local hash = 0x811c9dc5
  for _, byte in ipairs({ string.byte(keys[1] .. ':' .. args[1], 1, -1) }) do
    hash = bit.bxor(hash, byte) % 2 ^ 32
    -- The product modulo 2^32 by parts: a double has 53 bits.
    hash = (hash * 403 + hash % 256 * 2 ^ 24) % 2 ^ 32
  end
  return (flag[2] or hash % 100 < tonumber(flag[1])) and 1 or 0
end }

-- FCALL flag_clear 1 key
redis.register_function('flag_clear', function(keys)
  return redis.call('DEL', keys[1])
end)
