#!lua flags=allow-oom
-- Revokes a user's tokens and closes the user's connections, in one step. It works in a full Redis too: the
-- record is small, and there is one for each user at most.
--
-- KEYS[1] revoked:<user>   KEYS[2] the user's channel
-- ARGV[1] unused: nobody answers but this script
-- ARGV[2] tokens from before this second are revoked   ARGV[3] how long that is remembered, ms
-- ARGV[4] the envelope that closes the connections
--
-- Returns {"ok", the number of daemons that hold a connection of the user}.

local before = redis.call('GET', KEYS[1])
-- The clock of one caller may be behind that of another.
if not before or tonumber(before) < tonumber(ARGV[2]) then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return {'ok', tostring(redis.call('SPUBLISH', KEYS[2], ARGV[4]))}
