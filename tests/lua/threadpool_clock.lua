-- threadpool_clock.lua - time by hand for the threadpool tests: fresh modules, a logger that remembers, a time service.

local concat, pack = table.concat, table.pack
local ipairs, package, require, tostring = ipairs, package, require, tostring

local M = {}

--- The module as a program finds it that has not loaded it yet, with nothing in its stock.
function M.fresh(name)
  for _, loaded in ipairs { "threadpool", "threadpool_ext", "troupe.timeservice" } do package.loaded[loaded] = nil end
  return require(name)
end

--- A logger; logger.lines holds what it was told, "level: arguments".
function M.logger()
  local logger = { lines = {} }
  for _, level in ipairs { "warn", "error", "debug" } do
    logger[level] = function(...)
      local words = pack(...)
      for i = 1, words.n do words[i] = tostring(words[i]) end
      logger.lines[#logger.lines + 1] = level .. ": " .. concat(words, "|", 1, words.n)
    end
  end
  return logger
end

local timer = {}
timer.__index = timer

function timer:set(first)
  local service = self.service
  service.sets = service.sets + 1
  self.at = first > 0 and service.clock + first or nil
end

local service = {}
service.__index = service

function service:now()
  return self.clock
end

function service:add_timer(first, _, fn)
  local new = M.timer(self, fn)
  new:set(first)
  return new
end

-- Fires the first timer that is due at time; false for none.
local function fire_first(self, time)
  local first
  for _, candidate in ipairs(self.timers) do
    if candidate.at and candidate.at <= time and not (first and first.at <= candidate.at) then first = candidate end
  end
  if not first then return false end
  if self.clock < first.at then self.clock = first.at end
  first.at = nil
  local again = first.fn()
  if again then first:set(again) end
  return true
end

--- Lets the clock run to time, timers firing exactly when they are due.
function service:run_to(time)
  while fire_first(self, time) do self.fired = self.fired + 1 end
  self.clock = time
end

function M.timer(owner, fn)
  local new = setmetatable({ service = owner, fn = fn }, timer)
  owner.timers[#owner.timers + 1] = new
  return new
end

--- A time service with nothing but now and add_timer, whose clock stands still until run_to.
function M.service(start)
  return setmetatable({ clock = start or 100, timers = {}, sets = 0, fired = 0 }, service)
end

return M
