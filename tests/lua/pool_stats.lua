-- pool_stats.lua - statistics, and pools found by their name.

local t = require "harness"
local await = require "await"
local troupe = require "troupe"
local task = require "troupe.task"

local test, eq, ok, match, raises, deep = t.test, t.eq, t.ok, t.match, t.raises, t.deep

-- A worker's job that blocks it until the file is there.
local function block(name) repeat local file = io.open(name) until file end

test("counts tell of every end, and of every worker", function()
  local pool <close> = troupe.pool{ workers = 2, name = "counted" }
  for _ = 1, 5 do pool:submit(function() end):join() end
  for _ = 1, 3 do pool:submit(function() error "no" end):join() end
  pool:submit{ function() error "no" end, retries = 2 }:join()
  pool:pause()
  pool:submit(type, 1):cancel()
  pool:submit(type, 1)
  local s = pool:stats()
  eq(s.name, "counted")
  deep({ s.done, s.failed, s.cancelled, s.retried, s.lost, s.stopped, s.pending }, { 5, 4, 1, 2, 0, 0, 1 })
  local executed = 0
  for _, worker in ipairs(s.workers) do
    executed = executed + worker.executed
    eq(worker.state, "idle")
    eq(worker.job, nil)
    ok(worker.memory > 1000)
    ok(worker.busy > 0)
    ok(worker.since >= 0)
  end
  eq(executed, 11)
  eq(s.run_time.count, 11)
end)

test("a worker's current job is told with its name", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local gate = os.tmpname()
  os.remove(gate)
  local job = pool:submit({ block, name = "blocker" }, gate)
  await.status(job, "running")
  local worker = pool:stats().workers[1]
  eq(worker.state, "busy")
  deep(worker.job, { id = job:info().id, name = "blocker" })
  match(pool:usage(), "blocker")
  io.open(gate, "w"):close()
  job:await()
  os.remove(gate)
end)

test("times are told as percentiles", function()
  local before = troupe.now()
  local pool <close> = troupe.pool{ workers = 1 }
  for _ = 1, 20 do pool:submit(function() end):await() end
  pool:submit(function()
    local now = require "troupe".now
    local till = now() + 0.05
    while now() < till do end
  end):await()
  local run = pool:stats().run_time
  eq(run.count, 21)
  ok(run.p50 <= run.p90 and run.p90 <= run.p99 and run.p99 <= run.max)
  ok(run.max >= 0.05)
  pool:pause()
  local job = pool:submit(type, 1)
  eq(job:status(), "queued") -- now the node has it: there its wait begins
  task.sleep(0.2)
  pool:resume()
  job:await()
  local wait = pool:stats().queue_wait
  eq(wait.count, 22)
  ok(wait.max >= 0.02 and wait.max <= troupe.now() - before)
end)

test("usage is a table that people read", function()
  local pool <close> = troupe.pool{ workers = 2, name = "read" }
  pool:submit(type, 1):await()
  local text = pool:usage()
  match(text, "^read: 1 workers, 0 busy; 0 pending")
  match(text, "\njobs: 1 done, 0 failed")
  match(text, "\n     1  idle")
end)

test("the statistics of all pools of the program", function()
  local one <close> = troupe.pool{ name = "one" }
  local two <close> = troupe.pool{ name = "two" }
  ok(one and two)
  local names = {}
  for _, s in ipairs(troupe.stats()) do names[s.name] = s.alive end
  deep({ names.one, names.two }, { 0, 0 })
end)

-- ---- found by name

test("a pool is found by its name, here and in its own jobs", function()
  local pool <close> = troupe.pool{ workers = 1, name = "found" }
  eq(troupe.find_pool("no such pool"), nil)
  local handle = troupe.find_pool "found"
  eq(handle:submit(function(n) return n + 1 end, 1):await(), 2)
  match(tostring(handle), "1 workers")
  handle:close()
  raises("the pool is closed", handle.submit, handle, type, 1)
  eq(pool:submit(type, 1):await(), "number")
  -- A job that awaits a job of its own pool, which has one worker.
  local sum = pool:submit(function()
    local own <close> = require "troupe".find_pool "found"
    return own:submit(function() return 40 end):await() + 2
  end)
  eq(sum:await(), 42)
end)

test("jobs of jobs of a pool whose workers are replaced", function()
  local pool <close> = troupe.pool{ workers = 1, name = "nested", max_jobs = 1 }
  local function nest(depth, self)
    if depth == 0 then return 0 end
    return require "troupe".find_pool "nested":submit(self, depth - 1, self):await() + 1
  end
  eq(pool:submit(nest, 5, nest):await(), 5)
end)

test("jobs of a vm that is gone end, but for those that outlive it, or that nobody asks about", function()
  local pool <close> = troupe.pool{ workers = 4, name = "left behind" }
  local other = troupe.pool{ workers = 1 }
  other:submit(function()
    local found = require "troupe".find_pool "left behind"
    local function ask() while require "troupe".checkin() do end end
    local job = found:submit(ask)
    found:submit{ ask, outlive = true }
    found:submit{ ask, discard = true }
    found:submit{ ask, delay = 3600 }
    while job:status() ~= "running" do require "troupe.task".sleep(0.001) end
  end):await()
  await(function() return pool:stats().busy == 3 end)
  other:shutdown()
  await(function() return pool:stats().busy == 2 end)
  local stats = pool:stats()
  deep({ stats.stopped, stats.cancelled, stats.delayed }, { 1, 1, 0 })
end)

test("a found pool's queue is as bounded as its maker's", function()
  local pool <close> = troupe.pool{ workers = 1, name = "bounded", queue_limit = 1 }
  local handle = troupe.find_pool "bounded"
  pool:pause()
  ok(handle:submit(type, 1))
  deep({ pool:submit({ type, enqueue_timeout = 0 }, 1) }, { nil, "full" })
  deep({ handle:submit({ type, enqueue_timeout = 0 }, 1) }, { nil, "full" })
end)

test("retries are the affair of the vm that submitted, and end with it", function()
  local pool <close> = troupe.pool{ workers = 2, name = "shared", max_jobs = 1 }
  local job = pool:submit(function()
    local own = require "troupe".find_pool "shared"
    own:submit{ function() error "no" end, retry_if = function() return true end, backoff = 0.001 }
    require "troupe.task".sleep(0.01)
  end)
  job:await()
  -- Its worker was replaced: nobody wants the job to run again.
  local function ended()
    local stats = pool:stats()
    return stats.failed + stats.cancelled + stats.stopped
  end
  await(function() return ended() > 0 end)
  eq(ended(), 1)
end)

test("a pool that closes is not found", function()
  local pool = troupe.pool{ name = "closing" }
  pool:shutdown()
  eq(troupe.find_pool "closing", nil)
end)

test("shutdown ends every pool of the program", function()
  local status, out, err = t.script [[
    local troupe = require "troupe"
    local pools, jobs = {}, {}
    for i = 1, 3 do
      pools[i] = troupe.pool{ name = "p" .. i }
      jobs[i] = pools[i]:submit(function(n) return n end, i)
    end
    troupe.shutdown()
    for i = 1, 3 do io.write(jobs[i]:await(), " ") end
    print(#troupe.stats(), troupe.find_pool "p1")
    local pool = troupe.pool{ workers = 1 }
    local job = pool:submit{ type, delay = 1e6 }
    troupe.shutdown(true)
    print(job:join())
  ]]
  eq(err, "")
  eq(out, "1 2 3 0\tnil\nfalse\tcancelled\n")
  eq(status, 0)
end)

test("a pool that was shut down through another handle has no statistics", function()
  local pool = troupe.pool{ name = "elsewhere" }
  troupe.find_pool "elsewhere":shutdown()
  eq(pool:stats(), nil)
  eq(pool:usage(), nil)
  t.deep({ pool:submit(type, 1):join(60) }, { false, "the pool is closed" })
end)

test("misuse is told", function()
  raises("find_pool: string expected, got nil", troupe.find_pool)
end)

t.finish()
