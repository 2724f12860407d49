-- bench_actors.lua - light actors on Savina's benchmarks (examples/savina), beside the floor of coroutines in Lua.

package.path = (arg[0]:match("^(.*/)") or "./") .. "?.lua;" .. package.path

local figures = require "figures"

local here = arg[0]:match "^(.*)/" or "."

-- Benchmark, how many, unit, bound, target of the ratio.
local rows = {
  { "ping_pong", 500000, "ns", "at most", 1 },
  { "counting", 1000000, "M/s", "at least", 0.8 },
  { "fork_join_create", 50000, "/s", "at least", 1.8 },
  { "fork_join_throughput", 20000, "M/s", "at least", 0.9 },
  { "thread_ring", 500000, "ns", "at most", 1 },
  { "chameneos", 100000, "/s", "at least", 1.4 },
  { "big", 5000, "M/s", "at least", 1.1 },
}

-- The interpreter that runs this file.
local first = 0
while arg[first - 1] do first = first - 1 end
local lua = arg[first]

local function number_of(...)
  local pipe <close> = assert(io.popen(table.concat({ "'" .. lua .. "'", ... }, " ")))
  return assert(tonumber((pipe:read("a"):match "^%S+")), (...))
end

for _, row in ipairs(rows) do
  local name, count, unit, bound, target = table.unpack(row)
  local ours, floor = figures.medians(function()
    return number_of(("'%s/../../examples/savina/%s.lua'"):format(here, name), count)
  end, function() return number_of(("'%s/floor_actors.lua'"):format(here), name, count) end)
  figures.compare(name, ours, floor, unit, bound, target)
end

-- ---- a supervised child is killed, and the one in its place answers

local troupe = require "troupe"
local task = require "troupe.task"

local RESTARTS = 2000

local current
local child = { init = function(self) current = self.ref end, ping = function() return "pong" end }
local tree = troupe.supervise { intensity = 1000000, period = 3600, children = { { id = "child", start = { child } } } }

-- Microseconds of one restart.
local function restarts()
  local begin = troupe.now()
  for _ = 1, RESTARTS do
    local victim = current
    victim:kill()
    while current == victim do task.sleep(0) end
    current:call "ping"
  end
  return (troupe.now() - begin) / RESTARTS * 1e6
end

local done
task.spawn(function()
  local early = restarts()
  for _ = 1, 8 do restarts() end
  figures.judge("supervised child restarted, the first 2,000", early, "us", "at most", 15)
  figures.judge("the same, after 18,000 in the period", restarts(), "us", "at most", 15)
  done = true
end)
task.wait_until(function() return done end)
tree:stop()
