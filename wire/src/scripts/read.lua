-- Queues one look-up behind everything that was accepted before it.
--
-- KEYS[1] reads   KEYS[2] log   KEYS[3] daemons   KEYS[4] reply:<request>
-- ARGV[1] the request's JSON   ARGV[2] most waiting requests   ARGV[3] how long an answer or a request waits, ms
--
-- Returns {"ok", barrier} or {"refused", the reply's JSON}, which is then also pushed to KEYS[4].

local function refuse(reply)
  redis.call('RPUSH', KEYS[4], reply)
  redis.call('PEXPIRE', KEYS[4], ARGV[3])
  return {'refused', reply}
end

if redis.call('PUBSUB', 'SHARDNUMSUB', KEYS[3])[2] == 0 then
  return refuse('{"refused":"no_daemon"}')
end
if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[2]) then
  return refuse('{"refused":"backlog"}')
end

-- The log is trimmed only behind the commit, so an empty log has nothing to wait for.
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
local barrier = last[1] and last[1][1] or '0-0'
redis.call('RPUSH', KEYS[1], barrier .. ' ' .. ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {'ok', barrier}
