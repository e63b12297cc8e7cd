-- Asks for one look-up behind everything that was accepted before it: the daemon that answered last if it is still there,
-- or else whichever is free.
--
-- KEYS[1] log   KEYS[2] questions to the daemon that answered last   KEYS[3] daemons   KEYS[4] reads
-- ARGV[1] who waits for the answer   ARGV[2] the request's JSON
-- ARGV[3] most questions in the list   ARGV[4] how long one waits there, ms
--
-- Returns {"ok", barrier} or {"refused", the reply's JSON}.

-- The log is trimmed only behind the commit, so an empty log has nothing to wait for.
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local barrier = last[1] and last[1][1] or '0-0'
local question = barrier .. ' ' .. ARGV[1] .. ' ' .. ARGV[2]
if redis.call('SPUBLISH', KEYS[2], question) > 0 then
  return {'ok', barrier}
end

if redis.call('PUBSUB', 'SHARDNUMSUB', KEYS[3])[2] == 0 then
  return {'refused', '{"refused":"no_daemon"}'}
end
if redis.call('LLEN', KEYS[4]) >= tonumber(ARGV[3]) then
  return {'refused', '{"refused":"backlog"}'}
end
redis.call('RPUSH', KEYS[4], question)
redis.call('PEXPIRE', KEYS[4], ARGV[4])
return {'ok', barrier}
