-- Accepts one message for many receivers of one partition: remembers its id for each, appends one entry to the log
-- and publishes it, in one step.
--
-- KEYS[1] log   KEYS[2] daemons
-- KEYS[3…] for each receiver: seen:<receiver>:<message>, then the receiver's channel
-- ARGV[1] reply_to; empty: nobody waits for the commit, the message is only queued
-- ARGV[2] most entries in the log
-- ARGV[3] how long the message id is remembered, ms
-- ARGV[4] envelope up to the time   ARGV[5] envelope behind the time
-- ARGV[6] the bytes before the ids of many users
-- ARGV[7] the number of receivers   ARGV[8…] their ids
-- Then the fields of the log entry, names and values in turn: version, entry kind, receivers (empty), id, …
--
-- Returns {one mark for each receiver, error of Redis or "", the JSON of each refusal}. The marks:
--   1 or 0 accepted; whether the receiver is connected
--   D or d accepted before, and the entry asks for the answer of then
--   W or w accepted before, and nothing will be answered
--   x refused by MySQL before   n no daemon   b backlog   e the error of Redis

local waits = ARGV[1] ~= ''
local count = tonumber(ARGV[7])
local question = {'PUBSUB', 'SHARDNUMSUB', KEYS[2]}
for i = 1, count do
  question[i + 3] = KEYS[2 * i + 2]
end
local subscribers = redis.call(unpack(question))
local full = redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[2])
local refusal = waits and subscribers[2] == 0 and 'n' or full and 'b'

local marks, refusals, new, error = {}, {}, {}, ''
-- The receivers of the entry, and their marks.
local receivers, listed = {}, {}
for i = 1, count do
  local key = KEYS[2 * i + 1]
  local online = subscribers[2 * i + 2] > 0 and '1' or '0'
  local seen
  if refusal or error ~= '' then
    seen = redis.call('GET', key)
  else
    seen = redis.pcall('SET', key, online, 'NX', 'GET', 'PX', ARGV[3])
    if type(seen) == 'table' then
      -- Redis takes no new message. It says so with the first write, so nothing is done yet.
      error = seen.err
      seen = redis.call('GET', key)
    end
  end
  local mark
  if not seen then
    mark = refusal or error ~= '' and 'e' or online
    if mark == online then
      new[#new + 1] = i
    end
  elseif #seen > 1 then
    mark = 'x'
    refusals[#refusals + 1] = seen
  elseif full or error ~= '' then
    -- A full log takes no more requests for an answer.
    mark = seen == '1' and 'W' or 'w'
  else
    mark = seen == '1' and 'D' or 'd'
  end
  marks[i] = mark
  if mark == '1' or mark == '0' or waits and (mark == 'D' or mark == 'd') then
    receivers[#receivers + 1] = ARGV[7 + i]
    listed[#listed + 1] = mark
  end
end

if #receivers > 0 then
  local first = 8 + count
  local entry
  if #new > 0 then
    entry = {'XADD', KEYS[1], '*', unpack(ARGV, first)}
  else
    -- All are repeated: an entry of kind "h", with version, receivers and id.
    entry = {'XADD', KEYS[1], '*', unpack(ARGV, first, first + 7)}
    entry[7] = 'h'
  end
  entry[9] = table.concat(receivers, '\n')
  entry[#entry + 1] = 'l'
  entry[#entry + 1] = table.concat(listed)
  if waits then
    entry[#entry + 1] = 'q'
    entry[#entry + 1] = ARGV[1]
  elseif subscribers[2] == 0 then
    -- As in accept.lua: this id may count as applied.
    local info = redis.pcall('INFO', 'server')
    entry[#entry + 1] = 'u'
    entry[#entry + 1] = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
  end
  local id = redis.pcall(unpack(entry))
  if type(id) == 'table' then
    -- A message that is not in the log must not count as accepted.
    for _, i in ipairs(new) do
      redis.call('DEL', KEYS[2 * i + 1])
    end
    return id
  end
  -- The entry's id begins with the time of acceptance.
  local envelope = ARGV[4] .. string.match(id, '^%d+') .. ARGV[5]
  local channels, ids, copies = {}, {}, 0
  for _, i in ipairs(new) do
    if marks[i] == '1' then
      channels[#channels + 1] = KEYS[2 * i + 2]
      ids[#ids + 1] = ARGV[7 + i]
      copies = copies + subscribers[2 * i + 2]
    end
  end
  -- As in push.lua: each daemon gets it once, where that is less than a copy for each receiver.
  if copies > subscribers[2] then
    redis.call('SPUBLISH', KEYS[2], ARGV[6] .. table.concat(ids, ' ') .. '\n' .. envelope)
  else
    for _, channel in ipairs(channels) do
      redis.call('SPUBLISH', channel, envelope)
    end
  end
end
return {table.concat(marks), error, unpack(refusals)}
