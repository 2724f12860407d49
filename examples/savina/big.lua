-- big.lua - Savina's big: 120 actors ping each other at random. Prints millions of messages a second.
local troupe = require "troupe"
local task = require "troupe.task"

local actors, count = 120, tonumber(arg[1]) or 2000
local crew, done = {}, 0

local Member = {}
function Member:init(seed) self.seed, self.left = seed, count end
function Member:go()
  self.seed = (self.seed * 1309 + 13849) & 65535
  crew[1 + self.seed % actors]:send "ping"
end
function Member:ping() self.sender:send "pong" end
function Member:pong()
  self.left = self.left - 1
  if self.left > 0 then Member.go(self) else done = done + 1 end
end

for i = 1, actors do crew[i] = troupe.spawn({ Member, isolation = "local" }, i) end
local begin = troupe.now()
for i = 1, actors do crew[i]:send "go" end
task.wait_until(function() return done == actors end)
print(("%.2f M messages a second"):format(2 * actors * count / (troupe.now() - begin) / 1e6))
