-- Puts an entry that MySQL had refused back into the log, once.
--
-- KEYS[1] log   KEYS[2] back:<number>   KEYS[3] seen:<receiver>:<message>, or KEYS[2] again if it is no message
-- ARGV[1] how long that is remembered, ms   ARGV[2…] fields of the log entry, names and values in turn
--
-- Returns 1 if it was put back, 0 if it had been before.

if not redis.call('SET', KEYS[2], '0', 'NX', 'PX', ARGV[1]) then
  return 0
end
-- Accepted again meanwhile, by a repeated call: it is there.
local seen = redis.call('GET', KEYS[3])
if KEYS[3] ~= KEYS[2] and (seen == '0' or seen == '1') then
  return 0
end
-- A repeated call is to hear that the message is stored now, and not of the refusal any more.
redis.call('SET', KEYS[3], '0', 'PX', ARGV[1])
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2))
return 1
