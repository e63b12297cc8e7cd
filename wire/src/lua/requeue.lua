-- Appends an entry that MySQL had refused to the log again, once.
--
-- KEYS[1] log   KEYS[2] requeued:<number>
-- KEYS[3] seen:<receiver>:<message>, or KEYS[2] if the entry is not a message
-- ARGV[1] how long both are remembered, ms   ARGV[2…] fields of the log entry, names and values in turn
--
-- Returns 1 if it was appended, 0 if it had been before.

if not redis.call('SET', KEYS[2], '0', 'NX', 'PX', ARGV[1]) then
  return 0
end
-- A repeated call was accepted in the meantime, so the message is in the log already.
local seen = redis.call('GET', KEYS[3])
if KEYS[3] ~= KEYS[2] and (seen == '0' or seen == '1') then
  return 0
end
-- From now on a repeated call is answered that the message is stored, no longer with the refusal.
redis.call('SET', KEYS[3], '0', 'PX', ARGV[1])
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2))
return 1
