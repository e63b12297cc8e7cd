#!lua flags=allow-oom
-- Acquires the writer's lease if nobody holds it, or if its holder is not connected any more. The writer frees
-- memory, so a Redis at maxmemory executes this too (Redis manual, "Eval scripts flags").
--
-- KEYS[1] writer
-- ARGV[1] daemon id   ARGV[2] length, ms   ARGV[3] what the channel of each daemon begins with
--
-- Returns 1 if this daemon holds the lease now, 0 if another holds it.

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] and redis.call('PUBSUB', 'SHARDNUMSUB', ARGV[3] .. holder)[2] > 0 then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
