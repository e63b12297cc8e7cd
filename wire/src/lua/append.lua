-- Appends one entry whose commit somebody waits for (application delete, clear). It is small, so a full log
-- takes it.
--
-- KEYS[1] log   KEYS[2] daemons
-- ARGV[1] reply_to   ARGV[2…] fields of the log entry, names and values in turn
--
-- Returns {"ok", entry id} or {"refused", the reply's JSON}.

if redis.call('PUBSUB', 'SHARDNUMSUB', KEYS[2])[2] == 0 then
  return {'refused', '{"refused":"no_daemon"}'}
end
local entry = {unpack(ARGV, 2)}
entry[#entry + 1] = 'q'
entry[#entry + 1] = ARGV[1]
return {'ok', redis.call('XADD', KEYS[1], '*', unpack(entry))}
