-- Releases the writer's lease if this daemon still holds it, so that another need not wait until it expires.
--
-- KEYS[1] writer   ARGV[1] daemon id
--
-- Returns 1 if it was released, 0 if this daemon did not hold it.

if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
