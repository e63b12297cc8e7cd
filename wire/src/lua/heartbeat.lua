#!lua flags=allow-oom
-- Records that this daemon serves its subscriptions, and finds daemons whose last heartbeat is too old. It
-- renews a few bytes, so a Redis at maxmemory executes it too (Redis manual, "Eval scripts flags").
--
-- KEYS[1] heartbeats
-- ARGV[1] daemon id   ARGV[2] client id of its subscriptions   ARGV[3] oldest heartbeat of another, ms
-- ARGV[4] 1 to look for daemons without a heartbeat, 0 only to record this one
-- ARGV[5] the generation of log entries that this daemon reads
-- ARGV[6] oldest last heartbeat of this daemon with which it may look for others, ms
--
-- Returns 1 if this daemon's last heartbeat is not older than that, or 0: then this call is as one with ARGV[4]
-- 0. Then the lowest generation that a daemon reads (0 if none was looked for), and daemon id and client id of
-- each silent daemon, in turn. Each is returned once.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function age(heartbeat)
  return now - tonumber(string.match(heartbeat, '^%d+'))
end

-- After a pause of the whole machine the heartbeats of all daemons are old. Only this clock has counted it.
local heartbeats = redis.call('HGETALL', KEYS[1])
local steady = false
for i = 1, #heartbeats, 2 do
  steady = steady or heartbeats[i] == ARGV[1] and age(heartbeats[i + 1]) <= tonumber(ARGV[6])
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %s %s', now, ARGV[2], ARGV[5]))
redis.call('PEXPIRE', KEYS[1], 10 * ARGV[3])
local silent = {}
if not steady or ARGV[4] == '0' then
  return {steady and 1 or 0, 0, silent}
end
local lowest = tonumber(ARGV[5])
for i = 1, #heartbeats, 2 do
  local client, generation = string.match(heartbeats[i + 1], '^%d+ (%d+) (%d+)$')
  if age(heartbeats[i + 1]) > tonumber(ARGV[3]) then
    redis.call('HDEL', KEYS[1], heartbeats[i])
    silent[#silent + 1] = heartbeats[i]
    silent[#silent + 1] = client
  else
    lowest = math.min(lowest, tonumber(generation))
  end
end
return {1, lowest, silent}
