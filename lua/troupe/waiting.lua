-- waiting.lua - waiting for something that Lua code finds out: a task's end, a future's answer, a group's count.
--
-- A place is a table that lists the tasks which wait at it. Whoever changes what they wait for calls wake(place).

local task_core = require "troupe.task.core"
local now = require "troupe".now

local ipairs, math, table = ipairs, math, table

local M = {}

-- A task whose wait is over, for whatever reason, is at the place no more.
local function leave(place, id)
  for i = #place, 1, -1 do
    if place[i] == id then table.remove(place, i) end
  end
end

--- Waits until done() is true; it is asked again whenever the place is woken, outside any task after each turn.
-- @param place table
-- @param done function without arguments
-- @param seconds number or nil: no longer than that
-- @return true; false when the time was up
function M.wait(place, done, seconds)
  local deadline = seconds and now() + seconds
  while not done() do
    local left = deadline and math.max(0, deadline - now())
    if left == 0 then return false end
    if task_core.may_park() then
      local id = task_core.running()
      place[#place + 1] = id
      task_core.suspend(left)
      leave(place, id)
    else
      task_core.turn(left)
    end
  end
  return true
end

--- The tasks at the place look again, those that came first first.
function M.wake(place)
  for i, id in ipairs(table.move(place, 1, #place, 1, {})) do
    place[i] = nil
    task_core.resume(id)
  end
end

return M
