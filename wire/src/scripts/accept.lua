-- Accepts one message: remembers it, appends it to the log and pushes it live, in one step.
--
-- KEYS[1] log          KEYS[2] seen:<receiver>:<message>   KEYS[3] the receiver's channel
-- KEYS[4] daemons      KEYS[5] reply:<request>
-- ARGV[1] "committed" (somebody waits on KEYS[5]) or "queued"
-- ARGV[2] most entries in the log
-- ARGV[3] how long the message id is remembered, ms
-- ARGV[4] how long an answer waits, ms
-- ARGV[5] request id
-- ARGV[6] envelope up to the time
-- ARGV[7…] fields of the log entry, names and values in turn
--
-- Returns {"ok", "1" or "0" for whether the receiver is connected} or {"refused", the reply's JSON}.
-- In committed mode a refusal is also pushed to KEYS[5], because the caller has a BLPOP under way.

local committed = ARGV[1] == 'committed'

local function refuse(reply)
  if committed then
    redis.call('RPUSH', KEYS[5], reply)
    redis.call('PEXPIRE', KEYS[5], ARGV[4])
  end
  return {'refused', reply}
end

local function subscribers(channel)
  return redis.call('PUBSUB', 'SHARDNUMSUB', channel)[2]
end

-- seen holds "1" or "0" (was the receiver connected), or the JSON of the refusal the message met later.
local seen = redis.call('GET', KEYS[2])
if seen and #seen > 1 then
  return refuse(seen)
end

if committed and subscribers(KEYS[4]) == 0 then
  return refuse('{"refused":"no_daemon"}')
end

if seen then
  if committed then
    redis.call('XADD', KEYS[1], '*', 'v', '1', 'k', 'e', 'r', string.match(KEYS[3], '%d+$'), 'l', seen, 'q', ARGV[5])
  end
  return {'ok', seen}
end

if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[2]) then
  return refuse('{"refused":"backlog"}')
end

local live = subscribers(KEYS[3]) > 0 and '1' or '0'
local entry = {'XADD', KEYS[1], '*'}
for i = 7, #ARGV do
  entry[#entry + 1] = ARGV[i]
end
entry[#entry + 1] = 'l'
entry[#entry + 1] = live
if committed then
  entry[#entry + 1] = 'q'
  entry[#entry + 1] = ARGV[5]
end
local id = redis.call(unpack(entry))
redis.call('SET', KEYS[2], live, 'PX', ARGV[3])

if live == '1' then
  -- The entry's id begins with the time of acceptance, so that the frame, the row and every later delivery agree.
  redis.call('SPUBLISH', KEYS[3], ARGV[6] .. ',"time":' .. string.match(id, '^%d+') .. '}')
end
return {'ok', live}
