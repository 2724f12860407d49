-- counting.lua - Savina's counting actor: one sends increments, the other counts. Prints millions of messages a second.
local troupe = require "troupe"
local task = require "troupe.task"

local count = tonumber(arg[1]) or 200000
local total

local counter = troupe.spawn { {
  init = function(self) self.count = 0 end,
  increment = function(self) self.count = self.count + 1 end,
  get = function(self) self.sender:send("total", self.count) end,
}, isolation = "local" }
local producer = troupe.spawn { {
  start = function()
    for _ = 1, count do counter:send "increment" end
    counter:send "get"
  end,
  total = function(_, value) total = value end,
}, isolation = "local" }

local begin = troupe.now()
producer:send "start"
task.wait_until(function() return total end)
assert(total == count)
print(("%.2f M messages a second"):format(count / (troupe.now() - begin) / 1e6))
