-- Gives the writer's lease up if this daemon still holds it, so that another need not wait for it to run out.
--
-- KEYS[1] writer   ARGV[1] daemon id
--
-- Returns 1 if it was given up, 0 if it was not held.

if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
