-- fork_join_create.lua - Savina's fork-join create: actors that live for one message. Prints actors a second.
local troupe = require "troupe"
local task = require "troupe.task"

local count = tonumber(arg[1]) or 20000
local left, done = count, nil

local parent = troupe.spawn { { done = function()
  left = left - 1
  done = left == 0
end }, isolation = "local" }
local child = { { work = function(self, value)
  math.sin(value)
  parent:send "done"
  self:stop()
end }, isolation = "local" }

local begin = troupe.now()
for i = 1, count do troupe.spawn(child):send("work", i) end
task.wait_until(function() return done end)
print(("%.0f actors a second"):format(count / (troupe.now() - begin)))
