-- Appends one entry that somebody waits for (ack, clear). Small and bounded, so never refused for backlog.
--
-- KEYS[1] log   KEYS[2] daemons   KEYS[3] reply:<request>
-- ARGV[1] how long an answer waits, ms   ARGV[2…] fields of the log entry, names and values in turn
--
-- Returns {"ok", entry id} or {"refused", the reply's JSON}, which is then also pushed to KEYS[3].

if redis.call('PUBSUB', 'SHARDNUMSUB', KEYS[2])[2] == 0 then
  local reply = '{"refused":"no_daemon"}'
  redis.call('RPUSH', KEYS[3], reply)
  redis.call('PEXPIRE', KEYS[3], ARGV[1])
  return {'refused', reply}
end
return {'ok', redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2))}
