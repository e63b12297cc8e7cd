-- Reads whose mailboxes the entries of a log change, one slice of it: the first fields of each entry, without
-- its content. The bounds keep Redis free for others; entries are looked at sixteen at a time, because one may
-- have 64 KiB.
--
-- KEYS[1] log
-- ARGV[1] the entries after this id   ARGV[2] most entries   ARGV[3] bytes after which no more are looked at
--
-- Returns {1 if more may follow or 0, {{entry id, name, value, name, value, name, value}, …}}.

local heads = {}
local last, bytes = ARGV[1], 0
while #heads < tonumber(ARGV[2]) and bytes < tonumber(ARGV[3]) do
  local entries = redis.call('XRANGE', KEYS[1], '(' .. last, '+', 'COUNT', 16)
  for _, entry in ipairs(entries) do
    local head = {entry[1]}
    for i, text in ipairs(entry[2]) do
      bytes = bytes + #text
      if i <= 6 then
        head[i + 1] = text
      end
    end
    heads[#heads + 1] = head
    last = entry[1]
  end
  if #entries < 16 then
    return {0, heads}
  end
end
return {1, heads}
