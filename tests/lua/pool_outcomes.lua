-- pool_outcomes.lua - callbacks, as_completed, clear, and the pool's settings for outcomes.

local await = require "await"
local t = require "harness"
local troupe = require "troupe"
local task = require "troupe.task"

local eq, ok, raises, test = t.eq, t.ok, t.raises, t.test

local function double(v) return v * 2 end
local function fail(v) error({ code = v }) end

test("as_completed gives the jobs whose handles were thrown away", function()
  local pool <close> = troupe.pool{ workers = 2 }
  for i = 1, 1000 do pool:submit(double, i) end
  pool:submit(fail, 7)
  collectgarbage()
  local sum, failed = 0, nil
  for job, good, v in pool:as_completed() do
    ok(tostring(job):match "^troupe%.job")
    if good then sum = sum + v else failed = v end
  end
  eq(sum, 1001000)
  eq(failed.code, 7)
  for _ in pool:as_completed() do error "nothing is left" end
end)

test("as_completed leaves out what was asked about, and what has callbacks", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local asked = pool:submit(double, 1)
  local polled = pool:submit(double, 2)
  local told
  pool:submit({ double, on_success = function(_, v) told = v end }, 3)
  local left = pool:submit(double, 4)
  pool:submit({ double, discard = true }, 5)
  eq(asked:await(), 2)
  eq(select(2, polled:join()), 4)
  local count = 0
  for job, good, v in pool:as_completed() do
    count = count + 1
    eq(job, left)
    eq(good, true)
    eq(v, 8)
  end
  eq(count, 1)
  pool:shutdown()
  eq(told, 6)
  eq(left:await(), 8)
end)

test("as_completed(false) does not wait, and a number of seconds is all it waits", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local done = pool:submit(double, 1)
  pool:submit(function() require "troupe".task.sleep(3600) end)
  await.status(done, "finished")
  local seen = 0
  for job in pool:as_completed(false) do
    eq(job, done)
    seen = seen + 1
  end
  eq(seen, 1)
  local before = troupe.now()
  for _ in pool:as_completed(0.02) do error "nothing can have ended" end
  ok(troupe.now() - before >= 0.02)
  raises("as_completed: nil, false or a number", pool.as_completed, pool, "x")
  raises("as_completed: nil, false or a number", pool.as_completed, pool, -1)
end)

test("several tasks share what as_completed gives, each job goes to one", function()
  local pool <close> = troupe.pool{ workers = 2 }
  local seen, count = {}, 0
  for i = 1, 200 do pool:submit(double, i) end
  local ids = {}
  for i = 1, 4 do
    ids[i] = task.spawn(function()
      for job, _, v in pool:as_completed() do
        ok(not seen[v])
        seen[v], count = job, count + 1
        task.sleep(0)
      end
    end)
  end
  for i = 1, 4 do eq(task.join(ids[i]), true) end
  eq(count, 200)
end)

test("a job that is detached ends the wait of as_completed", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit(function() require "troupe".task.sleep(3600) end)
  local id = task.spawn(function()
    local n = 0
    for _ in pool:as_completed() do n = n + 1 end
    return n
  end)
  job:detach()
  local _, n = task.join(id)
  eq(n, 0)
end)

test("callbacks are called with the job and its results, the error, and at the end", function()
  local pool <close> = troupe.pool{ workers = 2 }
  local said = {}
  local function say(what) return function(job, ...) said[#said + 1] = { what, job, select("#", ...), ... } end end
  local function all(fn)
    return { fn, on_success = say "success", on_error = say "error", on_complete = say "complete" }
  end
  local good = pool:submit(all(function(...) return ... end), 1, nil, 3)
  eq(select("#", good:await()), 3)
  local bad = pool:submit(all(fail), 5)
  eq(bad:join(), false)
  pool:shutdown()
  eq(#said, 4)
  t.deep({ said[1][1], said[1][3], said[1][4], said[1][6] }, { "success", 3, 1, 3 })
  eq(said[1][2], good)
  t.deep({ said[2][1], said[2][3] }, { "complete", 0 })
  t.deep({ said[3][1], said[3][4].code }, { "error", 5 })
  eq(said[4][2], bad)
end)

test("callbacks are tasks: they may wait, and submit", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local final
  pool:submit({ double, on_success = function(_, v)
    task.sleep(0.001)
    final = pool:submit(double, v):await()
  end }, 4)
  task.wait_until(function() return final end)
  eq(final, 16)
end)

test("cancelled jobs are told of as failed", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local blocker = pool:submit(function() while true do require "troupe".task.sleep(0.001) end end)
  await.status(blocker, "running")
  local said = {}
  local job = pool:submit({ double, delay = 1000, on_success = error, on_error = function(_, err) said[1] = err end,
    on_complete = function(j) said[2] = j end }, 1)
  eq(job:cancel(), true)
  task.wait_until(function() return said[2] end)
  ok(tostring(said[1]):match "cancelled")
  eq(said[2], job)
end)

test("an error in one callback is reported, and keeps none of the others from being called", function()
  local status, out, err = t.script [[
    local troupe = require "troupe"
    local pool = troupe.pool{ workers = 1 }
    pool:submit({ function() return 1 end, on_success = function() error "in the callback" end,
      on_complete = function() print "complete" end })
    pool:shutdown()
  ]]
  eq(status, 0)
  eq(out, "complete\n")
  ok(err:match "in the callback")
end)

test("callbacks wait while the vm is blocked by a call that cannot yield", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local within, called
  local id = task.spawn(function()
    table.sort({ 3, 1, 2 }, function(a, b)
      within = true
      if not called then
        pool:submit({ double, on_success = function() called = within end }, 1)
        pool:submit(double, 2):await()
      end
      within = false
      return a < b
    end)
  end)
  eq(task.join(id), true)
  task.wait_until(function() return called ~= nil end)
  eq(called, false)
end)

test("an actor as on_done and on_failed gets a message for every outcome", function()
  local keeper = troupe.spawn{ function()
    local Keeper = {}
    function Keeper:init() self.done, self.failed = {}, {} end
    function Keeper:on_done(id, ...) self.done[id] = { ... } end
    function Keeper:on_failed(id, err) self.failed[id] = err end
    function Keeper:of(id) return self.done[id], self.failed[id] end
    return Keeper
  end, isolation = "local" }
  for _, result_id in ipairs { false, true } do
    local pool <close> = troupe.pool{ workers = 2, on_done = keeper, on_failed = keeper, result_id = result_id }
    local good = pool:submit(function(...) return ..., "and more" end, 1)
    local bad = pool:submit(function() error({ code = 7 }) end)
    good:join()
    bad:join()
    local id, bad_id = good:info().id, bad:info().id
    ok(pool:join(t.script_deadline))
    t.deep({ keeper:call("of", id) }, { { 1, "and more" } })
    t.deep({ keeper:call("of", bad_id) }, { nil, { code = 7 } })
  end
  keeper:stop()
end)

test("a pool's on_done and on_failed are called for every outcome", function()
  local done, failed, own = 0, 0, 0
  local pool <close> = troupe.pool{ workers = 2, on_done = function(_, v) done = done + v end,
    on_failed = function(_, err) failed = failed + err.code end }
  for i = 1, 100 do pool:submit(double, i) end
  pool:submit({ double, on_success = function(_, v) own = v end }, 0)
  for i = 1, 10 do pool:submit(fail, i) end
  pool:shutdown()
  eq(done, 10100)
  eq(failed, 55)
  eq(own, 0)
end)

test("a pool with discard drops outcomes, unless a job needs them", function()
  local pool <close> = troupe.pool{ workers = 1, discard = true }
  eq(pool:submit(double, 1), nil)
  local said
  local job = pool:submit({ double, on_success = function(_, v) said = v end }, 2)
  eq(job:await(), 4)
  eq(pool:submit({ double, discard = false }, 3):await(), 6)
  pool:shutdown()
  eq(said, 4)
end)

test("a pool with result_id gives ids in place of jobs", function()
  local ids, said = {}, {}
  local pool <close> = troupe.pool{ workers = 1, result_id = true }
  for i = 1, 3 do ids[pool:submit(double, i):info().id] = i * 2 end
  for id, good, v in pool:as_completed() do
    eq(good, true)
    eq(ids[id], v)
    said[#said + 1] = id
  end
  eq(#said, 3)
  local told
  local job = pool:submit({ double, on_complete = function(id) told = id end }, 1)
  pool:shutdown()
  eq(told, job:info().id)
end)

test("join waits until nothing is pending, retries included", function()
  local pool <close> = troupe.pool{ workers = 2 }
  eq(pool:join(), true)
  local path = os.tmpname()
  local function third_time(name)
    local file = assert(io.open(name, "a+"))
    local tries = #file:read "a"
    file:write "x"
    file:close()
    if tries < 2 then error "not yet" end
    return tries
  end
  local job = pool:submit({ third_time, retries = 5, backoff = 0.002 }, path)
  pool:submit({ double, delay = 3600 }, 1)
  for i = 1, 100 do pool:submit({ double, discard = true }, i) end
  eq(pool:join(), true)
  eq(pool:stats().done, 101)
  eq(select(2, job:join(0)), 2)
  os.remove(path)
  local busy = pool:submit(function() while require "troupe".checkin() do end end)
  eq(pool:join(0.01), false)
  busy:stop()
  eq(pool:join(), true)
end)

test("clear drops pending jobs and outcomes", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local ended = pool:submit(double, 1)
  await.status(ended, "finished")
  local later = pool:submit({ double, delay = 1000 }, 2)
  pool:clear()
  for _ in pool:as_completed() do error "nothing is left" end
  ok(later:status() ~= "delayed")
  eq(pool:submit(double, 21):await(), 42)
  eq(pool:stats().delayed, 0)
end)

test("jobs nobody asks about live no longer than their pool", function()
  local weak = setmetatable({}, { __mode = "k" })
  do
    local pool = troupe.pool{ workers = 1 }
    for i = 1, 50 do weak[pool:submit(double, i)] = true end
    pool:shutdown()
    collectgarbage()
    local count = 0
    for _ in pairs(weak) do count = count + 1 end
    eq(count, 50)
  end
  local _ = nil -- where the pool was
  collectgarbage()
  collectgarbage()
  eq(next(weak), nil)
end)

test("fastthreadpool's names for submit", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local said = {}
  local function note(_, v) said[#said + 1] = v end
  eq(pool:submit_first(double, 1):await(), 2)
  eq(pool:submit_later(0.001, double, 2):await(), 4)
  eq(pool:submit_done(double, note, 3):await(), 6)
  eq(pool:submit_done_first(double, note, 4):await(), 8)
  eq(pool:submit_done_later(0.001, double, note, 5):await(), 10)
  eq(pool:submit_done(double, false, 6), nil)
  eq(pool:submit_done(double, true, 7):await(), 14)
  pool:shutdown()
  t.deep(said, { 6, 8, 10 })
  raises("submit_done: callback: function or boolean expected, got nil", pool.submit_done, pool, double)
  raises("schedule: interval: number of seconds", pool.schedule, pool, "x", double)
end)

test("fastthreadpool's names for jobs that repeat", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local counts = { 0, 0, 0 }
  local function count(i) return function() counts[i] = counts[i] + 1 end end
  local began = troupe.now()
  local jobs = {
    pool:schedule_done(0.005, double, count(1), 1),
    pool:submit_done_at(os.time(), 0.005, double, count(2), 1),
  }
  eq(pool:submit_at(os.time(), 0, double, 4):await(), 8)
  task.wait_until(function() return counts[1] >= 3 and counts[2] >= 3 end)
  ok(troupe.now() - began >= 0.015)
  for _, job in ipairs(jobs) do
    ok(job.runs >= 3)
    job:cancel()
  end
  local repeating = pool:schedule(0.001, double, 1)
  task.wait_until(function() return repeating.runs >= 2 end)
  repeating:cancel()
end)

test("misuse of callbacks is told", function()
  local pool <close> = troupe.pool{ workers = 1 }
  raises("option 'on_success': function expected, got number", pool.submit, pool, { double, on_success = 1 })
  raises("option 'discard' leaves nothing for callbacks", pool.submit, pool,
    { double, discard = true, on_error = print })
  raises("option 'on_done': function or actor reference expected", troupe.pool, { on_done = true })
  raises("option 'on_failed': function or actor reference expected", troupe.pool, { on_failed = io.stdout })
end)

test("what a callback raises is told once, with one traceback", function()
  local status, out, err = t.script [[
    local troupe = require "troupe"
    local pool <close> = troupe.pool{ workers = 1 }
    local function fail() error "no good" end
    pool:submit{ type, on_error = function() fail() end }:join()
    pool:join()
    require "troupe.task".sleep(0)
  ]]
  eq(out, "")
  eq(status, 0)
  eq(select(2, err:gsub("no good", "")), 1)
  eq(select(2, err:gsub("stack traceback", "")), 1)
  t.match(err, "'fail'")
end)

t.finish()
