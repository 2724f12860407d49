-- pool_schedule.lua - jobs with a time: a report every so often, one at a moment of the day, one after a while.
local troupe = require "troupe"
local task = require "troupe.task"

local pool <close> = troupe.pool{ workers = 1, name = "clock" }

-- After a while, unless somebody thinks better of it.
local never = pool:submit{ print, delay = 3600 }
print(never:cancel(), never:status())

-- Five reports, a fixed time apart, however long each takes; one that fails is told and does not end them.
local told = 0
local report = pool:submit{ function()
  _G.count = (_G.count or 0) + 1
  if _G.count == 3 then error("no report", 0) end
  return "report " .. _G.count
end, every = 0.02,
  on_success = function(_, text) print(text) end,
  on_error = function(_, err) if err ~= "cancelled" then print(err) end end,
  on_complete = function() told = told + 1 end }

-- At the next full second, as os.time tells it; os.date"*t" tables name days and hours as well.
local moment = os.time() + 1
local bell = pool:submit{ function() return os.time() end, at = moment }

while told < 5 do task.sleep(0.005) end
report:cancel()
print(report.runs >= 5)
print(bell:await() >= moment)
print(pool:stats().scheduled .. " left")
