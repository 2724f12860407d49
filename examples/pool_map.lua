-- pool_map.lua - one function over a list, on all cores: how many primes there are below 100,000, counted in pieces.
local troupe = require "troupe"

local function count_primes(from)
  local count = 0
  for n = math.max(from, 2), from + 9999 do
    local prime = true
    for d = 2, math.floor(math.sqrt(n)) do
      if n % d == 0 then prime = false break end
    end
    if prime then count = count + 1 end
  end
  return count
end

local starts = {}
for i = 0, 9 do starts[#starts + 1] = i * 10000 end

local pool <close> = troupe.pool {}
local total = 0
for i, count in ipairs(pool:map(count_primes, starts)) do
  print(starts[i], count)
  total = total + count
end
print("all", total)
