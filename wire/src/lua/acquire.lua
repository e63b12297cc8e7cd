-- Takes the writer's lease if nobody holds it, or if whoever holds it is not connected any more.
--
-- KEYS[1] writer
-- ARGV[1] daemon id   ARGV[2] length, ms   ARGV[3] start of the channel that each daemon alone subscribes to
--
-- Returns 1 if the lease is this daemon's now, 0 if another holds it.

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] and redis.call('PUBSUB', 'SHARDNUMSUB', ARGV[3] .. holder)[2] > 0 then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
