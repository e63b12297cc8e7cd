-- Revokes a user's tokens, closes the user's connections and appends the entry that removes what is kept of the
-- user, in one step: without a daemon that will read the entry nothing is done. The entry is small, so a full log
-- takes it.
--
-- KEYS[1] log   KEYS[2] daemons   KEYS[3] revoked:<user>   KEYS[4] the user's channel
-- ARGV[1] reply_to
-- ARGV[2] tokens from before this second are revoked   ARGV[3] how long that is remembered, ms
-- ARGV[4] the envelope that closes the connections
-- ARGV[5…] fields of the log entry, names and values in turn
--
-- Returns {"ok", entry id} or {"refused", the reply's JSON}.

if redis.call('PUBSUB', 'SHARDNUMSUB', KEYS[2])[2] == 0 then
  return {'refused', '{"refused":"no_daemon"}'}
end
local entry = {unpack(ARGV, 5)}
entry[#entry + 1] = 'q'
entry[#entry + 1] = ARGV[1]
local id = redis.call('XADD', KEYS[1], '*', unpack(entry))
local before = redis.call('GET', KEYS[3])
-- As in disconnect.lua: the clock of one caller may be behind that of another.
if not before or tonumber(before) < tonumber(ARGV[2]) then
  redis.call('SET', KEYS[3], ARGV[2], 'PX', ARGV[3])
end
redis.call('SPUBLISH', KEYS[4], ARGV[4])
return {'ok', id}
