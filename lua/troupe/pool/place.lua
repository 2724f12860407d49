-- place.lua - a bounded queue: submit takes a place for its job first, and may have to wait for one.
--
-- In the program's own process a place that is free is taken without asking anybody. In a worker process every place is
-- asked for, and has the number of its question, by which the node knows whose it is should the process die with it.

local core = require "troupe.core"

local error, setmetatable, type = error, setmetatable, type

-- Takes back a question for a place that was not answered here, however the wait for it ended.
local Asked = {}

function Asked.__close(asked)
  if asked.id then core.give_place(asked.pool, asked.id) end
end

-- Asks for a place: the number of the question, or false when the time is up; now: when there is none at once.
local function await(pool, timeout, now, level)
  local id = core.new_id(pool)
  local asked <close> = setmetatable({ pool = pool, id = id }, Asked)
  local answer = core.await_place(pool, id, timeout, now)
  if now or answer ~= nil then asked.id = nil end -- else the question may still wait
  if answer == nil then return false end
  if answer == true then return id end
  error(type(answer) == "string" and "submit: " .. answer or "submit: the pool is closed", level + 1)
end

--- Takes a place for one job in the pool, whose settings have a queue_limit.
-- @param pool    pool
-- @param timeout number of seconds to wait at most, nil: for ever; 0: not at all
-- @param level   integer: who is to blame when the pool closes, as for error
-- @return what the order of the job has as `placed`: true, or in a worker process the number of the place; false when
--   there was none in time
return function(pool, timeout, level)
  local entered = core.enter(pool)
  if entered then return true end
  if entered == nil then
    if timeout == 0 then return (await(pool, nil, true, level + 1)) end
    return (await(pool, timeout, false, level + 1))
  end
  return timeout ~= 0 and await(pool, timeout, false, level + 1) ~= false
end
