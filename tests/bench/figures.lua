-- figures.lua - what the benchmark's rows in Lua share: rounds that take turns, medians, and the lines they print.
--
-- A line closes with `reached` or `missed`; a line without a target is there to judge the others by.

local assert, io, math, os, print, table, tonumber = assert, io, math, os, print, table, tonumber
local now = require "troupe".now

local M = { now = now, ROUNDS = 5 }

function M.percentile(values, part)
  table.sort(values)
  return values[math.min(#values, math.floor(#values * part) + 1)]
end

function M.median(values) return M.percentile(values, 0.5) end

--- Runs each function ROUNDS times, in turns so that a machine's moods meet all; returns the median of each one's
--- first result, in order.
function M.medians(...)
  local functions, values, result = { ... }, {}, {}
  for i = 1, #functions do values[i] = {} end
  for round = 1, M.ROUNDS do
    for i = 1, #functions do values[i][round] = functions[i]() end
  end
  for i = 1, #functions do result[i] = M.median(values[i]) end
  return table.unpack(result)
end

--- Microseconds of so many round trips, one after the other, trip(i) each: p50, p99.
function M.trips(count, trip)
  local trips = {}
  for i = 1, count do
    local begin = now()
    trip(i)
    trips[i] = (now() - begin) * 1e6
  end
  return M.median(trips), M.percentile(trips, 0.99)
end

--- The numbers that a floor of the build tree prints.
function M.floor(name, ...)
  local command = table.concat({ os.getenv "top_builddir" .. "/tests/bench/" .. name, ... }, " ")
  local pipe <close> = assert(io.popen(command))
  local numbers = {}
  for word in pipe:read("a"):gmatch("%S+") do numbers[#numbers + 1] = tonumber(word) end
  assert(#numbers > 0, command)
  return table.unpack(numbers)
end

local function verdict(value, bound, target)
  local good
  if bound == "at most" then good = value <= target else good = value >= target end
  return good and "reached" or "missed"
end

--- A figure beside its floor; their ratio is judged.
function M.compare(what, ours, floor, unit, bound, target)
  print(("%-46s %12.2f %s, floor %12.2f, ratio %.3f, %s %.3f  %s"):format(what, ours, unit, floor, ours / floor, bound,
    target, verdict(ours / floor, bound, target)))
  io.stdout:flush()
end

--- A figure that is judged as it is.
function M.judge(what, ours, unit, bound, target)
  print(("%-46s %12.2f %s, %s %.2f  %s"):format(what, ours, unit, bound, target, verdict(ours, bound, target)))
  io.stdout:flush()
end

--- A figure to know.
function M.tell(what, ours, unit)
  print(("%-46s %12.2f %s"):format(what, ours, unit))
  io.stdout:flush()
end

return M
