-- pool_errors.lua - what happens to errors: they come back with the worker's traceback, as the very value that was
-- raised, and the other jobs go on.
local troupe = require "troupe"

local pool <close> = troupe.pool { workers = 2 }

-- await raises it here, join returns it.
local ok, err = pcall(function() return pool:submit(function() error "no such luck" end):await() end)
print(ok, err:match "no such luck", err:match "worker's stack traceback" ~= nil)

print(pool:submit(function() error({ code = 7 }) end):join())
print(select(2, pool:submit(function() error({ code = 7 }) end):join()).code)

-- A list with bad items: collect keeps the good results.
local function halve(n)
  if n % 2 == 1 then error(n .. " is odd", 0) end
  return n // 2
end
local results, errors = pool:map(halve, { 2, 3, 4, 5, 6 }, { on_error = "collect" })
for i = 1, 5 do print(i, results[i], errors[i]) end

-- A job that fails now and then may be run again.
local file = os.tmpname()
print(pool:submit({ function(name)
  local out <close> = io.open(name, "a")
  out:write "."
  if out:seek "end" < 3 then error "not yet" end
  return "at last"
end, retries = 5, backoff = 0.01 }, file):await())
os.remove(file)
