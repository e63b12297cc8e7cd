-- Accepts one message: remembers it, appends it to the log and pushes it live, in one step.
--
-- KEYS[1] log   KEYS[2] seen:<receiver>:<message>   KEYS[3] the receiver's channel   KEYS[4] daemons
-- ARGV[1] who waits for the commit; empty: nobody, the message is only queued
-- ARGV[2] most entries in the log
-- ARGV[3] how long the message id is remembered, ms
-- ARGV[4] envelope up to the time
-- ARGV[5…] fields of the log entry, names and values in turn
--
-- Returns {"ok", "1" or "0" for whether the receiver is connected} or {"refused", the reply's JSON}.

local waits = ARGV[1] ~= ''
local subscribers = redis.call('PUBSUB', 'SHARDNUMSUB', KEYS[3], KEYS[4])
local alone = waits and subscribers[4] == 0
local full = redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[2])
local live = subscribers[2] > 0 and '1' or '0'

-- seen holds "1" or "0" (was the receiver connected), or the JSON of the refusal the message met later.
local seen
if alone or full then
  seen = redis.call('GET', KEYS[2])
else
  seen = redis.call('SET', KEYS[2], live, 'NX', 'GET', 'PX', ARGV[3])
end
if seen and #seen > 1 then
  return {'refused', seen}
end
if seen then
  -- It is accepted, also while no daemon is there to say so. A log that is full takes no more wishes to hear of it.
  if waits and not full then
    redis.call('XADD', KEYS[1], '*', 'v', '1', 'k', 'e', 'r', string.match(KEYS[3], '%d+$'), 'l', seen, 'q', ARGV[1])
  end
  return {'ok', seen}
end
if alone then
  return {'refused', '{"refused":"no_daemon"}'}
end
if full then
  return {'refused', '{"refused":"backlog"}'}
end

local entry = {'XADD', KEYS[1], '*', unpack(ARGV, 5)}
entry[#entry + 1] = 'l'
entry[#entry + 1] = live
if waits then
  entry[#entry + 1] = 'q'
  entry[#entry + 1] = ARGV[1]
end
local id = redis.pcall(unpack(entry))
if type(id) == 'table' then
  -- What is not in the log must not be remembered as accepted.
  redis.call('DEL', KEYS[2])
  return id
end

if live == '1' then
  -- The entry's id begins with the time of acceptance, so that the frame, the row and every later delivery agree.
  redis.call('SPUBLISH', KEYS[3], ARGV[4] .. ',"time":' .. string.match(id, '^%d+') .. '}')
end
return {'ok', live}
