-- task.lua - tasks as a Lua program meets them: order, waits, notify, ends, parking.

local t = require "harness"
local await = require "await"
local troupe = require "troupe"
local task = require "troupe.task"
local log = require "troupe.log"
local core = require "troupe.core"

local test, eq, ok, match, raises, deep = t.test, t.eq, t.ok, t.match, t.raises, t.deep

-- ---- starts and ends

test("spawn runs a task at once up to its first wait", function()
  local order = {}
  local function note(what) order[#order + 1] = what end
  task.run(function()
    note "main"
    task.spawn(function(a, b)
      note("child " .. a .. b)
      task.sleep(0)
      note "child on"
    end, 1, 2)
    note "main on"
  end)
  deep(order, { "main", "child 12", "main on", "child on" })
end)

test("run returns the results of its function when every task has ended", function()
  local ended
  deep({ task.run(function(...)
    task.spawn(function()
      task.sleep(0.01)
      ended = true
    end)
    return ...
  end, 1, nil, 3) }, { 1, nil, 3 })
  eq(ended, true)
  eq(task.run(), nil)
end)

test("ids are integers of their own, known inside", function()
  local seen
  eq(task.running(), nil)
  local id = task.spawn(function() seen = task.running() end)
  eq(math.type(id), "integer")
  eq(seen, id)
  ok(task.spawn(function() end) ~= id)
end)

test("join gives results, errors and timeouts", function()
  local function joined(...) return table.pack(task.join(...)) end
  deep(joined(task.spawn(function() return 1, nil, 2 end)), { true, 1, nil, 2, n = 4 })
  deep(joined(task.spawn(function() end)), { true, n = 1 })
  local waiting = task.spawn(function() return task.wait("go", 1000) end)
  deep(joined(waiting, 0), { nil, "timeout", n = 2 })
  deep(joined(waiting, 0.001), { nil, "timeout", n = 2 })
  task.notify(waiting, "go", "late")
  deep(joined(waiting), { true, "late", n = 2 })
  task.run(function()
    local inner = task.spawn(function()
      task.sleep(0.01)
      return "inner"
    end)
    local others = {}
    for i = 1, 3 do others[i] = task.spawn(function() return select(2, task.join(inner)) end) end
    eq(select(2, task.join(inner)), "inner")
    for i = 1, 3 do eq(select(2, task.join(others[i])), "inner") end
    raises("cannot join itself", task.join, task.running())
  end)
end)

test("an error ends its task only, is told once with a traceback, and reaches who joins", function()
  local status, out, err = t.script([[
    local task = require "troupe.task"
    local id = task.spawn(function() local function deep() error("boom") end deep() end)
    print(task.join(id))
    local value = setmetatable({}, { __tostring = function() return "a table" end })
    local other = task.spawn(function() task.sleep(0) error(value) end)
    local ok, e = task.join(other)
    print(ok, rawequal(e, value))
  ]])
  eq(status, 0)
  match(out, "^false\t.*boom\nfalse\ttrue\n$")
  match(err, "task %d+ failed: .*boom\nstack traceback:.*deep")
  match(err, "failed: a table\n")
  eq(select(2, err:gsub("boom", "")), 1)
end)

test("a yield outside a coroutine is the task's error", function()
  local status, out = t.script([[
    local task = require "troupe.task"
    print(task.join(task.spawn(function() coroutine.yield() end)))
  ]])
  eq(status, 0)
  match(out, "^false\tattempt to yield from outside a coroutine")
end)

-- ---- time

-- When a sleeper is due is known only from before and after it began to sleep: that bounds it on any machine.
test("sleeps end in order of time, never early", function()
  local order, early = {}, 0
  task.run(function()
    for _, s in ipairs{ 0.03, 0.01, 0.02, 0.01, 0, 0.025, 0.005, 0.015 } do
      local sleeper = { due_from = core.now() + s }
      task.spawn(function()
        task.sleep(s)
        if core.now() < sleeper.due_from then early = early + 1 end
        order[#order + 1] = sleeper
      end)
      sleeper.due_to = core.now() + s
    end
  end)
  eq(early, 0)
  eq(#order, 8)
  for i = 2, #order do ok(order[i - 1].due_from <= order[i].due_to) end
end)

test("equal deadlines keep the order of creation", function()
  local order = {}
  task.run(function()
    for i = 1, 100 do
      task.spawn(function()
        task.sleep(0)
        order[#order + 1] = i
      end)
    end
  end)
  for i = 1, 100 do eq(order[i], i) end
end)

test("wait without an event sleeps and returns 0", function()
  task.run(function() eq(task.wait(0), 0) end)
  eq(task.wait(0), 0)
  eq(select("#", task.sleep(0)), 0)
end)

test("a wait that nobody answers gives TIMEOUT and its event", function()
  local event = {}
  task.run(function()
    local what, which = task.wait(event, 0.001)
    eq(what, task.TIMEOUT)
    eq(which, event)
  end)
  deep({ task.wait("e", 0) }, { task.TIMEOUT, "e" })
end)

test("misuse of times names what is wrong", function()
  raises("not negative", task.sleep, -1)
  raises("number expected", task.sleep, "soon")
  raises("nobody can notify", task.wait, "event", nil)
  raises("number of seconds", task.join, 1, -1)
  raises("integer id expected", task.join, "x")
end)

-- ---- notify

test("notify wakes the task that waits for the event, with what it passes", function()
  local got
  local id = task.spawn(function() got = table.pack(task.wait("ready", 10)) end)
  eq(task.notify(id, "other", 1), false)
  eq(task.notify(id, "ready", 1, nil, "x"), true)
  eq(task.notify(id, "ready", 2), false)
  task.run()
  deep(got, { 1, nil, "x", n = 3 })
  eq(task.notify(id, "ready"), false)
  eq(task.notify(id + 1000, "ready"), false)
end)

test("what nobody waited for is in the log, of the vm where the task lived", function()
  local said = {}
  log.to(function(record) said[#said + 1] = record.level .. ": " .. record.message end)
  local id = task.spawn(function() task.wait("ready", 10) end)
  task.notify(id, {})
  task.notify(id, "ready")
  task.run()
  local pool <close> = troupe.pool{ workers = 1 }
  eq(pool:submit(function(to) return require "troupe".notify(to, 7) end, id):await(), true)
  await(function() return #said == 2 end)
  log.to("stderr")
  deep(said, {
    ("warning: notify: task %d does not wait for event a table"):format(id),
    ("warning: notify: task %d does not wait for event 7"):format(id),
  })
end)

test("any value is an event, told apart as Lua does", function()
  local key = {}
  for _, event in ipairs{ key, true, 1.5, "s", print } do
    local id = task.spawn(function() task.wait(event, 10) end)
    eq(task.notify(id, {}), false)
    eq(task.notify(id, event), true)
  end
  local long = ("long"):rep(100)
  for other, event in pairs{ [2] = 2.0, [false] = false, [long .. "1"] = long .. 1 } do
    local id = task.spawn(function() task.wait(event, 10) end)
    eq(task.notify(id, not event), false)
    eq(task.notify(id, tostring(event) .. "2"), false)
    eq(task.notify(id, other), true)
  end
  task.run()
end)

test("ping-pong between two tasks", function()
  local count = 0
  task.run(function()
    local pong
    local ping = task.spawn(function()
      for _ = 1, 1000 do
        task.wait("ping", 10)
        count = count + 1
        task.notify(pong, "pong")
      end
    end)
    pong = task.running()
    for _ = 1, 1000 do
      task.notify(ping, "ping")
      eq(select("#", task.wait("pong", 10)), 0)
    end
  end)
  eq(count, 1000)
end)

test("notify reaches tasks in other vms", function()
  local pool <close> = troupe.pool{ workers = 2 }
  local me
  local got = {}
  me = task.spawn(function()
    for i = 1, 100 do got[i] = table.pack(task.wait("from job", 30)) end
  end)
  for i = 1, 100 do
    pool:submit(function(to, n) return require "troupe".notify(to, "from job", n, { n }) end, me, i):await()
    while #got < i do task.poll(1) end
  end
  for i = 1, 100 do
    eq(got[i][1], i)
    deep(got[i][2], { i })
  end
end)

test("a notify to a task of a vm that is gone is false, or lost, never an error", function()
  local pool = troupe.pool{ workers = 1 }
  local id = pool:submit(function()
    local inner = require "troupe.task"
    return inner.spawn(function() inner.wait("x", 1000) end)
  end):await()
  eq(troupe.notify(id, "y"), true)
  pool:shutdown()
  eq(troupe.notify(id, "x"), false)
end)

-- ---- kill and to-be-closed variables

test("kill closes what a waiting task has open, and tells who joins", function()
  local closed = {}
  local id = task.spawn(function()
    local _ <close> = setmetatable({}, { __close = function() closed[#closed + 1] = "outer" end })
    coroutine.wrap(function()
      local _ <close> = setmetatable({}, { __close = function() closed[#closed + 1] = "inner" end })
      task.sleep(1000)
    end)()
  end)
  eq(task.kill(id), true)
  deep(closed, { "inner", "outer" })
  eq(task.kill(id), false)
  task.run(function()
    local victim = task.spawn(function() task.sleep(1000) end)
    local joiner = task.spawn(function() return task.join(victim) end)
    task.kill(victim)
    deep({ task.join(joiner) }, { true, false, "killed" })
  end)
end)

test("a task may kill itself, and one that is running when killed ends at its next wait", function()
  local after = 0
  local id = task.spawn(function()
    task.kill(task.running())
    after = after + 1
  end)
  eq(task.kill(id), false)
  eq(after, 0)
  raises("^killed$", task.run, function()
    local outer = task.running()
    task.spawn(function() task.kill(outer) end)
    after = after + 1
    task.sleep(0)
    after = after + 1
  end)
  eq(after, 1)
end)

test("a program's end closes what waiting tasks have open", function()
  local status, out = t.script([[
    local task = require "troupe.task"
    task.spawn(function()
      local _ <close> = setmetatable({}, { __close = function() print("closed") end })
      task.sleep(1000)
    end)
  ]])
  eq(status, 0)
  eq(out, "closed\n")
end)

test("troupe run goes on until every task has ended", function()
  local name = os.tmpname()
  local f = io.open(name, "w")
  f:write [[
    local task = require "troupe.task"
    task.spawn(function() task.sleep(0.01) print "task" end)
    print "main"
  ]]
  f:close()
  local status, out = t.troupe({ "run", name })
  os.remove(name)
  eq(status, 0)
  eq(out, "main\ntask\n")
end)

test("nothing of troupe can be opened by what runs while the state closes", function()
  local status, out = t.script([[
    local late = setmetatable({}, { __gc = function() print(pcall(require "troupe.task".spawn, print)) end })
    local task = require "troupe.task"
    task.spawn(function()
      local _ <close> = setmetatable({}, { __close = function() print(task.running() == nil) end })
      task.sleep(1000)
    end)
    KEEP = late
  ]])
  eq(status, 0)
  match(out, "true\n")
  match(out, "false\ttroupe cannot be used any more: this Lua state is closing\n")
end)

-- ---- per task

test("tls is the task's own and empty at its start", function()
  task.run(function()
    task.tls_set("k", 1)
    task.spawn(function()
      eq(task.tls_get("k"), nil)
      task.tls_set("k", 2)
      task.sleep(0)
      eq(task.tls_get("k"), 2)
    end)
    eq(task.tls_get("k"), 1)
  end)
  eq(task.tls_get("k"), nil)
  raises("only inside a task", task.tls_set, "k", 1)
end)

test("critical sections are first come, first served, and survive death and timeouts", function()
  local order = {}
  task.run(function()
    local section = task.critical_section()
    local function worker(name, seconds)
      return task.spawn(function()
        eq(section:enter(), true)
        order[#order + 1] = name
        task.sleep(seconds)
        section:leave()
      end)
    end
    worker("a", 0.005)
    local b = worker("b", 1000)
    worker("c", 0)
    local late = task.spawn(function() return section:enter(0.001) end)
    deep({ task.join(late) }, { true, nil, "timeout" })
    while order[#order] ~= "b" do task.sleep(0.001) end
    eq(section:owner(), b)
    task.kill(b)
    do
      local _ <close> = section:lock()
      eq(section:owner(), task.running())
      order[#order + 1] = "main"
      eq(section:enter(), true)
      section:leave()
    end
    eq(section:owner(), nil)
    raises("not inside", section.leave, section)
  end)
  deep(order, { "a", "b", "c", "main" })
end)

test("wait_until returns when its function is true", function()
  local n = 0
  task.run(function()
    task.spawn(function()
      for _ = 1, 5 do
        task.sleep(0.001)
        n = n + 1
      end
    end)
    eq(task.wait_until(function(most) return n >= most and "done" end, 5), "done")
  end)
  eq(n, 5)
end)

-- ---- coroutines inside tasks

test("a wait inside the task's own coroutines waits the task, and its yields reach its resumes", function()
  local seen = {}
  task.run(function()
    local other = task.spawn(function()
      for i = 1, 3 do
        task.sleep(0.001)
        seen[#seen + 1] = "other" .. i
      end
    end)
    local co = coroutine.wrap(function(a)
      task.sleep(0.002)
      local b = coroutine.yield(a + 1)
      local inner = coroutine.create(function(x)
        local y = coroutine.yield(x * 2)
        task.wait("never", 0.001)
        return y + 1
      end)
      local _, first = coroutine.resume(inner, b)
      local _, second = coroutine.resume(inner, first)
      eq(coroutine.status(inner), "dead")
      return second
    end)
    eq(co(1), 2)
    eq(co(10), 21)
    task.join(other)
  end)
  deep(seen, { "other1", "other2", "other3" })
end)

test("a notify reaches a wait inside a coroutine inside a task", function()
  local id = task.spawn(function()
    for _ = 1, 3 do
      eq(coroutine.wrap(function() return coroutine.wrap(function() return task.wait("e", 10) end)() end)(), "value")
    end
  end)
  for _ = 1, 3 do
    eq(task.notify(id, "e", "value"), true)
    task.poll()
  end
  eq(task.kill(id), false)
end)

test("where a task cannot yield, a wait blocks the vm instead of failing", function()
  local slept = 0
  task.run(function()
    table.sort({ 3, 1, 2 }, function(a, b)
      task.sleep(0.001)
      slept = slept + 1
      return a < b
    end)
    local pool <close> = troupe.pool{ workers = 1 }
    local list = { 2, 1 }
    table.sort(list, function(a, b) return pool:submit(function(x, y) return x < y end, a, b):await() end)
    deep(list, { 1, 2 })
  end)
  ok(slept > 0)
end)

-- ---- fairness and numbers

test("a task that is always ready starves neither timers nor letters", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local stop, fired = false, false
  task.run(function()
    task.spawn(function() while not stop do task.sleep(0) end end)
    task.spawn(function()
      task.sleep(0.005)
      fired = true
    end)
    eq(pool:submit(function() return 5 end):await(), 5)
    while not fired do task.sleep(0) end
    stop = true
  end)
end)

test("thousands of tasks sleep in one vm", function()
  local n, many = 0, t.slowdown == 1 and 20000 or 1000 -- TSan loses count of 65,536 yields
  task.run(function()
    for _ = 1, many do
      task.spawn(function()
        task.sleep(0.01)
        n = n + 1
      end)
    end
  end)
  eq(n, many)
end)

t.finish()
