-- job_cleanup.lua - cleanup runs exactly once in every ending, and on_done_in_worker makes a job's results.

local t = require "harness"
local await = require "await"
local gates = require "gates"
local troupe = require "troupe"

local test, eq, ok, match, raises, deep = t.test, t.eq, t.ok, t.match, t.raises, t.deep

-- Cleanups leave a line each in a file; a line is one write, so that none is torn.
local path = os.tmpname()

local function clean_in(name)
  return function(word)
    local file <close> = io.open(name, "a")
    file:write(word .. "\n")
  end
end

local clean = clean_in(path)

-- The lines so far, sorted, and forgets them.
local function lines()
  local words = {}
  for word in io.lines(path) do words[#words + 1] = word end
  io.open(path, "w"):close()
  table.sort(words)
  return words
end

local function count_lines()
  local n = 0
  for _ in io.lines(path) do n = n + 1 end
  return n
end

-- Waits until there are so many.
local function await_lines(count)
  await(function() return count_lines() >= count end,
    function() return ("%d cleanups, and %d"):format(count_lines(), count) end)
  return lines()
end

local function ask() while require "troupe".checkin() do end end

local function loop() while true do pcall(function() while true do end end) end end

test("cleanup has run when the outcome is there", function()
  local pool <close> = troupe.pool{ workers = 2 }
  eq(pool:submit({ function(a, b) return a + b end, cleanup = clean }, 1, 2):await(), 3)
  deep(lines(), { "finished" })
  deep({ pool:submit{ function() error("no", 0) end, cleanup = clean }:join() }, { false, "no" })
  deep(lines(), { "failed" })
  deep({ (pool:submit{ function() return io.stdout end, cleanup = clean }:join()) }, { false })
  deep(lines(), { "failed" })
  local job = pool:submit{ ask, cleanup = clean }
  await.status(job, "running")
  job:stop()
  eq(job:join(), true)
  deep(lines(), { "stopped" })
  job = pool:submit{ function() loop() end, cleanup = clean }
  await.status(job, "running")
  job:kill(0)
  deep({ job:join() }, { false, "killed" })
  deep(await_lines(1), { "stopped" })
end)

test("functions by name and by hash go with their extra ones", function()
  local pool <close> = troupe.pool{ workers = 2 }
  local add = function(a, b) return a + b, "x" end
  for i = 1, 5 do
    local job = pool:submit({ add, cleanup = clean, on_done_in_worker = function(s, x) return s * 10, x end }, i, 1)
    deep({ job:await() }, { (i + 1) * 10, "x" })
    deep({ pool:submit({ add, on_done_in_worker = "return select('#', ...)" }, i, 1):await() }, { 2 })
    deep({ pool:submit({ "return ...", cleanup = clean }, i):await() }, { i })
  end
  eq(#lines(), 10)
end)

test("on_done_in_worker may fail, and wait", function()
  local pool <close> = troupe.pool{ workers = 1 }
  deep({ pool:submit{ function() return 1 end, on_done_in_worker = function(n) error("late " .. n, 0) end }:join() },
    { false, "late 1" })
  eq(pool:submit{ function() return 1 end, on_done_in_worker = function(n)
    require "troupe.task".sleep(0.001)
    return n + 1
  end }:await(), 2)
  deep({ pool:submit{ function() error("no", 0) end, on_done_in_worker = function() return "never" end }:join() },
    { false, "no" })
end)

test("a cleanup may wait, and its failure changes nothing", function()
  local pool <close> = troupe.pool{ workers = 1 }
  eq(pool:submit{ function() return 1 end, cleanup = "require 'troupe.task'.sleep(0.01)" }:await(), 1)
  local status, out, err = t.script [[
    local troupe = require "troupe"
    local pool = troupe.pool{ workers = 1 }
    print(pool:submit{ function() return 1 end, cleanup = function() error("dirty", 0) end }:await())
    print(pool:submit{ function() return 2 end }:await())
    pool:shutdown()
  ]]
  eq(out, "1\n2\n")
  match(err, "the cleanup of job %d+ failed: dirty")
  eq(status, 0)
end)

test("a job that never ran is cleaned up after", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local busy = pool:submit(ask)
  await.status(busy, "running")
  local jobs = { pool:submit{ ask, cleanup = clean }, pool:submit{ ask, cleanup = clean, delay = 3600 },
    pool:submit{ ask, cleanup = clean } }
  eq(jobs[1]:cancel(), true)
  eq(jobs[2]:cancel(), true)
  eq(jobs[3]:kill(), true)
  for i = 1, 3 do deep({ jobs[i]:join() }, { false, "cancelled" }) end
  busy:stop()
  deep(await_lines(3), { "cancelled", "cancelled", "cancelled" })
  local stats = pool:stats()
  eq(stats.cancelled, 3)
  eq(stats.done, 0)
end)

test("with retries cleanup runs once, at the end", function()
  local pool <close> = troupe.pool{ workers = 2 }
  eq(pool:submit{ function() error("no", 0) end, cleanup = clean, retries = 5 }:join(), false)
  deep(await_lines(1), { "failed" })
  eq(pool:submit{ function() return 1 end, cleanup = clean, retries = -1 }:await(), 1)
  deep(lines(), { "finished" })
  local job = pool:submit{ function() error("no", 0) end, cleanup = clean, retries = -1, backoff = 3600 }
  await.status(job, "delayed")
  eq(job:cancel(), true)
  deep(await_lines(1), { "cancelled" })
end)

test("a cleanup that does not end is broken into, once its job was killed", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit{ function() while true do end end, cleanup = function()
    while true do pcall(function() while true do end end) end
  end }
  await.status(job, "running")
  job:kill(0)
  deep({ job:join() }, { false, "killed" })
  eq(pool:submit(function() return 1 end):await(), 1)
end)

test("a worker whose cleanup is stuck in C is given up, once its job was killed", function()
  local gate <close> = gates.gate()
  local stuck, name = gates.stuck, gate.name
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit{ function() while true do end end, cleanup = function() stuck(name) end }
  await.status(job, "running")
  job:kill(0)
  deep({ job:join() }, { false, "killed" })
  eq(pool:submit(function() return 1 end):await(), 1)
  gate:open()
end)

test("a worker that is given up does not clean up late", function()
  local gate <close> = gates.gate()
  local over <close> = gates.gate()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit({ function(stuck, name, last)
    _G.open_as_long_as_the_vm = io.popen(("cat; : >'%s'"):format(last), "w")
    stuck(name)
  end, cleanup = clean }, gates.stuck, gate.name, over.arrival)
  gate:await_arrival()
  job:kill(0)
  deep({ job:join() }, { false, "killed" })
  deep(await_lines(1), { "stopped" })
  gate:open()
  if t.isolation == "process" then pool:shutdown() -- it was killed, and all that it had started
  else over:await_arrival() end
  deep(lines(), {})
end)

test("a pool that closes soon cleans up after all its jobs", function()
  for _ = 1, 5 do
    local pool = troupe.pool{ workers = 2 }
    for i = 1, 50 do
      pool:submit{ i % 3 == 0 and function() require "troupe.task".sleep(3600) end or i % 3 == 1 and ask or loop,
        cleanup = clean, discard = i % 2 == 0 }
    end
    eq(pool:shutdown{ soon = true }, true)
    eq(#lines(), 50)
  end
end)

test("a program that ends without a word cleans up after its jobs", function()
  local status, out, err = t.script([[
    local troupe = require "troupe"
    local name = ...
    local pool = troupe.pool{ workers = 2 }
    local function clean(word)
      local file <close> = io.open(name, "a")
      file:write(word .. "\n")
    end
    for i = 1, 20 do
      pool:submit{ i % 2 == 0 and function() require "troupe.task".sleep(3600) end or function() while true do end end,
        cleanup = clean }
    end
  ]], path)
  eq(err, "")
  eq(out, "")
  eq(status, 0)
  eq(#lines(), 20)
end)

test("misuse is told by name", function()
  local pool <close> = troupe.pool{ workers = 1 }
  raises("cleanup.*function or string", function() pool:submit{ ask, cleanup = 1 } end)
  raises("on_done_in_worker.*function or string", function() pool:submit{ ask, on_done_in_worker = {} } end)
  raises("argument 1", function() pool:submit({ function() end, cleanup = clean }, io.stdout) end)
end)

-- A sequence of its own, the same in each run, so that a failure can be seen again.
local function random_from(seed)
  local state = seed
  return function(n)
    state = (state * 6364136223846793005 + 1442695040888963407)
    return (state >> 33) % n + 1
  end
end

test("each job is cleaned up after once, whatever ends it", function()
  local random = random_from(11)
  local acts = { function(n) return n end, function(n) error("fails " .. n, 0) end,
    function(n) require "troupe.task".sleep(0.002) return n end, ask, loop,
    function() require "troupe.task".sleep(3600) end }
  for _ = 1, math.max(2, 12 // t.slowdown) do
    local pool, jobs, count = troupe.pool{ workers = random(3) }, {}, random(80)
    for n = 1, count do
      local act = acts[random(2) == 1 and random(3) or random(#acts)]
      jobs[n] = pool:submit({ act, cleanup = clean, retries = random(4) == 1 and random(3) or nil,
        timeout = random(3) == 1 and random(20) / 1000 or nil }, n)
      local victim = jobs[random(n)]
      local chance = random(6)
      if chance == 1 then victim:cancel() elseif chance == 2 then victim:stop()
      elseif chance == 3 then victim:kill(random(2) == 1 and 0 or 0.01) end
      if random(30) == 1 then pool:resize(random(3)) end
    end
    eq(pool:shutdown{ soon = true }, true)
    for n = 1, count do ok(jobs[n]:join() ~= nil) end
    eq(#lines(), count)
  end
end)

os.remove(path)
t.finish()
