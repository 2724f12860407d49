-- floor_scheduler.lua - the floor of the task rows: the smallest scheduler of coroutines with mail and timers.
--
-- No ids, no errors, no kill, nothing but this state: what a plain Lua program could write for itself.

local assert, create, resume, yield = assert, coroutine.create, coroutine.resume, coroutine.yield
local now = require "troupe".now

local M = {}

local ready, first, last = {}, 1, 0
local times, sleepers, count = {}, {}, 0
local running

local function push(self)
  last = last + 1
  ready[last] = self
end

function M.spawn(fn, ...)
  local self = { first = 1, last = 0 }
  self.thread = create(fn)
  self.argument = ...
  push(self)
  return self
end

function M.send(self, message)
  self.last = self.last + 1
  self[self.last] = message
  if self.waiting then
    self.waiting = false
    push(self)
  end
end

function M.receive()
  local self = running
  if self.first > self.last then
    self.first, self.last = 1, 0
    self.waiting = true
    yield()
  end
  local message = self[self.first]
  self[self.first] = nil
  self.first = self.first + 1
  return message
end

-- Times and sleepers are one binary heap in two tables.
function M.sleep(seconds)
  local time = now() + seconds
  count = count + 1
  local at = count
  while at > 1 and times[at // 2] > time do
    times[at], sleepers[at] = times[at // 2], sleepers[at // 2]
    at = at // 2
  end
  times[at], sleepers[at] = time, running
  yield()
end

local function pop()
  local self, time, moved = sleepers[1], times[count], sleepers[count]
  times[count], sleepers[count] = nil, nil
  count = count - 1
  local at = 1
  while 2 * at <= count do
    local child = 2 * at
    if child < count and times[child + 1] < times[child] then child = child + 1 end
    if time <= times[child] then break end
    times[at], sleepers[at] = times[child], sleepers[child]
    at = child
  end
  if count > 0 then times[at], sleepers[at] = time, moved end
  return self
end

--- Until nobody is ready and nobody sleeps; between timers it spins, which no program would want and no floor beats.
function M.run()
  while true do
    while first <= last do
      local self = ready[first]
      ready[first] = nil
      first = first + 1
      if first > last then first, last = 1, 0 end
      running = self
      assert(resume(self.thread, self.argument))
    end
    if count == 0 then return end
    local time = now()
    while count > 0 and times[1] <= time do push(pop()) end
  end
end

return M
