-- actor_wait.lua - waiting for something that Lua code finds out: a future's answer, an actor's end.
--
-- A place is a table that lists the tasks which wait at it. Whoever changes what they wait for calls M.wake(place).

local task_core = require "troupe.task.core"
local now = require "troupe".now

local math = math

local M = {}

--- Waits until done() is true.
-- @param place table
-- @param done function without arguments
-- @param seconds number or nil: no longer than that
-- @return true; false when the time was up
function M.wait(place, done, seconds)
  local deadline = seconds and now() + seconds
  local id
  while not done() do
    local left = deadline and math.max(0, deadline - now())
    if left == 0 then return false end
    if task_core.may_park() then
      if not id then
        id = task_core.running()
        place[#place + 1] = id
      end
      task_core.suspend(left)
    else
      task_core.turn(left)
    end
  end
  return true
end

--- The tasks at the place look again.
function M.wake(place)
  for i = #place, 1, -1 do
    task_core.resume(place[i])
    place[i] = nil
  end
end

return M
