-- Publishes one message to users of one partition, in one step. The message is sent to Redis once for all of them,
-- and once to each daemon where that is less than to each user.
--
-- KEYS[1] daemons   KEYS[2…] the channels of the users
-- ARGV[1] unused: nobody answers but this script   ARGV[2] the envelope
-- ARGV[3] the bytes before the ids of many users   ARGV[4…] the ids of the users
--
-- Returns {one digit for each user: 1 if the user is connected, 0 if not}.

local subscribers = redis.call('PUBSUB', 'SHARDNUMSUB', unpack(KEYS))
local reached, channels, ids, copies = {}, {}, {}, 0
for i = 2, #KEYS do
  local count = subscribers[2 * i]
  reached[i - 1] = count > 0 and '1' or '0'
  if count > 0 then
    channels[#channels + 1] = KEYS[i]
    ids[#ids + 1] = ARGV[i + 2]
    copies = copies + count
  end
end
-- A daemon holds all of its subscriptions on one connection, so who is reached by one way is by the other.
if copies > subscribers[2] then
  redis.call('SPUBLISH', KEYS[1], ARGV[3] .. table.concat(ids, ' ') .. '\n' .. ARGV[2])
else
  for _, channel in ipairs(channels) do
    redis.call('SPUBLISH', channel, ARGV[2])
  end
end
return {table.concat(reached)}
