-- pool_schedule.lua - jobs with a time: at, every, and what becomes of repeating jobs.

local t = require "harness"
local await = require "await"
local troupe = require "troupe"
local task = require "troupe.task"
local core = require "troupe.core"

local test, eq, ok, raises, deep = t.test, t.eq, t.ok, t.raises, t.deep

test("what was cancelled is so for whoever asks next", function()
  local pool <close> = troupe.pool{ workers = 1 }
  for _ = 1, 2000 // t.slowdown do
    local job = pool:submit{ os.time, delay = 3600 }
    eq(job:cancel(), true)
    eq(job:status(), "cancelled")
  end
end)

-- ---- at

test("a job with a time runs at that time, not before", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local at = os.time() + 1
  ok(pool:submit{ os.time, at = at }:await() >= at)
  at = core.wall() + 0.05
  local wall = function() return require "troupe" and require "troupe.core".wall() end
  ok(pool:submit{ wall, at = at }:await() >= at - 0.001)
end)

test("a time may be a table as os.date returns it", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local date = os.date("*t", os.time() + 1)
  local at = os.time(date)
  ok(pool:submit{ os.time, at = date }:await() >= at)
end)

test("a job whose time is past runs at once", function()
  local pool <close> = troupe.pool{ workers = 1 }
  eq(pool:submit({ type, at = 0 }, 1):await(), "number")
  eq(pool:submit({ type, at = os.date("*t", 86400) }, 1):await(), "number")
end)

test("a time that is none is refused", function()
  local pool <close> = troupe.pool{ workers = 1 }
  raises("option 'at': a time as os.time or os.date", pool.submit, pool, { type, at = "noon" })
  raises("option 'at': field 'month' missing", pool.submit, pool, { type, at = { year = 2020 } })
  raises("'delay' and 'at' exclude each other", pool.submit, pool, { type, at = 1, delay = 1 })
  raises("'every': more than 0 seconds expected", pool.submit, pool, { type, every = 0 })
  raises("option 'every': number of at least 0 expected, got %-1", pool.submit, pool, { type, every = -1 })
end)

-- ---- every

test("a repeating job runs again and again, and each run is told to its callbacks", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local seen, completed, before = {}, 0, troupe.now()
  local job
  job = pool:submit({ function() return require "troupe".now() end, every = 0.02,
    on_success = function(which, at)
      eq(which, job)
      seen[#seen + 1] = at
    end,
    on_complete = function() completed = completed + 1 end })
  await(function() return #seen >= 4 end)
  ok(job.runs >= 4)
  ok(job:cancel() == true or job:status() ~= "delayed")
  job:join()
  for i, at in ipairs(seen) do
    -- Never before its turn: the clock is one for all threads.
    ok(at >= before + (i - 1) * 0.02, i)
  end
  await(function() return completed >= #seen end)
  local runs = job.runs
  task.sleep(0.05)
  eq(job.runs, runs)
end)

test("a run that fails is told and does not end the repetition", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local good, bad = 0, 0
  local job = pool:submit({ function()
    _G.turn = (_G.turn or 0) + 1
    if _G.turn % 2 == 0 then error("even", 0) end
    return "odd"
  end, every = 0.005, on_success = function() good = good + 1 end, on_error = function(_, err)
    if err == "even" then bad = bad + 1 end
  end })
  await(function() return good >= 2 and bad >= 2 end)
  job:cancel()
  job:join()
  local stats = pool:stats()
  ok(stats.done >= 2 and stats.failed >= 2)
end)

test("a repeating job that is cancelled ends, and its handle says so", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit({ type, every = 1000, delay = 1000, name = "later" }, 1)
  eq(job.runs, 0)
  eq(job:status(), "delayed")
  eq(job:info().name, "later")
  eq(job:cancel(), true)
  deep({ job:join() }, { false, "cancelled" })
  eq(job:status(), "cancelled")
  eq(job.runs, 0)
  eq(tostring(job):match "^troupe%.job %(", "troupe.job (")
end)

test("a job cancelled in a run of its own ends with that run", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local gate = os.tmpname()
  os.remove(gate)
  local job = pool:submit({ function(name)
    repeat local file = io.open(name) until file
    return "last"
  end, every = 0.001 }, gate)
  await(function() return job:status() == "running" end)
  eq(job:cancel(), false)
  io.open(gate, "w"):close()
  eq(job:await(), "last")
  os.remove(gate)
end)

test("shutdown ends repeating jobs and waits for the others", function()
  local pool <close> = troupe.pool{ workers = 2 }
  local jobs = {}
  for i = 1, 3 do jobs[i] = pool:submit({ type, every = 0.001 * i }, 1) end
  local waiting = pool:submit({ type, every = 1e6, delay = 1e6 }, 1)
  local plain = pool:submit({ type, delay = 0.02 }, 1)
  eq(pool:shutdown(), true)
  eq(plain:await(), "number")
  deep({ waiting:join() }, { false, "cancelled" })
  for _, job in ipairs(jobs) do ok(job:join() ~= nil) end
end)

test("a repeating job nobody asks about runs all the same", function()
  local path = os.tmpname()
  local pool <close> = troupe.pool{ workers = 1 }
  eq(pool:submit({ function(name)
    local file = io.open(name, "a")
    file:write("x")
    file:close()
  end, every = 0.002, discard = true }, path), nil)
  await(function()
    local file <close> = io.open(path)
    return #file:read "a" >= 3
  end)
  pool:cancel(nil, true)
  eq(pool:shutdown(), true)
  os.remove(path)
end)

test("collecting the results of a pool does not wait for repeating jobs", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local repeating = pool:submit({ type, every = 0.001 }, 1)
  local plain, count = pool:submit(type, 1), 0
  for job, good, word in pool:as_completed() do
    eq(job, plain)
    eq(good, true)
    eq(word, "number")
    count = count + 1
  end
  eq(count, 1)
  repeating:cancel()
end)

test("a repeating job nobody cancels does not keep the program from its end", function()
  local status, out, err = t.script [[
    local pool = require "troupe".pool{ workers = 1 }
    local job = pool:submit{ function() end, every = 0.001, on_success = function() end }
    repeat require "troupe.task".sleep(0.001) until job.runs > 2
    print "done"
  ]]
  eq(err, "")
  eq(out, "done\n")
  eq(status, 0)
end)

t.finish()
