-- ping_pong.lua - Savina's ping-pong: two actors, one message at a time between them. Prints nanoseconds a message.
local troupe = require "troupe"
local task = require "troupe.task"

local count = tonumber(arg[1]) or 100000
local done

local pong = troupe.spawn { { ping = function(self) self.sender:send "pong" end }, isolation = "local" }
local ping = troupe.spawn { {
  start = function(self)
    self.left = count
    pong:send "ping"
  end,
  pong = function(self)
    self.left = self.left - 1
    if self.left > 0 then pong:send "ping" else done = true end
  end,
}, isolation = "local" }

local begin = troupe.now()
ping:send "start"
task.wait_until(function() return done end)
print(("%.0f ns a message"):format((troupe.now() - begin) / (2 * count) * 1e9))
