-- place.lua - a bounded queue: submit takes a place for its job first, and may have to wait for one.
--
-- In the program's own process a place that is free is taken at the pool's gate, without asking anybody. In a worker
-- process the node is asked for each. What was taken or asked for and becomes no job's is given back as the place is
-- closed.

local core = require "troupe.core"

local error, type = error, type

-- Asks the node: true, or false when the time is up; now: when there is none at once.
local function ask(pool, place, timeout, now, level)
  local answer = core.await_place(pool, place, timeout, now)
  if answer == true then return true end
  if answer == nil then return false end
  error(type(answer) == "string" and "submit: " .. answer or "submit: the pool is closed", level + 1)
end

--- Takes a place for one job in the pool, whose settings have a queue_limit.
-- @param pool    pool
-- @param place   core.place(pool), which the caller closes
-- @param timeout number of seconds to wait at most, nil: for ever; 0: not at all
-- @param level   integer: who is to blame when the pool closes, as for error
-- @return true; false when there was none in time
return function(pool, place, timeout, level)
  local entered = core.enter(pool, place)
  if entered or entered == false and timeout == 0 then return entered end
  local now = timeout == 0 or nil
  return (ask(pool, place, not now and timeout or nil, now, level + 1))
end
