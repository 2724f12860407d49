-- bench_tasks.lua - tasks beside the smallest scheduler of coroutines, lua-threadpool's loop, and a pool of threads.

package.path = (arg[0]:match("^(.*/)") or "./") .. "?.lua;" .. package.path

local troupe = require "troupe"
local task = require "troupe.task"
local figures = require "figures"
local floor = require "floor_scheduler"
local shape = require "threadpool_shape"

local now = figures.now

local SLEEPERS, SPAWNS, MESSAGES, TRIPS = 100000, 300000, 300000, 5000

-- ---- sleeps

-- The seconds from the first spawn to the last end, and how late the latest woke.
local function sleep_all(scheduler)
  local latest = 0
  local function sleeper()
    local due = now() + 1
    scheduler.sleep(1)
    local late = now() - due
    assert(late >= 0, "a sleeper woke early")
    if late > latest then latest = late end
  end
  collectgarbage()
  local begin = now()
  for _ = 1, SLEEPERS do scheduler.spawn(sleeper) end
  scheduler.run()
  return now() - begin, latest
end

local function sleeps()
  local ours_late, floor_late = {}, {}
  local ours_wall, floor_wall = figures.medians(function()
    local wall, late = sleep_all(task)
    ours_late[#ours_late + 1] = late
    return wall
  end, function()
    local wall, late = sleep_all(floor)
    floor_late[#floor_late + 1] = late
    return wall
  end)
  figures.tell("100,000 sleeps of a second, the floor's wall", floor_wall, "s")
  figures.tell("100,000 sleeps of a second, the floor's latest", figures.median(floor_late) * 1e3, "ms")
  figures.judge("100,000 sleeps of a second, wall", ours_wall, "s", "at most", 1.25)
  figures.judge("100,000 sleeps of a second, the latest", figures.median(ours_late) * 1e3, "ms", "at most", 3)
end

-- ---- spawn to end

local function job(a, b) return a, b end

local function spawn_all(spawn)
  local begin = now()
  for i = 1, SPAWNS do spawn(job, i, i) end
  task.run()
  return SPAWNS / (now() - begin)
end

local function spawns()
  local pool = shape.new(10)
  local wrap = coroutine.wrap
  local ours, peer, wrapped = figures.medians(
    function() return spawn_all(task.spawn) end,
    function() return spawn_all(pool.work) end,
    function() return spawn_all(function(fn, ...) wrap(fn)(...) end) end)
  figures.tell("coroutine.wrap, called once", wrapped / 1e6, "M/s")
  figures.compare("spawn to end, against lua-threadpool's loop", ours / 1e6, peer / 1e6, "M/s", "at least", 1)
end

-- ---- ping-pong

-- Two tasks, a notify and a wait for each message.
local function notify_messages()
  local event, count = "ball", 0
  local ping, pong
  local function play(me)
    while count < MESSAGES do
      task.wait(event, 10)
      count = count + 1
      task.notify(me == 1 and pong or ping, event, count)
    end
  end
  ping, pong = task.spawn(play, 1), task.spawn(play, 2)
  local begin = now()
  task.notify(ping, event, 0)
  -- whoever plays last leaves the other one waiting
  while count < MESSAGES do task.poll(1) end
  local passed = now() - begin
  task.kill(ping)
  task.kill(pong)
  return passed / count
end

local function floor_messages()
  local count = 0
  local players = {}
  local function play(me)
    while count < MESSAGES do
      floor.receive()
      count = count + 1
      floor.send(players[3 - me], count)
    end
  end
  players[1], players[2] = floor.spawn(play, 1), floor.spawn(play, 2)
  floor.run()
  local begin = now()
  floor.send(players[1], 0)
  floor.run()
  return (now() - begin) / count
end

local function ping_pong()
  local ours, theirs = figures.medians(notify_messages, floor_messages)
  figures.compare("ping-pong by notify and wait, a message", ours * 1e9, theirs * 1e9, "ns", "at most", 1)
end

-- ---- across two vms

-- Runs in a worker: answers each ball until it is told to stop.
local function answer(player)
  local troupe = require "troupe" -- luacheck: ignore 431
  local task = require "troupe.task" -- luacheck: ignore 431
  troupe.notify(player, "here", task.running())
  while task.wait("ball", 30) == true do troupe.notify(player, "ball", true) end
end

local function across()
  local pool <close> = troupe.pool{ workers = 1 }
  local p50, p99 = {}, {}
  local floors = {}
  for round = 1, figures.ROUNDS do
    floors[round] = figures.floor("floor_pool", "trip", TRIPS)
    local trips = {}
    task.run(function()
      pool:submit({ answer, discard = true }, task.running())
      local peer = task.wait("here", 10)
      assert(peer ~= task.TIMEOUT, "the worker does not answer")
      for i = 1, TRIPS do
        local begin = now()
        task.notify(peer, "ball", true)
        assert(task.wait("ball", 10) == true, "a ball is lost")
        trips[i] = now() - begin
      end
      task.notify(peer, "ball", false)
    end)
    p50[round], p99[round] = figures.percentile(trips, 0.5), figures.percentile(trips, 0.99)
  end
  local half, most = figures.median(p50), figures.median(p99)
  figures.compare("notify across two vms and back, p50", half * 1e6, figures.median(floors) * 1e6, "us", "at most", 1.1)
  figures.compare("notify across two vms and back, p99 to p50", most * 1e6, half * 1e6, "us", "at most", 2.5)
end

sleeps()
spawns()
ping_pong()
across()
