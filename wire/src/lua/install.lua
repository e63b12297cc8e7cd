#!lua flags=allow-oom
-- Writes the installation record. No daemon starts without it, and it is small, so a Redis at maxmemory executes
-- this too (Redis manual, "Eval scripts flags").
--
-- KEYS[1] the record   ARGV[1] what it becomes   ARGV[2] 1: only if there is none
--
-- Returns the record that was there.

local found = redis.call('GET', KEYS[1])
if not found or ARGV[2] ~= '1' then
  redis.call('SET', KEYS[1], ARGV[1])
end
return found
