-- Sends one query to the daemon that answered last, or to any daemon if that one is gone. The barrier in it
-- makes the answer reflect everything that was accepted before.
--
-- KEYS[1] log   KEYS[2] query channel of the daemon that answered last   KEYS[3] daemons   KEYS[4] query list
-- ARGV[1] reply_to   ARGV[2] the request's JSON
-- ARGV[3] most queries in the list   ARGV[4] how long a query stays there, ms
--
-- Returns {"ok", barrier} or {"refused", the reply's JSON}.

-- Entries are trimmed after their commit, so there is nothing to wait for if the log is empty.
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local barrier = last[1] and last[1][1] or '0-0'
local query = barrier .. ' ' .. ARGV[1] .. ' ' .. ARGV[2]
if redis.call('SPUBLISH', KEYS[2], query) > 0 then
  return {'ok', barrier}
end

if redis.call('PUBSUB', 'SHARDNUMSUB', KEYS[3])[2] == 0 then
  return {'refused', '{"refused":"no_daemon"}'}
end
if redis.call('LLEN', KEYS[4]) >= tonumber(ARGV[3]) then
  return {'refused', '{"refused":"backlog"}'}
end
local length = redis.pcall('RPUSH', KEYS[4], query)
if type(length) == 'number' then
  redis.call('PEXPIRE', KEYS[4], ARGV[4])
elseif string.find(length.err, 'READONLY', 1, true) then
  return length
else
  -- Redis takes no writes: it is at maxmemory, or has too few replicas. Publishing is possible, so every daemon
  -- gets the query, and the caller takes the first answer.
  redis.call('SPUBLISH', KEYS[3], query)
end
return {'ok', barrier}
