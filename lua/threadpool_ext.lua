--- threadpool_ext - threadpool by intervals, driven by a time service: a drop-in for lua-threadpool's module.
--
-- A time service has now() and add_timer(first, interval, fn), which returns a timer with :set(first); seconds, 0 for
-- "not armed". fn returns the next first. `require "troupe.timeservice"` is one.
--
--     threadpool.init { time_service = service, logger = logger, growing_thread_num = 10 }
--     threadpool.work(function() threadpool.wait(2) print "two seconds later" end)
--
-- 1. One timer of the service is armed for the first timeout; next_timeout is that timeout, nil when none is armed.
-- 2. No wait returns before its interval has passed by the service's clock.
-- 3. Where the service tells when its callbacks were due, waits stand in the order they would have if no callback
--    ran late; who is late by more than `slack` loses that place. A wait returns up to slack later for it.

local base = require "threadpool"

local assert, error, max, min, setmetatable, tostring, type =
  assert, error, math.max, math.min, setmetatable, tostring, type
local huge = math.huge

local M = setmetatable({}, { __index = base })

-- The shortest time the timer is set to, so that threads that wait for conditions leave room for the rest.
local tiny = 1 / 1000
local slack = 5 / 1000

local service, timer, next_timeout

local function on_timer()
  next_timeout = nil
  local timeout = base.check_timeout(service:now())
  if not timeout or timeout == huge then return 0 end
  next_timeout = timeout
  return max(tiny, timeout - service:now())
end

local function arm(timeout)
  if not timeout or timeout == huge or next_timeout and next_timeout <= timeout then return end
  next_timeout = timeout
  timer:set(max(tiny, timeout - service:now()))
end

--- Sets the stock up, as threadpool.init does.
-- @param cfg table: threadpool.init's, and time_service
function M.init(cfg)
  service = assert(cfg.time_service or cfg.epoll, "time_service must provide!")
  next_timeout = nil
  timer = service:add_timer(0, 0, on_timer)
  return base.init(cfg)
end

--- Runs fn(...) on an idle thread, at once, up to its first wait; false at the upper limit.
function M.work(...)
  local ok, timeout = base.work(...)
  arm(timeout)
  return ok
end

local function order_of(now, interval)
  local due = base.due() or service:due()
  return min(now, max(due, now - slack)) + interval
end

--- Waits, in a thread: wait([event,] interval).
-- @param event    what notify must name; any value, nil for none
-- @param interval seconds; math.huge for ever
-- @return what notify passed; 0 after an interval without an event; TIMEOUT and the event after one with
local function wait(event, interval)
  if interval == nil then event, interval = nil, event end
  if type(interval) ~= "number" then
    error("threadpool.wait: interval: number expected, got " .. tostring(interval), 2)
  end
  local now = service:now()
  return base.wait(event, now + interval, service.due and order_of(now, interval))
end
M.wait = wait

--- Waits, in a thread, until fn(...) is true. It is asked at once, and then every millisecond or so.
function M.wait_until(fn, ...)
  while not fn(...) do wait(0) end
end

--- Resumes the thread that waits for event; its wait returns the rest. False, and a line in the log, when none does.
function M.notify(...)
  local ok, timeout = base.notify(...)
  arm(timeout)
  return ok
end

local section = {}
section.__index = section

--- Enters the section, in a thread: first come, first served. Its owner may enter again, and leaves as often.
function section:enter()
  local id = base.running()
  if not id then error("critical section: no thread is running", 2) end
  if not self.owner then
    self.owner, self.depth = id, 1
  elseif self.owner == id then
    self.depth = self.depth + 1
  else
    self.last = self.last + 1
    self.queue[self.last] = id
    repeat wait(self, huge) until self.owner == id
  end
end

--- The id of the thread that is inside, nil for none.
function section:entered_thread()
  return self.owner
end

--- Leaves the section. The next thread is inside from now on, and goes on when the timer has fired.
function section:leave()
  assert(self.owner ~= nil and self.owner == base.running(), "critical section: left by a thread that is not inside")
  self.depth = self.depth - 1
  if self.depth > 0 then return end
  local first = self.first
  local id = self.queue[first]
  self.owner = id
  if id == nil then return end
  self.queue[first], self.first, self.depth = nil, first + 1, 1
  local now = service:now()
  base.hasten(id, now)
  arm(now)
end

--- A new critical section: cs:enter(), cs:leave(), cs:entered_thread().
function M.new_critical_section()
  return setmetatable({ queue = {}, first = 1, last = 0, depth = 0 }, section)
end

return M
