-- job_control.lua - running jobs are asked to end, made to, given up; timeouts.

local t = require "harness"
local await = require "await"
local gates = require "gates"
local troupe = require "troupe"
local task = require "troupe.task"

local test, eq, ok, match, raises, deep = t.test, t.eq, t.ok, t.match, t.raises, t.deep

-- Asks until it is told to end; how often it asked.
local function ask()
  local inside = require "troupe"
  local n = 0
  while inside.checkin() do n = n + 1 end
  return "asked", n
end

-- What no pcall outlasts.
local function loop()
  while true do
    pcall(function() while true do end end)
    coroutine.wrap(function() pcall(function() while true do end end) end)()
  end
end

local function sleep(seconds) require "troupe.task".sleep(seconds) return "slept" end

test("a job that is stopped finds out when it checks in, and its results are the outcome", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit(ask)
  await.status(job, "running")
  eq(job:stop(), true)
  local good, word, n = job:join()
  deep({ good, word }, { true, "asked" })
  ok(n >= 0)
  eq(job:status(), "stopped")
  eq(job:await(), "asked")
  eq(job:stop(), false)
  eq(pool:stats().stopped, 1)
end)

test("checkin returns true until the job is stopped, and false ever after", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit(function()
    local inside = require "troupe"
    local before = inside.checkin()
    inside.emit "checked in"
    while inside.checkin() do end
    return before, inside.checkin(), inside.checkin()
  end)
  eq(job:take(), "checked in")
  job:stop()
  deep({ job:await() }, { true, false, false })
end)

test("a job that is stopped while it waits goes on waiting, and learns of it after", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local me = nil
  local id = task.spawn(function() me = task.wait("where", 60) end)
  local job = pool:submit(function(client)
    local inner, inside = require "troupe.task", require "troupe"
    inner.notify(client, "where", inner.running())
    return inner.wait("go on", 3600), inside.checkin()
  end, id)
  task.join(id)
  eq(job:stop(), true)
  eq(job:status(), "stopping")
  eq(job:join(0), nil)
  ok(task.notify(me, "go on", "gone on"))
  deep({ job:join() }, { true, "gone on", false })
  eq(job:status(), "stopped")
end)

test("stopping or killing a job that has not begun cancels it", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local busy = pool:submit(ask)
  await.status(busy, "running")
  local waiting, delayed = pool:submit(ask), pool:submit{ ask, delay = 3600 }
  local third = pool:submit(ask)
  eq(waiting:stop(), true)
  eq(delayed:stop(), true)
  eq(third:kill(), true)
  for _, job in ipairs{ waiting, delayed, third } do
    deep({ job:join() }, { false, "cancelled" })
    eq(job:status(), "cancelled")
  end
  busy:stop()
  eq(busy:await(), "asked")
end)

test("a job that was asked to end and raises has failed with its error, and is not tried again", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit{ function()
    while require "troupe".checkin() do end
    error("gave up", 0)
  end, retries = -1 }
  await.status(job, "running")
  job:stop()
  deep({ job:join() }, { false, "gave up" })
  eq(job:status(), "failed")
end)

test("a loop in pcall and in coroutines is killed, and the worker goes on", function()
  local pool <close> = troupe.pool{ workers = 1 }
  for _ = 1, 5 do
    local job = pool:submit(loop)
    await.status(job, "running")
    eq(job:kill(0), true)
    deep({ job:join() }, { false, "killed" })
    eq(job:status(), "stopped")
    match(select(2, pcall(job.await, job)), "^killed")
  end
  eq(pool:submit(function() return 1 end):await(), 1)
  local stats = pool:stats()
  eq(stats.stopped, 5)
  eq(stats.lost, 0)
end)

test("a kill's grace is time to end in", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit(ask)
  await.status(job, "running")
  eq(job:kill(3600), true)
  deep({ (job:join()) }, { true })
  job = pool:submit(loop)
  await.status(job, "running")
  local from = troupe.now()
  eq(job:kill(0.2), true)
  deep({ job:join() }, { false, "killed" })
  ok(troupe.now() - from >= 0.2)
end)

test("a kill ends a job where it sleeps, and closes what it has open", function()
  local path = os.tmpname()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit(function(name)
    local _ <close> = setmetatable({}, { __close = function()
      local file <close> = io.open(name, "w")
      file:write "closed"
    end })
    require "troupe".emit "open"
    require "troupe.task".sleep(3600)
  end, path)
  eq(job:take(), "open")
  eq(pool:submit(function() return "free" end):await(), "free") -- so it sleeps
  eq(job:kill(0), true)
  deep({ job:join() }, { false, "killed" })
  local file <close> = assert(io.open(path))
  eq(file:read "a", "closed")
  os.remove(path)
end)

test("a job below a C function that waits is killed, and the jobs beside it live", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local beside = pool:submit(sleep, 0.3)
  local job = pool:submit(function()
    table.sort({ 1, 2, 3 }, function() require "troupe.task".sleep(3600) return false end)
  end)
  await.status(job, "running")
  eq(job:kill(0), true)
  deep({ job:join() }, { false, "killed" })
  eq(beside:await(), "slept")
end)

test("jobs that come while another blocks its vm go to other workers", function()
  local pool <close> = troupe.pool{ workers = 2 }
  local busy = pool:submit(ask)
  await.status(busy, "running")
  local jobs = {}
  for i = 1, 100 do jobs[i] = pool:submit(function(n) return n end, i) end
  for i = 1, 100 do eq(jobs[i]:await(), i) end
  busy:stop()
  eq(busy:await(), "asked")
end)

test("a worker stuck in C is given up and replaced", function()
  local gate <close> = gates.gate()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit(gates.stuck, gate.name)
  gate:await_arrival()
  local others = {}
  for i = 1, 10 do others[i] = pool:submit(function(n) return n end, i) end
  eq(job:kill(0), true)
  deep({ job:join() }, { false, "killed" })
  for i = 1, 10 do eq(others[i]:await(), i) end
  eq(pool:stats().lost, 0)
  gate:open()
end)

test("a run that is over its time ends with an error that says so", function()
  local pool <close> = troupe.pool{ workers = 2 }
  local jobs = { pool:submit{ loop, timeout = 0.05 }, pool:submit{ ask, timeout = 0.05 },
    pool:submit({ sleep, timeout = 0.05 }, 3600) }
  for _, job in ipairs(jobs) do
    deep({ job:join() }, { false, "timeout" })
    eq(job:status(), "stopped")
  end
end)

test("a timeout is never early: time in the queue does not count", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local first = pool:submit(function()
    local until_ = require "troupe".now() + 1.2
    while require "troupe".now() < until_ do end
  end)
  local job = pool:submit({ function() return "in time" end, timeout = 1 })
  eq(job:await(), "in time")
  first:await()
  local from = troupe.now()
  job = pool:submit({ sleep, timeout = 0.2 }, 3600)
  deep({ job:join() }, { false, "timeout" })
  ok(troupe.now() - from >= 0.2)
end)

test("a run that was over its time is tried again, as one that failed", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local path = os.tmpname()
  local job = pool:submit({ function(name)
    local file <close> = io.open(name, "a+")
    file:seek "set"
    local runs = #file:read "a"
    file:write "x"
    file:flush()
    if runs < 2 then while true do end end
    return runs
  end, timeout = 1, retries = 5 }, path)
  local runs = job:await() -- 2, if the third did not take a second to begin
  ok(runs >= 2, runs)
  os.remove(path)
  eq(pool:stats().retried, runs)
end)

test("many are killed at once on one worker", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local jobs = {}
  for i = 1, 50 do
    jobs[i] = pool:submit(i < 50 and sleep or loop, 3600)
  end
  await.status(jobs[50], "running")
  for i = 1, 50 do eq(jobs[i]:kill(0), true) end
  for i = 1, 50 do deep({ jobs[i]:join() }, { false, "killed" }) end
end)

test("closing a pool asks what runs to end before it is made to", function()
  local pool = troupe.pool{ workers = 2 }
  local asked, looping = pool:submit(ask), pool:submit(loop)
  await.status(asked, "running")
  await.status(looping, "running")
  eq(pool:shutdown{ soon = true }, true)
  eq(asked:await(), "asked")
  eq(asked:status(), "stopped")
  deep({ looping:join() }, { false, "killed" })
end)

test("misuse is told by name", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit(function() end)
  raises("seconds of at least 0", job.kill, job, -1)
  raises("number expected", job.kill, job, "x")
  raises("troupe.job", job.stop, pool)
  raises("timeout", function() pool:submit{ loop, timeout = -1 } end)
  raises("checkin: only inside a job", troupe.checkin)
end)

-- A sequence of its own, the same in each run, so that a failure can be seen again.
local function random_from(seed)
  local state = seed
  return function(n)
    state = (state * 6364136223846793005 + 1442695040888963407)
    return (state >> 33) % n + 1
  end
end

local acts = {
  function(n) return n end,
  function(n) error("fails " .. n, 0) end,
  function(n) require "troupe.task".sleep(0.002) return n end,
  function(n) while require "troupe".checkin() do end return n end,
  function() while true do pcall(function() while true do end end) end end,
  function() require "troupe.task".sleep(3600) end,
}

local function judge(counts, job, n)
  local good, value = job:join()
  local kind = good and "returned" or value
  if good then eq(value, n) end
  if kind == "fails " .. n then kind = "failed" end
  local known = { returned = true, failed = true, killed = true, timeout = true, cancelled = true }
  ok(known[kind], ("job %d ended as %s, %s"):format(n, good, value))
  deep({ job:join() }, { good, value })
  counts[kind] = (counts[kind] or 0) + 1
end

-- One pool's life: what does not end by itself is stopped, killed or has a timeout, or the pool is closed soon.
local function live(random, most)
  local pool = troupe.pool{ workers = random(3) }
  local jobs, count, soon = {}, random(most), random(2) == 1
  for n = 1, count do
    local act = random(60)
    act = act > #acts and random(3) or act
    local timeout = random(4) == 1 and random(20) / 1000 or nil
    jobs[n] = pool:submit({ acts[act], timeout = timeout, retries = random(5) == 1 and 1 or nil }, n)
    local victim = jobs[random(n)]
    local chance = random(12)
    if chance == 1 then victim:cancel() elseif chance == 2 then victim:stop()
    elseif chance == 3 then victim:kill(random(2) == 1 and 0 or 0.01) end
    if act >= 4 and not soon then jobs[n]:kill(random(2) == 1 and 0 or 0.005) end
    if random(40) == 1 then pool:resize(random(3)) end
  end
  eq(pool:shutdown{ soon = soon }, true)
  local counts, total = {}, 0
  for n = 1, count do judge(counts, jobs[n], n) end
  for _, number in pairs(counts) do total = total + number end
  eq(total, count)
  return count
end

test("each job has exactly one outcome, however it is made to end", function()
  local random = random_from(7)
  local done = 0
  while done < 3000 // t.slowdown do done = done + live(random, 200) end
end)

t.finish()
