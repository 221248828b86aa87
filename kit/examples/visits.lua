#!lua name=visits
-- The server's own HyperLogLog, in a key for each day: in a cluster the key needs a {tag}.
local KEPT_DAYS = 90

local function today()
  return math.floor(redis.call('TIME')[1] / 86400)
end

-- FCALL visits_add 1 key visitor ...
redis.register_function('visits_add', function(keys, args)
  local day = today()
  local key = keys[1] .. ':' .. day
  redis.call('PFADD', key, unpack(args))
  redis.call('EXPIREAT', key, (day + KEPT_DAYS) * 86400)
  return redis.status_reply('OK')
end)

-- FCALL visits_count 1 key days
redis.register_function('visits_count', function(keys, args)
  local day, days = today(), {}
  for back = 0, math.min(args[1], KEPT_DAYS) - 1 do
    table.insert(days, keys[1] .. ':' .. day - back)
  end
  return #days == 0 and 0 or redis.call('PFCOUNT', unpack(days))
end)
