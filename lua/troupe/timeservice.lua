--- timeservice - timers over the vm's scheduler, in the shape that threadpool_ext and lua-threadpool's programs expect.
--
--     local service = require "troupe.timeservice"
--     local timer = service:add_timer(2, 0, function() print("two seconds later") end)
--     while running do service:dispatch(100, -1) end
--
-- The module is a service, and calling it makes another, with timers of its own. While a service waits, the vm's
-- scheduler runs: tasks, mail, watched descriptors. Timers fire in dispatch, which a program calls in a loop of its
-- own, or in a task: task.spawn(function() while true do service:dispatch() end end).
--
-- 1. A timer is in the heap (armed), or ready (due, its callback is next), or neither (not armed).
-- 2. All due timers are ready before a callback runs; they run in order of time, ties in the order of arming.
-- 3. A timer never fires early. An interval counts from when the timer was armed, so it does not drift; firings that
--    were missed become one.
-- 4. A callback may arm, disarm and add timers, its own too, dispatch, and raise: the other timers are not touched.

local task = require "troupe.task"
local timer_heap = require "troupe.timer_heap"
local now = require "troupe".now

local error, pairs, pcall, setmetatable, tostring, type = error, pairs, pcall, setmetatable, tostring, type
local floor, huge, min = math.floor, math.huge, math.min
local push, remove = timer_heap.push, timer_heap.remove

local service, timer = {}, {}
service.__index, service.__name = service, "troupe.timeservice"
timer.__index, timer.__name = timer, "troupe.timeservice.timer"

-- The longest time given to the scheduler at once, so that no clock or poll has to deal with the infinite.
local longest = 3600

local function check_seconds(value, name, level)
  if type(value) ~= "number" or value ~= value or value < 0 then
    error(name .. ": number of at least 0 expected, got " .. tostring(value), level + 1)
  end
  return value
end

-- Lets the scheduler run for so long at most; true when it has run anything that dispatch's caller may look for. In a
-- task, another one may arm a timer meanwhile: set wakes us then.
local function pass_time(self, seconds)
  local id = task.running()
  if not id then return task.poll(seconds) end
  self.waiters[id] = true
  task.wait(self, seconds)
  self.waiters[id] = nil
  return false
end

local function wake_waiters(self)
  for id in pairs(self.waiters) do
    self.waiters[id] = nil
    task.notify(id, self)
  end
end

--- Arms the timer anew: first fires it after first seconds (0: never), and then every interval seconds (0: once).
function timer:set(first, interval)
  check_seconds(first, "first", 2)
  interval = check_seconds(interval or 0, "interval", 2)
  if self.place then remove(self.service.armed, self) end
  self.ready, self.interval, self.ticks = false, interval, 0
  if first == 0 then return end
  self.start = now() + first
  push(self.service.armed, self, self.start)
  if self.place == 1 then wake_waiters(self.service) end
end

--- Disarms the timer.
function timer:disarm()
  self:set(0, 0)
end

timer.close = timer.disarm

--- Seconds until the timer fires (0 when it is not armed), and its interval.
function timer:status()
  if not self.place then return 0, self.interval end
  local left = self.order - now()
  return left > 0 and left or 0, self.interval
end

--- No descriptor stands behind the timer: -1. Handlers of errors in dispatch ask.
function timer.getfd()
  return -1
end

function timer:__tostring()
  return ("timer: %s"):format(self.place and "armed" or self.ready and "due" or "not armed")
end

--- The time in seconds: monotonic, from an arbitrary start.
function service.now()
  return now()
end

--- The time at which the running callback was due; outside any, now.
function service:due()
  return self.due_now or now()
end

--- Calls fn(timer, missed) after first seconds, and then every interval seconds.
-- @param first    seconds, 0 for a timer that is armed later
-- @param interval seconds, 0 for once
-- @param fn       function: called with the timer and how many firings this one stands for; what it returns, if it
--   is a true value, is the timer's next first and interval
-- @return the timer: timer:set(first [, interval]), timer:disarm(), timer:status()
function service:add_timer(first, interval, fn)
  if type(fn) ~= "function" then error("fn: function expected, got " .. type(fn), 2) end
  check_seconds(first, "first", 2)
  check_seconds(interval or 0, "interval", 2)
  local self_timer = setmetatable({ service = self, fn = fn, ready = false }, timer)
  self_timer:set(first, interval)
  return self_timer
end

--- Disarms a timer.
function service.del_fd(_, self_timer)
  self_timer:disarm()
  return true
end

-- Moves up to most due timers to the ready list, first due first.
local function make_ready(self, most)
  local armed, ready, time = self.armed, self.ready, now()
  local first = armed[1]
  while first and first.order <= time and self.last - self.first + 1 < most do
    remove(armed, first)
    first.ready, first.due = true, first.order
    self.last = self.last + 1
    ready[self.last] = first
    first = armed[1]
  end
end

-- Puts an interval timer back for its next firing; returns how many firings have come.
local function rearm(self, fired)
  local interval = fired.interval
  if interval == 0 then return 1 end
  local before = fired.ticks
  local ticks = floor((now() - fired.start) / interval) + 1
  if ticks <= before then ticks = before + 1 end
  fired.ticks = ticks
  push(self.armed, fired, fired.start + ticks * interval)
  return ticks - before
end

local function fire(self, fired, on_error)
  fired.ready = false
  local missed = rearm(self, fired)
  local outer = self.due_now
  self.due_now = fired.due
  local ok, first, interval = pcall(fired.fn, fired, missed)
  self.due_now = outer
  if ok then
    if first then fired:set(first, interval) end
  elseif on_error then
    on_error(self, fired, { read = fired.fn }, first, "read")
  else
    error(first, 0)
  end
end

-- Fires up to most due timers; returns how many.
local function fire_due(self, most, on_error)
  local ready, fired = self.ready, 0
  make_ready(self, most)
  while self.first <= self.last and fired < most do
    local first = self.first
    local next_timer = ready[first]
    ready[first], self.first = nil, first + 1
    if next_timer.ready then
      fired = fired + 1
      fire(self, next_timer, on_error)
    end
  end
  return fired
end

-- Seconds to the first timer, at most left.
local function idle_time(self, left)
  if self.first <= self.last then return 0 end
  local first = self.armed[1]
  if first then left = min(left, first.order - now()) end
  return left > 0 and min(left, longest) or 0
end

--- Runs the scheduler and the timers until something has happened.
-- @param max_events how many timers fire at most; nil for all that are due
-- @param timeout    seconds to wait at most; nil or negative for as long as it takes
-- @param on_error   function(service, timer, callbacks, error, "read"): called for a callback that raised; without
--   one, dispatch raises the error
-- @return how many timers have fired
function service:dispatch(max_events, timeout, on_error)
  local most = max_events or huge
  if type(most) ~= "number" or most ~= most or most < 1 then
    error("max_events: number of at least 1 expected, got " .. tostring(max_events), 2)
  end
  local deadline = now() + (timeout and timeout >= 0 and timeout or huge)
  while true do
    local ran = pass_time(self, idle_time(self, deadline - now()))
    local fired = fire_due(self, most, on_error)
    if fired > 0 or ran or now() >= deadline then return fired end
  end
end

local function new()
  return setmetatable({ armed = timer_heap.new(), ready = {}, first = 1, last = 0, waiters = {} }, service)
end

service.__call = new

return new()
