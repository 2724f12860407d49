-- pool_queue.lua - what begins when: pause, cancel, replaced workers, jobs that wait in one worker.

local t = require "harness"
local troupe = require "troupe"

local test, eq, ok, raises, deep = t.test, t.eq, t.ok, t.raises, t.deep

-- ---- pause

test("a paused pool begins no job until it is resumed", function()
  local pool <close> = troupe.pool{ workers = 2 }
  eq(pool:submit(function() return "before" end):await(), "before")
  pool:pause()
  local jobs = {}
  for i = 1, 5 do jobs[i] = pool:submit(function(n) return n end, i) end
  local stats = pool:stats()
  eq(stats.pending, 5)
  eq(stats.handed, 0)
  eq(jobs[1]:status(), "queued")
  eq(jobs[5]:cancel(), true)
  pool:pause()
  pool:resume()
  for i = 1, 4 do eq(jobs[i]:await(), i) end
  deep({ jobs[5]:join() }, { false, "cancelled" })
end)

test("closing ends a pause, and shutdown waits for the jobs", function()
  local pool <close> = troupe.pool{ workers = 1 }
  pool:pause()
  local job = pool:submit(function() return "ran" end)
  eq(pool:shutdown(), true)
  eq(job:await(), "ran")
end)

-- ---- cancel

test("a job can be cancelled by its id", function()
  local pool <close> = troupe.pool{ workers = 1, result_id = true }
  pool:pause()
  local first, second = pool:submit(type, 1), pool:submit(type, 2)
  local id = second:info().id
  eq(pool:cancel(id), true)
  deep({ second:join() }, { false, "cancelled" })
  eq(pool:cancel(id), false)
  eq(pool:cancel(id + 1000), false)
  pool:resume()
  eq(first:await(), "number")
end)

test("cancel spares what is delayed or scheduled, and takes it when told to", function()
  local pool <close> = troupe.pool{ workers = 1 }
  pool:pause()
  local queued = pool:submit(type, 1)
  local delayed = pool:submit({ type, delay = 1e6 }, 1)
  local scheduled = pool:submit({ type, at = os.time() + 1000000 }, 1)
  local repeating = pool:submit({ type, every = 1e6 }, 1)
  local stats = pool:stats()
  eq(stats.pending, 2)
  eq(stats.delayed, 1)
  eq(stats.scheduled, 1)
  eq(pool:cancel(), true)
  deep({ queued:join() }, { false, "cancelled" })
  for _, job in ipairs{ delayed, scheduled, repeating } do
    deep({ job:join(0) }, { nil, "timeout" })
    eq(job:status(), "delayed")
  end
  eq(pool:stats().scheduled, 2)
  eq(pool:cancel(nil, true), true)
  for _, job in ipairs{ delayed, scheduled, repeating } do deep({ job:join() }, { false, "cancelled" }) end
  stats = pool:stats()
  eq(stats.scheduled + stats.delayed + stats.pending, 0)
  eq(stats.cancelled, 4)
end)

-- ---- workers that are replaced

local function count_here()
  _G.count = (_G.count or 0) + 1
  return _G.count
end

test("a worker that ran max_jobs is replaced by a fresh one", function()
  local pool <close> = troupe.pool{ workers = 1, max_jobs = 3, init = function() _G.begun = true end }
  local counts = {}
  for i = 1, 7 do counts[i] = pool:submit(count_here):await() end
  deep(counts, { 1, 2, 3, 1, 2, 3, 1 })
  eq(pool:submit(function() return _G.begun end):await(), true)
end)

test("no job is lost while workers are replaced", function()
  local pool <close> = troupe.pool{ workers = 3, max_jobs = 7 }
  local jobs, most = {}, 0
  for i = 1, 2000 // t.slowdown do jobs[i] = pool:submit(count_here) end
  for _, job in ipairs(jobs) do most = math.max(most, (job:await())) end
  eq(most, 7)
end)

-- ---- how many jobs one worker has

-- Waits until two are here at once, and tells how many there ever were.
local function meet()
  local task = require "troupe.task"
  _G.here = (_G.here or 0) + 1
  _G.most = math.max(_G.most or 0, _G.here)
  repeat task.sleep(0.001) until _G.most >= 2
  task.sleep(0.002)
  _G.here = _G.here - 1
  return _G.most
end

test("concurrency bounds the jobs of a worker while they wait", function()
  local pool <close> = troupe.pool{ workers = 1, concurrency = 2 }
  local jobs = {}
  for i = 1, 12 do jobs[i] = pool:submit(meet) end
  for _, job in ipairs(jobs) do eq(job:await(), 2) end
end)

test("with a concurrency of one jobs that wait run one after the other", function()
  local pool <close> = troupe.pool{ workers = 1, concurrency = 1 }
  local jobs = {}
  for i = 1, 8 do
    jobs[i] = pool:submit(function()
      _G.inside = (_G.inside or 0) + 1
      local now = _G.inside
      require "troupe.task".sleep(0.001)
      _G.inside = _G.inside - 1
      return now
    end)
  end
  for _, job in ipairs(jobs) do eq(job:await(), 1) end
end)

-- ---- misuse

test("options of the wrong kind are refused by name", function()
  raises("option 'max_jobs': integer of at least 1 expected, got 0", troupe.pool, { max_jobs = 0 })
  raises("option 'concurrency': integer of at least 1 expected, got string", troupe.pool, { concurrency = "2" })
  raises("unknown option 'worker' %(known: .*workers%)", troupe.pool, { worker = 2 })
  local pool <close> = troupe.pool{}
  raises("unknown option 'evry' %(known: .*every", pool.submit, pool, { type, evry = 5 })
end)

test("fewer than no workers means the processors but so many", function()
  local pool <close> = troupe.pool{ workers = -1000 }
  ok(tostring(pool):find "1 workers")
end)

t.finish()
