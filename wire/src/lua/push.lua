-- Publishes one message to users of one partition, in one step. The message is sent to Redis once for all of them.
--
-- KEYS[…] the channels of the users
-- ARGV[1] unused: nobody answers but this script   ARGV[2] the envelope
--
-- Returns {one digit for each channel: 1 if the user is connected, 0 if not}.

local reached = {}
for i, channel in ipairs(KEYS) do
  reached[i] = redis.call('SPUBLISH', channel, ARGV[2]) > 0 and '1' or '0'
end
return {table.concat(reached)}
