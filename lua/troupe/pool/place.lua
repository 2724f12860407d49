-- place.lua - a bounded queue: submit takes a place for its job first, and may have to wait for one.

local core = require "troupe.core"

local error, setmetatable = error, setmetatable

-- Takes back a question for a place that was not answered here, however the wait for it ended.
local Asked = {}

function Asked.__close(asked)
  if asked.id then core.give_place(asked.pool, asked.id) end
end

-- Waits for a place: true, or false when the time is up.
local function await(pool, timeout, level)
  local asked <close> = setmetatable({ pool = pool, id = core.new_id(pool) }, Asked)
  local answer = core.await_place(pool, asked.id, timeout)
  if answer == nil then return false end
  asked.id = nil
  if not answer then error("submit: the pool is closed", level + 1) end
  return true
end

--- Takes a place for one job in the pool, whose settings have a queue_limit.
-- @param pool    pool
-- @param timeout number of seconds to wait at most, nil: for ever; 0: not at all
-- @param level   integer: who is to blame when the pool closes, as for error
-- @return true; false when there was none in time
return function(pool, timeout, level)
  return core.enter(pool) or timeout ~= 0 and await(pool, timeout, level + 1)
end
