-- Forgets users whose connection is recorded in MySQL by now. Whoever has connected again has another mark, and stays.
--
-- KEYS[1] returned   ARGV[1…] user ids and marks, in turn

for i = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
