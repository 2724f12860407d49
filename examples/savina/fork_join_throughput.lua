-- fork_join_throughput.lua - Savina's fork-join throughput: one actor sends to 60 others in turn. Prints millions of
-- messages a second.
local troupe = require "troupe"
local task = require "troupe.task"

local actors, count = 60, tonumber(arg[1]) or 5000
local ready = 0
local crew = {}

local worker = { {
  init = function(self) self.left = count end,
  work = function(self)
    self.left = self.left - 1
    if self.left == 0 then ready = ready + 1 end
  end,
}, isolation = "local" }
for i = 1, actors do crew[i] = troupe.spawn(worker) end
local sender = troupe.spawn { { start = function()
  for _ = 1, count do
    for i = 1, actors do crew[i]:send "work" end
  end
end }, isolation = "local" }

local begin = troupe.now()
sender:send "start"
task.wait_until(function() return ready == actors end)
print(("%.2f M messages a second"):format(actors * count / (troupe.now() - begin) / 1e6))
