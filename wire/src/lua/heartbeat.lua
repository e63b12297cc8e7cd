-- Tells that this daemon's subscriptions are served, and finds daemons that have not told so for too long.
--
-- KEYS[1] beats
-- ARGV[1] daemon id   ARGV[2] client id of its subscriptions   ARGV[3] how long a daemon may be silent, ms
--
-- Returns daemon id and client id of each silent daemon, in turn; each is found once.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %s', now, ARGV[2]))
local silent = {}
local beats = redis.call('HGETALL', KEYS[1])
for i = 1, #beats, 2 do
  local last, client = string.match(beats[i + 1], '^(%d+) (%d+)$')
  if now - tonumber(last) > tonumber(ARGV[3]) then
    redis.call('HDEL', KEYS[1], beats[i])
    silent[#silent + 1] = beats[i]
    silent[#silent + 1] = client
  end
end
redis.call('PEXPIRE', KEYS[1], 10 * ARGV[3])
return silent
