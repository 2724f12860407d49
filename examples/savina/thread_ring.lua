-- thread_ring.lua - Savina's thread ring: a number goes round 503 actors and gets smaller by one each time. Prints
-- nanoseconds a hop.
local troupe = require "troupe"
local task = require "troupe.task"

local actors, hops = 503, tonumber(arg[1]) or 100000
local done
local ring = {}

local member = { {
  follow = function(self, next_member) self.next_member = next_member end,
  hop = function(self, left)
    if left == 0 then done = true else self.next_member:send("hop", left - 1) end
  end,
}, isolation = "local" }
for i = 1, actors do ring[i] = troupe.spawn(member) end
for i = 1, actors do ring[i]:send("follow", ring[i % actors + 1]) end

local begin = troupe.now()
ring[1]:send("hop", hops)
task.wait_until(function() return done end)
print(("%.0f ns a hop"):format((troupe.now() - begin) / hops * 1e9))
