-- rate_limiter.lua - lets so many pass within so many seconds, never more: a sliding window.
--
--     local limiter = troupe.spawn({ "actors/rate_limiter.lua", isolation = "light" }, 10, 1)      10 a second
--     limiter:call("try")                                   true, or false when it is too early
--     limiter:call_with({ timeout = 60 }, "acquire")        true when it is one's turn, first come, first served

local now = require "troupe".now

local error, math, table, tostring = error, math, table, tostring

local Limiter = {}

function Limiter:init(count, seconds)
  if math.type(count) ~= "integer" or count < 1 then
    error("rate_limiter: integer of at least 1 expected, got " .. tostring(count), 0)
  end
  self.most, self.seconds = count, seconds or 1
  self.passed, self.count = {}, 0 -- the moments of the last `most` that passed, in a ring
  self.waiting = {}
end

-- Seconds until the next one may pass; 0: now.
local function left(self)
  local oldest = self.passed[self.count % self.most + 1]
  return oldest and math.max(0, oldest + self.seconds - now()) or 0
end

local function pass(self)
  self.passed[self.count % self.most + 1] = now()
  self.count = self.count + 1
end

local function wait(self)
  if self.waiting[1] and not self.timer then self.timer = self:send_after(left(self), "due") end
end

function Limiter:try()
  if self.waiting[1] or left(self) > 0 then return false end
  pass(self)
  return true
end

function Limiter:acquire()
  if Limiter.try(self) then return true end
  table.insert(self.waiting, self:defer())
  wait(self)
end

function Limiter:due()
  self.timer = nil
  while self.waiting[1] and left(self) == 0 do
    pass(self)
    table.remove(self.waiting, 1):reply(true)
  end
  wait(self)
end

return Limiter
