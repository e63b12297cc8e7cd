#!lua flags=allow-oom
-- Appends one entry of a client (client ack, clear) to the log of a Redis at maxmemory. The entry is small, it
-- is trimmed once it is applied, and without it the same messages would be sent again and again. So it may
-- exceed the limit (Redis manual, "Eval scripts flags").
--
-- KEYS[1] log   ARGV[…] fields of the log entry, names and values in turn
--
-- Returns the entry id.

return redis.call('XADD', KEYS[1], '*', unpack(ARGV))
