-- Answers requests of one partition, and never leaves an answer without expiry.
--
-- KEYS reply keys   ARGV[1] how long an answer waits, ms   ARGV[i + 1] the answer for KEYS[i]

for i, key in ipairs(KEYS) do
  redis.call('RPUSH', key, ARGV[i + 1])
  redis.call('PEXPIRE', key, ARGV[1])
end
return #KEYS
