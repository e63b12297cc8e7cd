-- Appends the recall of a message and tells the receiver's clients, in one step. The entry is small, so a
-- full log takes it.
--
-- KEYS[1] log   KEYS[2] daemons   KEYS[3] the receiver's channel
-- KEYS[4…] seen:<receiver>:<message> for each id that the message may have
-- ARGV[1] reply_to   ARGV[2] how long an id that was accepted stays known, ms
-- ARGV[3] envelope; empty: the id does not show whose message it is, so only the writer can tell the clients
-- ARGV[4…] fields of the log entry, names and values in turn
--
-- Returns {"ok", entry id} or {"refused", the reply's JSON}.

if redis.call('PUBSUB', 'SHARDNUMSUB', KEYS[2])[2] == 0 then
  return {'refused', '{"refused":"no_daemon"}'}
end
local entry = {unpack(ARGV, 4)}
entry[#entry + 1] = 'q'
entry[#entry + 1] = ARGV[1]
local id = redis.call('XADD', KEYS[1], '*', unpack(entry))
for i = 4, #KEYS do
  redis.call('PEXPIRE', KEYS[i], ARGV[2], 'GT')
end
if ARGV[3] ~= '' then
  redis.call('SPUBLISH', KEYS[3], ARGV[3])
end
return {'ok', id}
