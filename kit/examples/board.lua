#!lua name=board
-- Scores are doubles: points beyond 2^53 are not exact.

-- FCALL board_add 1 key user points
redis.register_function('board_add', function(keys, args)
  return -redis.call('ZINCRBY', keys[1], -args[2], args[1])
end)

-- FCALL board_rank 1 key user
redis.register_function('board_rank', function(keys, args)
  return redis.call('ZRANK', keys[1], args[1])
end)

-- FCALL board_top 1 key count [FROM place]
redis.register_function('board_top', function(keys, args)
  local count, from = tonumber(args[1]), tonumber(args[3] or 0)
  if count < 0 or from < 0 then
    return redis.error_reply('ERR count and place must not be below 0')
  end
  if count == 0 then
    return {}
  end
  local found = redis.call('ZRANGE', keys[1], from, from + count - 1, 'WITHSCORES')
  for at = 2, #found, 2 do
    found[at] = -found[at]
  end
  return found
end)
