-- bench_processes.lua - jobs in worker processes, beside bare ZeroMQ over ipc (floor_process.c).

package.path = arg[0]:match "^(.*/)" .. "?.lua;" .. package.path
local figures = require "figures"
local troupe = require "troupe"

local now = figures.now
local TRIPS, JOBS, WINDOW = 3000, 100000, 1000

local function tiny(n) return n end

local function round_trips()
  local pool <close> = troupe.pool { workers = 1, isolation = "process" }
  local ours_most = {}
  pool:submit(tiny, 1):await()
  local ours, floor = figures.medians(function()
    local half, most = figures.trips(TRIPS, function(i) pool:submit(tiny, i):await() end)
    ours_most[#ours_most + 1] = most
    return half
  end, function() return figures.floor("floor_process", TRIPS, 1, 1) * 1e6 end)
  figures.compare("a job in a process and back, p50", ours, floor, "us", "at most", 1.3)
  figures.tell("the same, p99", figures.median(ours_most), "us")
end

local function pipelined()
  local pool <close> = troupe.pool { workers = 2, isolation = "process" }
  pool:submit(tiny, 1):await()
  local ours, floor = figures.medians(function()
    local jobs, begin = {}, now()
    for i = 1, JOBS do
      local slot = i % WINDOW
      if jobs[slot] then jobs[slot]:await() end
      jobs[slot] = pool:submit(tiny, i)
    end
    for _, job in pairs(jobs) do job:await() end
    return JOBS / (now() - begin)
  end, function() return (select(3, figures.floor("floor_process", 1, JOBS, WINDOW))) end)
  figures.tell("the floor's letters there and back, 1000 at a time", floor, "/s")
  figures.judge("jobs in two processes, 1000 at a time", ours, "/s", "at least", 300000)
end

round_trips()
pipelined()
