-- pool_submit.lua - single jobs: submit, go on with something else, await. Prints 3, then the sums of four jobs.
local troupe = require "troupe"

local pool <close> = troupe.pool { workers = 2 }

print(pool:submit(function(a, b) return a + b end, 1, 2):await())

-- A job may be a function, "module:function", "@file.lua" or Lua source. Its upvalues travel with it.
local step = 10
local jobs = {}
for i = 1, 4 do
  jobs[i] = pool:submit(function(limit)
    local sum = 0
    for n = 0, limit, step do sum = sum + n end
    return sum
  end, i * 1000)
end
for i, job in ipairs(jobs) do print(i, job:await()) end

print(pool:submit("string:rep", "ab", 3):await())
print(pool:submit("return select('#', ...)", nil, nil, nil):await())
