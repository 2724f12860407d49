-- actor_philosophers.lua - five philosophers and a table that gives both forks or neither.
local troupe = require "troupe"
local task = require "troupe.task"

local Table = {}
function Table:init(seats) self.seats, self.taken, self.waiting = seats, {}, {} end
local function give(self, seat, token)
  local other = seat % self.seats + 1
  if self.taken[seat] or self.taken[other] then return false end
  self.taken[seat], self.taken[other] = true, true
  token:reply()
  return true
end
function Table:take(seat)
  local token = self:defer() -- the answer comes when both forks are free
  if not give(self, seat, token) then self.waiting[#self.waiting + 1] = { seat, token } end
end
function Table:put(seat)
  self.taken[seat], self.taken[seat % self.seats + 1] = nil, nil
  for i = #self.waiting, 1, -1 do
    if give(self, table.unpack(self.waiting[i])) then table.remove(self.waiting, i) end
  end
end

local dinner = troupe.spawn({ Table, isolation = "light" }, 5)
local Philosopher = {}
function Philosopher:dine(seat, meals) -- luacheck: ignore 212
  for _ = 1, meals do
    dinner:call_with({ timeout = 60 }, "take", seat)
    task.sleep(0.001)
    dinner:send("put", seat)
  end
  return meals
end

local meals, total = {}, 0
for seat = 1, 5 do meals[seat] = troupe.spawn({ Philosopher, isolation = "light" }):ask("dine", seat, 10) end
for seat = 1, 5 do total = total + meals[seat]:await() end
print(total .. " meals")
