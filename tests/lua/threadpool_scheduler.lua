-- threadpool_scheduler.lua - the time service and the threadpool on the vm's own scheduler, by the real clock.

local t = require "harness"
local task = require "troupe.task"
local service = require "troupe.timeservice"
local threadpool = require "threadpool_ext"
local troupe = require "troupe"

local log = {}
local function note(...) log[#log + 1] = table.concat({ ... }, " ") end

threadpool.init {
  time_service = service, growing_thread_num = 10, logger = { warn = note, error = note, debug = note },
}

-- Dispatches until done() is true.
local function dispatch_until(done)
  while not done() do service:dispatch(100, -1) end
end

t.test("a timer fires when its time has come, and not before", function()
  local fired
  local start = troupe.now()
  service:add_timer(0.02, 0, function() fired = troupe.now() end)
  dispatch_until(function() return fired end)
  t.ok(fired - start >= 0.02)
end)

t.test("dispatch gives up after its timeout", function()
  local start = troupe.now()
  local timer = service:add_timer(1000, 0, function() end)
  while troupe.now() - start < 0.02 do t.eq(service:dispatch(100, 0.02), 0) end
  timer:disarm()
end)

t.test("a dispatch that waits leaves the waiting to the scheduler", function()
  local poll, polls = task.poll, 0
  function task.poll(seconds)
    polls = polls + 1
    return poll(seconds)
  end
  local fired
  service:add_timer(0.2, 0, function() fired = true end)
  dispatch_until(function() return fired end)
  task.poll = poll
  t.ok(polls < 10, polls)
end)

t.test("tasks run while a service waits, and dispatch's caller sees what they did", function()
  local seen = 0
  task.spawn(function()
    for _ = 1, 3 do
      task.sleep(0.001)
      seen = seen + 1
    end
  end)
  dispatch_until(function() return seen == 3 end)
end)

t.test("threads wait and notify each other", function()
  local trail = {}
  local first
  threadpool.work(function()
    first = threadpool.running()
    trail[1] = table.concat({ threadpool.wait("go", 1000) }, " ")
  end)
  threadpool.work(function()
    t.eq(threadpool.wait(0.01), 0)
    trail[2] = tostring(threadpool.notify(first, "go", "from", threadpool.running()))
  end)
  dispatch_until(function() return trail[2] end)
  t.deep(trail, { "from 9", "true" })
end)

t.test("a service may be dispatched in a task, and wakes for a timer that another task arms", function()
  local list = {}
  local other = service()
  other:add_timer(1000, 0, function() list[#list + 1] = "late" end)
  local id = task.spawn(function()
    while #list == 0 do other:dispatch(100, -1) end
  end)
  task.spawn(function()
    task.sleep(0.01)
    other:add_timer(0.01, 0, function() list[#list + 1] = "early" end)
  end)
  t.eq(task.join(id, 30), true)
  t.deep(list, { "early" })
end)

t.test("two tasks may dispatch one service", function()
  local fired = 0
  local other = service()
  local ids = {}
  for i = 1, 2 do
    ids[i] = task.spawn(function()
      while fired < 4 do other:dispatch(1, 0.05) end
    end)
  end
  for i = 1, 4 do other:add_timer(i / 1000, 0, function() fired = fired + 1 end) end
  for i = 1, 2 do t.eq(task.join(ids[i], 30), true) end
  t.eq(fired, 4)
end)

t.test("a thread of the threadpool awaits a job of another vm", function()
  local pool <close> = troupe.pool { workers = 1 }
  local result
  threadpool.work(function()
    threadpool.wait(0.001)
    result = pool:submit(function(n) return n * 2 end, 21):await()
    threadpool.wait(0.001)
    result = result + 1
  end)
  dispatch_until(function() return result == 43 end)
end)

t.test("a threadpool inside a job: the worker's own service drives it", function()
  local pool <close> = troupe.pool { workers = 2 }
  local sums = pool:map(function(count)
    local own = require "troupe.timeservice" ()
    local threads = require "threadpool_ext"
    local function quiet() end
    threads.init {
      time_service = own, growing_thread_num = 20, logger = { warn = quiet, error = quiet, debug = quiet },
    }
    local sum, left = 0, count
    for i = 1, count do
      threads.work(function()
        threads.wait(i % 3 / 1000)
        sum, left = sum + i, left - 1
      end)
    end
    while left > 0 do own:dispatch(100, -1) end
    return sum
  end, { 10, 20, 30, 40 })
  t.deep(sums, { 55, 210, 465, 820 })
end)

t.test("nothing was logged but the growth of the stock", function()
  for _, line in ipairs(log) do t.match(line, "^not idle thread") end
end)

t.finish()
