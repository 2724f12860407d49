-- threads_join.lua - threads that share the work and hand back their parts: how many numbers below 40,000 are
-- perfect, abundant or deficient.
local threads = require "llthreads.ex"

local function classify(first, last)
  local counts = { perfect = 0, abundant = 0, deficient = 0 }
  for n = first, last do
    local sum = n > 1 and 1 or 0
    for d = 2, math.floor(math.sqrt(n)) do
      if n % d == 0 then sum = sum + d + (d * d ~= n and n // d or 0) end
    end
    local kind = sum == n and "perfect" or sum > n and "abundant" or "deficient"
    counts[kind] = counts[kind] + 1
  end
  return counts
end

local running = {}
for i = 0, 3 do running[#running + 1] = threads.new(classify, i * 10000 + 1, (i + 1) * 10000):start() end

local total = { perfect = 0, abundant = 0, deficient = 0 }
for _, thread in ipairs(running) do
  local ok, counts = thread:join()
  assert(ok, counts)
  for kind, count in pairs(counts) do total[kind] = total[kind] + count end
end
print(total.perfect, total.abundant, total.deficient)
