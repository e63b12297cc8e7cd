-- Renews the writer's lease if this daemon still holds it.
--
-- KEYS[1] writer   ARGV[1] daemon id   ARGV[2] length, ms
--
-- Returns 1 if it was renewed, 0 if another holds it or it has expired.

if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return 1
end
return 0
