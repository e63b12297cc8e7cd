#!lua flags=allow-oom
-- Makes the next id of a log follow a position. An empty stream takes a few bytes, so a Redis at maxmemory
-- executes it too (Redis manual, "Eval scripts flags").
--
-- KEYS[1] log   ARGV[1] the position

if redis.call('EXISTS', KEYS[1]) == 0 then
  -- XSETID needs the key to exist. An entry that is added and deleted leaves an empty stream.
  redis.call('XADD', KEYS[1], '0-1', 'placeholder', '')
  redis.call('XDEL', KEYS[1], '0-1')
end
return redis.call('XSETID', KEYS[1], ARGV[1])
