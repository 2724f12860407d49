-- pool_groups.lua - groups: waiting, counting, giving up together.

local t = require "harness"
local await = require "await"
local troupe = require "troupe"
local task = require "troupe.task"

local eq, ok, raises, test = t.eq, t.ok, t.raises, t.test

local function double(v) return v * 2 end
local function fail(v) error({ code = v }) end
-- Keeps its worker busy until it is asked to end.
local function for_ever() while require "troupe".checkin() do end end

test("a group waits for its jobs, and has their results and errors by their place", function()
  local pool <close> = troupe.pool{ workers = 2 }
  local group <close> = pool:group()
  for i = 1, 10 do group:submit(i % 5 == 0 and fail or double, i) end
  eq(group:wait(), true)
  local results, errors = group:results(), group:errors()
  eq(results.n, 10)
  eq(results[1], 2)
  eq(results[5], nil)
  eq(results[9], 18)
  eq(errors[5].code, 5)
  eq(errors[10].code, 10)
  eq(errors[1], nil)
  t.deep(group:counts(), { total = 10, pending = 0, finished = 8, failed = 2, cancelled = 0, lost = 0, stopped = 0 })
  ok(tostring(group):match "^troupe%.group: 10 jobs$")
end)

test("group is an option of submit, with any other", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local group <close> = pool:group()
  local said
  pool:submit({ double, group = group, priority = 3, on_success = function(_, v) said = v end }, 4)
  group:submit({ double, retries = 1 }, 5)
  eq(group:wait(), true)
  eq(said, 8)
  eq(group:results()[2], 10)
  for _ in pool:as_completed() do error "jobs of groups are the groups'" end
end)

test("wait gives up at its timeout, and goes on later", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local group <close> = pool:group()
  local job = group:submit(for_ever)
  local got, why = group:wait(0.01)
  eq(got, nil)
  eq(why, "timeout")
  eq(group:counts().pending, 1)
  job:stop()
  eq(group:wait(), true)
  raises("wait: number of seconds of at least 0 expected", group.wait, group, -1)
end)

test("a group counts other things too, as a WaitGroup does", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local group <close> = pool:group(1)
  group:add(2)
  local order = {}
  task.spawn(function()
    for i = 1, 3 do
      task.sleep(0.001)
      order[i] = i
      group:done()
    end
  end)
  eq(group:wait(0), nil)
  eq(group:wait(), true)
  eq(#order, 3)
  raises("the count is 0 already", group.done, group)
  raises("the count would be negative", group.add, group, -1)
  raises("add: integer expected, got string", group.add, group, "x")
  raises("group: integer of at least 0 expected", pool.group, pool, -1)
end)

test("several tasks wait for one group", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local group <close> = pool:group(1)
  group:submit(double, 1)
  local ids = {}
  for i = 1, 3 do ids[i] = task.spawn(function() return group:wait() end) end
  group:done()
  for i = 1, 3 do
    local joined, waited = task.join(ids[i])
    eq(joined, true)
    eq(waited, true)
  end
end)

test("jobs that are submitted while others wait are waited for", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local group <close> = pool:group()
  local last
  group:submit({ double, on_success = function(_, v)
    last = group:submit(double, v)
  end }, 1)
  eq(group:wait(), true)
  eq(last:await(), 4)
end)

test("cancel takes what has not begun", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local group <close> = pool:group()
  local running = group:submit(for_ever)
  await.status(running, "running")
  for i = 1, 5 do group:submit(double, i) end
  eq(group:cancel(), 5)
  eq(running:status(), "running")
  eq(group:counts().cancelled, 5)
  running:stop()
  eq(group:wait(), true)
end)

test("closing a group cancels and stops its jobs, but for those that outlive it", function()
  local pool <close> = troupe.pool{ workers = 2 }
  local group = pool:group()
  local running = group:submit(for_ever)
  local outliving = group:submit({ for_ever, outlive = true })
  await.status(running, "running")
  await.status(outliving, "running")
  local queued = group:submit(double, 1)
  local staying = group:submit({ double, outlive = true }, 2)
  group:close()
  group:close()
  eq(running:join(), true)
  eq(running:status(), "stopped")
  eq(queued:join(), false)
  eq(queued:status(), "cancelled")
  eq(staying:await(), 4)
  eq(outliving:status(), "running")
  outliving:stop()
  raises("the group is closed", group.submit, group, double, 1)
  ok(tostring(group):match "closed$")
end)

test("misuse of groups is told", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local other <close> = troupe.pool{ workers = 1 }
  raises("option 'group': a group expected", pool.submit, pool, { double, group = {} })
  raises("option 'group': a group expected", pool.submit, pool, { double, group = 1 })
  raises("it belongs to another pool", pool.submit, pool, { double, group = other:group() })
  raises("leaves a group nothing to wait for", pool.submit, pool, { double, group = pool:group(), discard = true })
end)

t.finish()
