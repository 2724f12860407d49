-- actor_timer.lua - messages for later: send_after and every.
--
-- 1. A timer is in the heap until it fired for the last time, was cancelled, or its actor was found dead.
-- 2. The vm is woken for the first one: core.set_deadline is told whenever another one is the first.
-- 3. No timer fires early. `every` keeps to its rate: what was missed meanwhile becomes one message.

local core = require "troupe.actor.core"
local timer_heap = require "troupe.timer_heap"
local now = require "troupe".now

local error, math, setmetatable, table, tostring, type = error, math, setmetatable, table, tostring, type

local M = {}

local heap = timer_heap.new()

local Timer = {}
Timer.__index = Timer
Timer.__name = "troupe.actor.timer"

local function tell_first() core.set_deadline(heap[1] and heap[1].order) end

--- Ends the timer.
-- @return true when it would have sent something still
function Timer:cancel()
  if not self.place then return false end
  core.shield()
  timer_heap.remove(heap, self)
  tell_first()
  core.unshield()
  return true
end

-- Called in tail position: level 2 is whoever called send_after or every.
local function new(actor, what, seconds, interval, name, ...)
  if type(seconds) ~= "number" or seconds < 0 or seconds ~= seconds then
    error(("%s: number of seconds of at least 0 expected, got %s"):format(what, tostring(seconds)), 2)
  end
  if type(name) ~= "string" then error(what .. ": name of a message expected, got " .. type(name), 2) end
  if interval and interval == 0 then error(what .. ": an interval of more than 0 expected", 2) end
  local args = table.pack(core.copy(...))
  local timer = setmetatable({ ref = actor.ref, interval = interval, name = name, args = args }, Timer)
  core.shield()
  timer_heap.push(heap, timer, now() + seconds)
  tell_first()
  core.unshield()
  return timer
end

--- self:send_after(seconds, name, ...): the actor sends itself a message later.
-- @return a timer with cancel()
function M.send_after(self, seconds, name, ...) return new(self, "send_after", seconds, nil, name, ...) end

--- self:every(seconds, name, ...): the same, again and again, the first time after one interval.
-- @return a timer with cancel()
function M.every(self, seconds, name, ...) return new(self, "every", seconds, seconds, name, ...) end

local function fire(timer, moment)
  local args = timer.args
  local alive = core.post(timer.ref, timer.name, core.copy(table.unpack(args, 1, args.n)))
  if not (timer.interval and alive) then return end
  local missed = math.max(0, (moment - timer.order) // timer.interval)
  timer_heap.push(heap, timer, timer.order + (missed + 1) * timer.interval)
end

--- Hook: the moment has come that set_deadline named.
function M.tick(moment)
  local due = {}
  while heap[1] and heap[1].order <= moment do
    local timer = heap[1]
    timer_heap.remove(heap, timer)
    due[#due + 1] = timer
  end
  for i = 1, #due do fire(due[i], moment) end
  tell_first()
end

return M
