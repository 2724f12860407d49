-- A job that sends what it finds while it searches on; leaving the loop stops it. One that hangs is made to end.
local troupe = require "troupe"

local function twin_primes(from)
  local inside = require "troupe"
  local function is_prime(n)
    for d = 3, math.floor(math.sqrt(n)), 2 do
      if n % d == 0 then return false end
    end
    return true
  end
  for n = from | 1, math.maxinteger, 2 do
    if is_prime(n) and is_prime(n + 2) and not inside.emit(n, n + 2) then return "stopped" end
    inside.checkin(n)
  end
end

local pool <close> = troupe.pool{ workers = 2 }

local search = pool:submit({ twin_primes, cleanup = function(status) print("cleanup: " .. status) end }, 1000)
local found = 0
for a, b in search:stream() do
  print(a, b)
  found = found + 1
  if found == 5 then break end
end
print(search:await(), search:status())

-- A job that does not look whether it shall end, and one over its time: force ends both.
local function hang() while true do pcall(function() while true do end end) end end
print(pool:submit{ hang, timeout = 0.1 }:join())

-- Step by step: each value waits until it was taken and the job resumed.
local steps = pool:submit(function()
  local inside, step = require "troupe", 0
  while inside.sync(step) do step = step + 1 end
  return "ended after " .. step
end)
for _ = 1, 3 do print("step", steps:take(), steps:resume()) end
print("last", steps:take(), steps:resume(true), steps:await())
