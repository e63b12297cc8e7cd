#!lua flags=allow-oom
-- Notes that users have connected, until that is recorded in MySQL. It is a few bytes for each, so a Redis at maxmemory
-- executes it too (Redis manual, "Eval scripts flags").
--
-- A mark ends with the time of the connection if it is noted again, after Redis may have lost it. It replaces none of a
-- later connection.
--
-- KEYS[1] returned   ARGV[1…] user ids, each with a mark that no other connection has, in turn

local function connected_at(mark)
  return tonumber(string.match(mark, ':(%d+)$')) or math.huge
end

for i = 1, #ARGV, 2 do
  local known = redis.call('HGET', KEYS[1], ARGV[i])
  if not known or connected_at(known) <= connected_at(ARGV[i + 1]) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
