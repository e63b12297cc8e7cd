#!lua flags=allow-oom
-- Notes that users have connected, until that is recorded in MySQL. It is a few bytes for each, so a Redis at maxmemory
-- executes it too (Redis manual, "Eval scripts flags").
--
-- KEYS[1] returned   ARGV[1…] user ids, each with a mark that no other connection has, in turn

redis.call('HSET', KEYS[1], unpack(ARGV))
