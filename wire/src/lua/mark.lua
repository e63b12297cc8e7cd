#!lua flags=allow-oom
-- Writes a key that nobody reads. WAIT counts the replicas that have acknowledged the last write of its own connection,
-- and answers at once where there was none. A Redis at maxmemory executes this too, so that its log can be emptied.
--
-- KEYS[1] the key

redis.call('SET', KEYS[1], '', 'PX', 60000)
