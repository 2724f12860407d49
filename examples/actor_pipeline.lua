-- actor_pipeline.lua - three stages; the last is slow, its mailbox is small, and so the first is held back.
local troupe = require "troupe"
local task = require "troupe.task"

local sum, most, finished = 0, 0, nil
local sink = troupe.spawn { {
  put = function(_, value)
    task.sleep(0.0005)
    sum = sum + value
  end,
  close = function() finished = true end,
}, isolation = "local", mailbox_limit = 4 }

local square = troupe.spawn { {
  put = function(self, value)
    sink:send("put", value * value) -- waits while the sink has four messages
    most = math.max(most, self.ref:info().mailbox)
  end,
  close = function() sink:send "close" end,
}, isolation = "local", mailbox_limit = 4 }

task.spawn(function()
  for i = 1, 100 do square:send("put", i) end
  square:send "close"
end)
task.wait_until(function() return finished end)
print(("the squares of 1 to 100 make %d; never more than 4 waited: %s"):format(sum, most <= 4))
