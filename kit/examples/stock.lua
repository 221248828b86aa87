#!lua name=stock
-- Next to the stock's own key, of what is free, there are key:ends, and key:hold:<id> of each reservation: in
-- a cluster the key needs a {tag}.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function finish(key, id, sold)
  local name = key .. ':hold:' .. id
  local held = redis.call('HGETALL', name)
  for at = 1, sold and 0 or #held, 2 do
    redis.call('HINCRBY', key, held[at], held[at + 1])
  end
  redis.call('ZREM', key .. ':ends', id)
  return redis.call('DEL', name)
end

local function finish_past(key)
  for _, id in ipairs(redis.call('ZRANGE', key .. ':ends', '-inf', now(), 'BYSCORE')) do
    finish(key, id, false)
  end
end

local function missing(item, left)
  return redis.error_reply('OUTOFSTOCK ' .. item .. ': ' .. -left .. ' missing')
end

-- FCALL stock_add 1 key item count
redis.register_function('stock_add', function(keys, args)
  finish_past(keys[1])
  local left = redis.call('HINCRBY', keys[1], args[1], args[2])
  if left < 0 then
    -- A script is not rolled back.
    redis.call('HINCRBY', keys[1], args[1], -args[2])
    return missing(args[1], left)
  end
  return left
end)

-- FCALL stock_hold 1 key id ms item count [item count ...]
redis.register_function('stock_hold', function(keys, args)
  local key, id, ms = keys[1], args[1], tonumber(args[2])
  for at = 4, #args, 2 do
    if ms < 1 or tonumber(args[at]) < 1 then
      return redis.error_reply('ERR ms and counts must be over 0')
    end
  end
  finish_past(key)
  -- A script is not rolled back, so all is checked before anything is written.
  local left = {}
  for at = 3, #args, 2 do
    local item = args[at]
    left[item] = (left[item] or tonumber(redis.call('HGET', key, item) or 0)) - args[at + 1]
    if left[item] < 0 then
      return missing(item, left[item])
    end
  end
  if redis.call('EXISTS', key .. ':hold:' .. id) == 1 then
    return redis.error_reply('HELD there is a reservation of this id')
  end
  for at = 3, #args, 2 do
    redis.call('HINCRBY', key, args[at], -args[at + 1])
    redis.call('HINCRBY', key .. ':hold:' .. id, args[at], args[at + 1])
  end
  redis.call('ZADD', key .. ':ends', now() + ms, id)
  return redis.status_reply('OK')
end)

-- FCALL stock_end 1 key id [SOLD]
redis.register_function('stock_end', function(keys, args)
  local key, id, sold = keys[1], args[1], args[2] == 'SOLD'
  local at = redis.call('ZSCORE', key .. ':ends', id)
  if sold and at and tonumber(at) <= now() then
    return 0
  end
  return finish(key, id, sold)
end)
