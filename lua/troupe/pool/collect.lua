-- collect.lua - outcomes as they come, whoever has the handles.

local core = require "troupe.core"
local settings = require "troupe.pool.settings"

local error, math, type = error, math, type

local M = {}

local function outcome(who, job) return who, job:join(0) end

--- Iterates over the pool's jobs as they end: those this vm submitted and nobody has asked about yet, with await, join
-- or here. Jobs with callbacks, of groups and with discard are not among them.
-- @param wait nil: until none is in flight; false: those that have ended by now; number: for at most so many seconds
-- @return iterator: job (its id, in a pool with result_id), true, results... or job, false, error
-- @usage for job, ok, size in pool:as_completed() do print(job, ok, size) end
function M:as_completed(wait)
  if wait ~= nil and wait ~= false and (type(wait) ~= "number" or wait < 0 or wait ~= wait) then
    error("as_completed: nil, false or a number of seconds of at least 0 expected", 2)
  end
  local by_id = (settings[self] or {}).result_id
  local deadline = wait and core.now() + wait
  return function()
    local seconds = deadline and math.max(0, deadline - core.now())
    if wait == false then seconds = 0 end
    local job = core.next_ended(self, seconds)
    if job then return outcome(by_id and job:_id() or job, job) end
  end
end

--- Waits until nothing is pending: every job has ended, whoever submitted it, but for those delayed or scheduled.
-- @param timeout number of seconds; nil: for ever
-- @return true; false when the time was up first
function M:join(timeout)
  if core.is_closed(self) then error("join: the pool is closed", 2) end
  if timeout ~= nil and (type(timeout) ~= "number" or timeout < 0 or timeout ~= timeout) then
    error("join: number of seconds of at least 0 expected", 2)
  end
  return core.join(self, timeout) or false
end

--- Drops pending jobs and outcomes; the pool is as new. Running jobs go on, and nobody will hear of them: their handles
-- are detached.
function M:clear()
  if core.is_closed(self) then error("clear: the pool is closed", 2) end
  core.cancel(self, true)
  for job in core.flying, self do job:detach() end
  core.forget(self)
end

return M
