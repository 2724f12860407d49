-- chameneos.lua - Savina's chameneos: creatures meet in pairs and change colours. Prints meetings a second.
local troupe = require "troupe"
local task = require "troupe.task"

local creatures, meetings = 100, tonumber(arg[1]) or 20000
local left, sum, gone = meetings, 0, 0

local mall = troupe.spawn { {
  meet = function(self, colour)
    local waiting = self.waiting
    if left == 0 then
      self.sender:send "leave"
    elseif waiting then
      self.waiting, left = nil, left - 1
      waiting:send("meet", colour, self.sender)
    else
      self.waiting = self.sender
    end
  end,
  count = function(_, met) sum, gone = sum + met, gone + 1 end,
}, isolation = "local" }

local Creature = {}
function Creature:init(i) self.colour, self.met = i % 3, 0 mall:send("meet", self.colour) end
function Creature:change(colour)
  self.colour, self.met = colour, self.met + 1
  mall:send("meet", colour)
end
function Creature:meet(other, partner)
  local own = self.colour
  Creature.change(self, own == other and own or 3 - own - other)
  partner:send("change", self.colour)
end
function Creature:leave() mall:send("count", self.met) end

local begin = troupe.now()
for i = 1, creatures do troupe.spawn({ Creature, isolation = "local" }, i) end
task.wait_until(function() return gone == creatures end)
assert(sum == 2 * meetings)
print(("%.0f meetings a second"):format(meetings / (troupe.now() - begin)))
