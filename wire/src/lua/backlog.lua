#!lua flags=no-writes
-- How much is in a log, without its contents.
--
-- KEYS[1] log   ARGV[1] the id up to which MySQL holds everything
--
-- Returns {number of entries, the id of the first entry that MySQL does not hold, or an empty text}.

local waiting = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', 1)
return {redis.call('XLEN', KEYS[1]), waiting[1] and waiting[1][1] or ''}
