-- task_outcomes.lua - what ended tasks leave behind, and the ids they are found by.

local t = require "harness"
local task = require "troupe.task"

local test, eq, ok, deep = t.test, t.eq, t.ok, t.deep

local MANY = t.slowdown == 1 and 70000 or 3000 -- TSan loses count of 65,536 yields

local function joined(id) return table.pack(task.join(id)) end

-- As many results as asked for, each told apart from those of other tasks.
local function results(seed, count)
  local list = table.pack()
  for i = 1, count do list[i] = seed .. "/" .. i end
  list.n = count
  return table.unpack(list, 1, count)
end

test("what a task returned is there for whoever joins late, however many values they are", function()
  local ids = {}
  for i = 1, 1000 do ids[i] = task.spawn(results, i, i % 7) end
  ids[1001] = task.spawn(results, 1001, 200)
  collectgarbage()
  for i = 1, 1000 do deep(joined(ids[i]), table.pack(true, results(i, i % 7))) end
  deep(joined(ids[1001]), table.pack(true, results(1001, 200)))
  deep(joined(ids[1001]), table.pack(true, results(1001, 200)))
end)

test("nil is a result like others", function()
  deep(joined(task.spawn(function() return nil end)), { true, nil, n = 2 })
  deep(joined(task.spawn(function() return nil, nil end)), { true, nil, nil, n = 3 })
  deep(joined(task.spawn(function() return nil, 1, nil, nil end)), { true, nil, 1, nil, nil, n = 5 })
end)

test("a task that was killed says so to whoever joins late", function()
  local id = task.spawn(task.sleep, 1000)
  eq(task.kill(id), true)
  deep(joined(id), { false, "killed", n = 2 })
end)

test("the latest 65,536 outcomes are kept, by end and not by start; older ones are forgotten", function()
  local early = task.spawn(function()
    task.wait("end", 1000)
    return "early"
  end)
  local forgotten = task.spawn(results, "forgotten", 3)
  local ids = {}
  for i = 1, MANY do ids[i] = task.spawn(results, i, 1 + i % 3) end
  task.notify(early, "end")
  deep(joined(early), { true, "early", n = 2 })
  for i = MANY // 2, MANY do deep(joined(ids[i]), table.pack(true, results(i, 1 + i % 3))) end
  if MANY > 65536 then
    eq(joined(forgotten).n, 1)
    eq(joined(ids[1]).n, 1)
  end
end)

test("an outcome that was forgotten holds nothing", function()
  local held = setmetatable({}, { __mode = "v" })
  for i = 1, 10 do
    held[i] = {}
    task.spawn(function() return nil, held[i] end)
  end
  collectgarbage()
  ok(held[1])
  for i = 1, MANY do task.spawn(results, i, 1) end
  if MANY > 65536 then
    collectgarbage()
    eq(next(held), nil)
  end
end)

test("ids stay apart among tasks that live long and many that do not", function()
  local alive, seen = {}, {}
  for i = 1, 500 do
    alive[i] = task.spawn(function() return task.wait(i, 1000) end)
    for _ = 1, i % 5 do
      local id = task.spawn(function() end)
      ok(not seen[id])
      seen[id] = true
    end
  end
  for i = 1, 500, 2 do ok(task.notify(alive[i], i, "odd")) end
  task.poll()
  for i = 1, 500, 2 do deep(joined(alive[i]), { true, "odd", n = 2 }) end
  for _ = 1, 2000 do
    local id = task.spawn(function() end)
    ok(not seen[id])
    seen[id] = true
    eq(task.notify(id, 1), false)
  end
  for i = 2, 500, 2 do ok(task.notify(alive[i], i, "even")) end
  task.run()
  for i = 2, 500, 2 do deep(joined(alive[i]), { true, "even", n = 2 }) end
end)

t.finish()
