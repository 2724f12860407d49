-- pool_limit.lua - bounded queues: submit waits for a place, or gives up.

local await = require "await"
local places = require "places"
local t = require "harness"
local troupe = require "troupe"
local task = require "troupe.task"

local test, eq, ok, raises, deep = t.test, t.eq, t.ok, t.raises, t.deep

local function nothing() end

test("submit gives up when its time is up, and tells", function()
  local pool <close> = troupe.pool{ workers = 1, queue_limit = 2 }
  pool:pause()
  local first, second = pool:submit(type, 1), pool:submit(type, 1)
  deep({ pool:submit({ type, enqueue_timeout = 0 }, 1) }, { nil, "full" })
  deep({ pool:submit({ type, enqueue_timeout = 0.005 }, 1) }, { nil, "full" })
  local told
  local function tell(...) told = { ... } end
  deep({ pool:submit({ type, enqueue_timeout = 0.005, on_enqueue_timeout = tell }, 1, "x") },
    { nil, "full" })
  deep(told, { 1, "x" })
  eq(pool:stats().pending, 2)
  pool:resume()
  eq(first:await(), "number")
  eq(second:await(), "number")
  eq(pool:submit({ type, enqueue_timeout = 0 }, 1):await(), "number")
end)

test("a group and the shorthands hear of a full queue as submit does", function()
  local pool <close> = troupe.pool{ workers = 1, queue_limit = 1 }
  local group <close> = pool:group()
  pool:pause()
  pool:submit(type, 1)
  deep({ group:submit({ type, enqueue_timeout = 0 }, 1) }, { nil, "full" })
  eq(group:counts().total, 0)
end)

test("submit waits for a place, in a task and outside", function()
  local pool <close> = troupe.pool{ workers = 1, queue_limit = 1 }
  local done = 0
  for _ = 1, 100 do
    pool:submit{ nothing, on_success = function() done = done + 1 end }
    ok(pool:stats().pending <= 1)
  end
  await(function() return done >= 100 end)
  pool:pause()
  pool:submit(type, 1)
  local began, job, result
  task.spawn(function()
    began = true
    job = pool:submit(type, 1)
    result = job:await()
  end)
  await(function() return began end)
  eq(pool:stats().pending, 1) -- had it got a place, that would have been answered earlier
  eq(job, nil)
  pool:resume()
  await(function() return result end)
  eq(result, "number")
end)

test("who waits for a place gets it first come, first served", function()
  local pool <close> = troupe.pool{ workers = 1, queue_limit = 1 }
  pool:pause()
  pool:submit(type, 1)
  local order = {}
  for i = 1, 10 do
    task.spawn(function()
      pool:submit(nothing)
      order[#order + 1] = i
    end)
  end
  pool:resume()
  await(function() return #order >= 10 end)
  deep(order, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 })
end)

test("jobs with a time of their own need no place, and retries none either", function()
  local pool <close> = troupe.pool{ workers = 1, queue_limit = 1 }
  pool:pause()
  pool:submit(type, 1)
  local later = pool:submit({ type, delay = 0.001, enqueue_timeout = 0 }, 1)
  local repeating = pool:submit({ type, every = 0.001, enqueue_timeout = 0 }, 1)
  ok(later and repeating)
  pool:resume()
  eq(later:await(), "number")
  repeating:cancel()
  local job = pool:submit{ function()
    _G.runs = (_G.runs or 0) + 1
    if _G.runs < 5 then error("again") end
    return _G.runs
  end, retries = 9 }
  eq(job:await(), 5)
  eq(places(pool), 1)
end)

test("a gang needs no places: it could wait for its own", function()
  local pool <close> = troupe.pool{ workers = 3, queue_limit = 1 }
  local gang = pool:gang{ "return 1", "return 2", "return 3" }
  eq(gang:wait(), true)
  deep(gang:results(), { 1, 2, 3, n = 3 })
  eq(places(pool), 1)
end)

test("a cancelled job gives its place back", function()
  local pool <close> = troupe.pool{ workers = 1, queue_limit = 1 }
  pool:pause()
  eq(pool:submit(type, 1):cancel(), true)
  local job = pool:submit({ type, enqueue_timeout = 0 }, 1)
  pool:cancel()
  deep({ job:join() }, { false, "cancelled" })
  ok(pool:submit({ type, enqueue_timeout = 0 }, 1))
end)

test("a job that cannot be sent gives its place back", function()
  local pool <close> = troupe.pool{ workers = 1, queue_limit = 1 }
  raises("cannot send a userdata", pool.submit, pool, type, io.stdout)
  pool:stats() -- the node has heard of it
  eq(places(pool), 1)
end)

test("closing a pool ends the waiting for a place", function()
  local pool <close> = troupe.pool{ workers = 1, queue_limit = 1 }
  pool:pause()
  pool:submit(type, 1)
  local good, err
  task.spawn(function() good, err = pcall(pool.submit, pool, type, 1) end)
  task.sleep(0)
  eq(good, nil)
  pool:shutdown()
  await(function() return good ~= nil end)
  eq(good, false)
  ok(err:find "the pool is closed")
end)

test("no place is lost or made, whoever gives up when", function()
  local pool <close> = troupe.pool{ workers = 2, queue_limit = 3 }
  local running, sent, full, ended = 8, 0, 0, 0
  for i = 1, running do
    task.spawn(function()
      for k = 1, 200 // t.slowdown + 10 do
        local timeout = (i + k) % 3 * 0.0001
        local job = pool:submit{ nothing, enqueue_timeout = timeout, on_complete = function() ended = ended + 1 end }
        if job then sent = sent + 1 else full = full + 1 end
        if k % 7 == 0 and job then job:cancel() end
      end
      running = running - 1
    end)
  end
  await(function() return running == 0 and ended >= sent end)
  eq(sent + full, 8 * (200 // t.slowdown + 10))
  eq(places(pool), 3)
end)

test("a job that is killed while it submits, or waits for that, loses no place", function()
  local pool <close> = troupe.pool{ workers = 2, queue_limit = 2, name = "besieged" }
  local callers <close> = troupe.pool{ workers = 2 }
  local jobs = {}
  for i = 1, 120 // t.slowdown + 10 do
    jobs[i] = callers:submit(function()
      local found = require "troupe".find_pool "besieged"
      require "troupe".emit "here"
      while true do
        found:submit(function() end)
        found:submit{ function() end, enqueue_timeout = 0 }
      end
    end)
    jobs[i]:stream()()
    local spun = os.clock() + i % 7 * 1e-4
    repeat task.sleep(0) until os.clock() >= spun
    ok(jobs[i]:kill(0))
    deep({ jobs[i]:join() }, { false, "killed" })
  end
  pool:join()
  eq(places(pool), 2)
end)

test("misuse is told by name", function()
  raises("option 'queue_limit': integer of at least 1 expected, got 0", troupe.pool, { queue_limit = 0 })
  local pool <close> = troupe.pool{ queue_limit = 1 }
  raises("option 'enqueue_timeout': number of at least 0 expected", pool.submit, pool, { type, enqueue_timeout = -1 })
end)

t.finish()
