-- Accepts one message: remembers its id, appends it to the log and publishes it, in one step.
--
-- KEYS[1] log   KEYS[2] seen:<receiver>:<message>   KEYS[3] the receiver's channel   KEYS[4] daemons
-- ARGV[1] reply_to; empty: nobody waits for the commit, the message is only queued
-- ARGV[2] most entries in the log
-- ARGV[3] how long the message id is remembered, ms
-- ARGV[4] envelope up to the time   ARGV[5] envelope behind the time
-- ARGV[6…] fields of the log entry, names and values in turn: version, entry kind, receiver, id, …
--
-- Returns {"ok", "1" or "0" for whether the receiver is connected} or {"refused", the reply's JSON}.

local waits = ARGV[1] ~= ''
local subscribers = redis.call('PUBSUB', 'SHARDNUMSUB', KEYS[3], KEYS[4])
local no_daemon = waits and subscribers[4] == 0
local full = redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[2])
local online = subscribers[2] > 0 and '1' or '0'

-- seen holds "1" or "0" (whether the receiver was connected), or the JSON of a refusal by MySQL.
local seen
if no_daemon or full then
  seen = redis.call('GET', KEYS[2])
else
  seen = redis.pcall('SET', KEYS[2], online, 'NX', 'GET', 'PX', ARGV[3])
end
local writable = true
if type(seen) == 'table' then
  -- Redis takes no new message: it is at maxmemory, or has too few replicas. One that was accepted before is
  -- answered as ever. A script whose first write renews a key may go on to write at maxmemory.
  local refused = seen
  seen = redis.call('GET', KEYS[2])
  if not seen or string.find(refused.err, 'READONLY', 1, true) then
    return refused
  end
  writable = type(redis.pcall('PEXPIRE', KEYS[2], ARGV[3])) == 'number'
end
if seen and #seen > 1 then
  return {'refused', seen}
end
if seen then
  -- The message was accepted before, even if no daemon is there now. A full log takes no more requests for an
  -- answer.
  if waits and not full and writable then
    -- A duplicate of the entry, of kind "e": with its version, its receiver and its id.
    local duplicate = {ARGV[6], ARGV[7], ARGV[8], 'e', ARGV[10], ARGV[11], ARGV[12], ARGV[13]}
    for _, field in ipairs({'l', seen, 'q', ARGV[1]}) do
      duplicate[#duplicate + 1] = field
    end
    redis.call('XADD', KEYS[1], '*', unpack(duplicate))
  end
  return {'ok', seen}
end
if no_daemon then
  return {'refused', '{"refused":"no_daemon"}'}
end
if full then
  return {'refused', '{"refused":"backlog"}'}
end

local entry = {'XADD', KEYS[1], '*', unpack(ARGV, 6)}
entry[#entry + 1] = 'l'
entry[#entry + 1] = online
if waits then
  entry[#entry + 1] = 'q'
  entry[#entry + 1] = ARGV[1]
elseif subscribers[4] == 0 then
  -- No daemon may have repaired the log since Redis lost its tail or its clock went back, so this id may count as
  -- applied. The writer finds such an entry by this field.
  local info = redis.pcall('INFO', 'server')
  entry[#entry + 1] = 'u'
  entry[#entry + 1] = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
end
local id = redis.pcall(unpack(entry))
if type(id) == 'table' then
  -- A message that is not in the log must not count as accepted.
  redis.call('DEL', KEYS[2])
  return id
end

if online == '1' then
  -- The entry's id begins with the time of acceptance. The frame, the row and every later delivery have this
  -- time.
  redis.call('SPUBLISH', KEYS[3], ARGV[4] .. string.match(id, '^%d+') .. ARGV[5])
end
return {'ok', online}
