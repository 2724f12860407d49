-- pool_imap.lua - an endless list: items are read as results are taken, in order, and leaving the loop ends it all.
-- Prints the first ten numbers whose squares end in 444.
local troupe = require "troupe"

local pool <close> = troupe.pool {}

local n = 0
local function numbers()
  n = n + 1
  return n
end

local found = 0
for match in pool:imap(function(i) return i * i % 1000 == 444 and i end, numbers, { window = 1000 }) do
  if match then
    print(match)
    found = found + 1
    if found == 10 then break end
  end
end
