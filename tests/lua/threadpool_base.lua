-- threadpool_base.lua - the stock of coroutines, wait, notify and check_timeout, by absolute times.

local t = require "harness"
local clock = require "threadpool_clock"

local function new(config)
  local pool, logger = clock.fresh "threadpool", clock.logger()
  config = config or {}
  config.logger = config.logger or logger
  config.growing_thread_num = config.growing_thread_num or 10
  pool.init(config)
  return pool, logger
end

local function ids(pool, count)
  local seen = {}
  for i = 1, count do pool.work(function() seen[i] = pool.running() pool.wait(1000) end) end
  return seen
end

t.test("work runs the job at once and returns true and its first timeout, or true alone when it ended", function()
  local pool = new()
  local got
  t.deep(table.pack(pool.work(function(...) got = table.pack(...) end, 1, nil, 3, nil)), { true, n = 1 })
  t.deep(got, { 1, nil, 3, nil, n = 4 })
  t.deep(table.pack(pool.work(function() pool.wait(7.5) end)), { true, 7.5, n = 2 })
  t.deep(table.pack(pool.work(function() pool.wait("event", 8) end)), { true, 8, n = 2 })
end)

t.test("work wants a function", function()
  local pool = new()
  t.raises("bad argument #1 to 'work' %(function expected, got nil%)", pool.work)
  t.raises("function expected, got table", pool.work, setmetatable({}, { __call = print }))
end)

t.test("init names what is missing or does not fit", function()
  local pool = clock.fresh "threadpool"
  local logger = clock.logger()
  t.raises("init comes first", pool.work, print)
  t.raises("logger must provide", pool.init, { growing_thread_num = 1 })
  t.raises("growing_thread_num must provide", pool.init, { logger = logger })
  t.raises("growing_thread_num", pool.init, { logger = logger, growing_thread_num = 0 })
  t.raises("upper_idl_thread_num", pool.init,
    { logger = logger, growing_thread_num = 1, upper_thread_num = 4, upper_idl_thread_num = 4 })
  t.raises("init_thread_num", pool.init,
    { logger = logger, growing_thread_num = 1, upper_thread_num = 4, init_thread_num = 4 })
  t.raises("growing_thread_num", pool.init,
    { logger = logger, growing_thread_num = 4, upper_thread_num = 4, init_thread_num = 1 })
end)

t.test("ids count from 1, and the last thread made is used first", function()
  local pool = new { growing_thread_num = 3 }
  t.deep(ids(pool, 3), { 3, 2, 1 })
  t.deep(ids(pool, 4), { 6, 5, 4, 9 })
end)

t.test("a thread that has ended is the first to be used again", function()
  local pool = new()
  ids(pool, 4)
  t.ok(pool.notify(9, nil))
  t.deep(ids(pool, 2), { 9, 6 })
end)

t.test("the stock grows by growing_thread_num with a warning, and init_thread_num is where it starts", function()
  local pool, logger = new { growing_thread_num = 2, init_thread_num = 1 }
  ids(pool, 3)
  t.deep(logger.lines, { "warn: not idle thread, thread count =|1|growing =|2" })
end)

t.test("work is refused at the upper limit with an error in the log, and the stock never passes it", function()
  local pool, logger = new { growing_thread_num = 3, upper_thread_num = 4 }
  t.deep(ids(pool, 4), { 3, 2, 1, 4 })
  local ran = false
  t.deep(table.pack(pool.work(function() ran = true end)), { false, n = 1 })
  t.eq(ran, false)
  t.eq(logger.lines[#logger.lines], "error: reach the upper_thread_num|4| #thread_list=|4")
  t.ok(pool.notify(2, nil))
  t.eq(pool.work(function() ran = true end), true)
  t.eq(ran, true)
end)

t.test("grow adds threads whatever the limits", function()
  local pool = new { growing_thread_num = 1, upper_thread_num = 2, upper_idl_thread_num = 1 }
  pool.grow(3)
  t.deep(ids(pool, 4), { 4, 3, 2, 1 })
  t.raises("above 0", pool.grow, 0)
end)

t.test("check_timeout gives up the highest idle threads down to upper_idl_thread_num", function()
  local pool, logger = new { growing_thread_num = 8, upper_idl_thread_num = 3 }
  local seen = ids(pool, 8)
  for _, id in ipairs { 2, 7, 8, 1, 6 } do t.ok(pool.notify(id, nil)) end
  t.deep(table.pack(pool.check_timeout(0)), { 1000, 0, n = 2 })
  t.deep(ids(pool, 3), { 6, 1, 2 }, "the rest keeps its order")
  t.eq(#seen, 8)
  t.eq(pool.notify(7, nil), false)
  t.eq(logger.lines[#logger.lines], "warn: try to wakeup thread not existed, id=7")
end)

t.test("a busy thread with the highest id keeps the stock as it is", function()
  local pool, logger = new { growing_thread_num = 8, upper_idl_thread_num = 3 }
  pool.work(function() pool.wait(1000) end)
  pool.check_timeout(0)
  pool.notify(7, nil)
  t.eq(logger.lines[#logger.lines], "warn: try to wakeup an idle thread, id=7")
  t.ok(pool.notify(8, nil))
  pool.check_timeout(0)
  pool.notify(4, nil)
  t.eq(logger.lines[#logger.lines], "warn: try to wakeup thread not existed, id=4")
  t.deep(ids(pool, 4), { 3, 2, 1, 11 })
end)

t.test("without upper_idl_thread_num a tenth of the upper limit may be idle", function()
  local pool = new { growing_thread_num = 15, upper_thread_num = 20 }
  pool.check_timeout(0)
  t.deep(ids(pool, 2), { 2, 1 })
end)

t.test("notify returns true and the next timeout, or true alone, and wait returns what it passed", function()
  local pool = new()
  local got
  pool.work(function()
    got = table.pack(pool.wait("a", 5))
    got = table.pack(pool.wait("b", 9))
  end)
  t.deep(table.pack(pool.notify(10, "a", 1, nil, "x", nil)), { true, 9, n = 2 })
  t.deep(got, { 1, nil, "x", nil, n = 4 })
  t.deep(table.pack(pool.notify(10, "b")), { true, n = 1 })
  t.deep(got, { n = 0 })
end)

t.test("a plain wait is notified by nil", function()
  local pool = new()
  local got
  pool.work(function() got = pool.wait(5) end)
  t.eq(pool.notify(10, nil, "woken"), true)
  t.eq(got, "woken")
end)

t.test("any value is an event, false too", function()
  local pool = new()
  local key, got = {}, {}
  for i, event in ipairs { key, false, 7, print } do
    pool.work(function() got[i] = pool.wait(event, 5) end)
    t.ok(pool.notify(10, event, i))
  end
  t.deep(got, { 1, 2, 3, 4 })
end)

t.test("notify of an unknown, idle, running or otherwise waiting thread is false and a line in the log", function()
  local pool, logger = new()
  pool.work(function()
    pool.wait("first", 5)
    t.eq(pool.notify(pool.running(), "first"), false)
    pool.wait("right", 5)
  end)
  t.deep(table.pack(pool.notify(11, "right")), { false, n = 1 })
  t.eq(pool.notify("x", "right"), false)
  t.eq(pool.notify(nil, "right"), false)
  t.eq(pool.notify(9, "right"), false)
  t.eq(pool.notify(10, "wrong"), false)
  t.ok(pool.notify(10, "first"))
  t.eq(pool.notify(10, nil), false)
  t.ok(pool.notify(10, "right"))
  t.eq(pool.notify(10, "right"), false)
  t.deep(logger.lines, {
    "warn: try to wakeup thread not existed, id=11",
    "warn: try to wakeup thread not existed, id=x",
    "warn: try to wakeup thread not existed, id=nil",
    "warn: try to wakeup an idle thread, id=9",
    "warn: unexpect event, expect[first], but recv [wrong]",
    "warn: try to wakeup a thread that does not wait, id=10",
    "warn: unexpect event, expect[right], but recv [nil]",
    "warn: try to wakeup an idle thread, id=10",
  })
end)

t.test("check_timeout returns 0 from plain waits and TIMEOUT, event from others; never before the time", function()
  local pool = new()
  local plain, named
  pool.work(function() plain = table.pack(pool.wait(5)) end)
  pool.work(function() named = table.pack(pool.wait("e", 6)) end)
  t.deep(table.pack(pool.check_timeout(4.999)), { 5, 0, n = 2 })
  t.deep(table.pack(pool.check_timeout(5)), { 6, 1, n = 2 })
  t.deep(plain, { 0, n = 1 })
  t.deep(table.pack(pool.check_timeout(60)), { nil, 1, n = 2 })
  t.deep(named, { 1, "e", n = 2 })
  t.eq(pool.TIMEOUT, 1)
end)

t.test("enum_timeout is what wait returns for an event that did not come", function()
  local pool = new { enum_timeout = "late" }
  local named
  pool.work(function() named = table.pack(pool.wait("e", 6)) end)
  pool.check_timeout(6)
  t.deep(named, { "late", "e", n = 2 })
  t.eq(pool.TIMEOUT, "late")
end)

t.test("threads are resumed in order of time, ties in the order of their waits", function()
  local pool = new { growing_thread_num = 100 }
  local order = {}
  for i, at in ipairs { 3, 1, 2, 1, 3, 2, 1 } do
    pool.work(function() pool.wait(at) order[#order + 1] = i end)
  end
  t.deep(table.pack(pool.check_timeout(2)), { 3, 5, n = 2 })
  t.deep(order, { 2, 4, 7, 3, 6 })
  pool.check_timeout(3)
  t.deep(order, { 2, 4, 7, 3, 6, 1, 5 })
end)

t.test("a wait that begins during check_timeout is for the next call, and counts for the next timeout", function()
  local pool = new()
  local woken = 0
  pool.work(function() while true do pool.wait(0) woken = woken + 1 end end)
  t.deep(table.pack(pool.check_timeout(1)), { 0, 1, n = 2 })
  t.deep(table.pack(pool.check_timeout(1)), { 0, 1, n = 2 })
  t.eq(woken, 2)
end)

t.test("a due thread that another has notified is not resumed a second time", function()
  local pool = new()
  local got = {}
  pool.work(function()
    pool.wait(1)
    pool.notify(9, "e", "notified")
  end)
  pool.work(function()
    got[#got + 1] = pool.wait("e", 1)
    got[#got + 1] = pool.wait("e", 1)
  end)
  t.deep(table.pack(pool.check_timeout(1)), { 1, 1, n = 2 })
  t.deep(got, { "notified" })
  pool.check_timeout(1)
  t.deep(got, { "notified", 1 })
end)

t.test("work inside work runs at once and running returns to the outer thread", function()
  local pool = new()
  local trail = {}
  local function note() trail[#trail + 1] = pool.running() or "none" end
  pool.work(function()
    note()
    pool.work(function()
      note()
      pool.work(note)
      note()
      pool.wait(1)
      note()
    end)
    note()
  end)
  note()
  pool.check_timeout(1)
  note()
  t.deep(trail, { 10, 9, 8, 9, 10, "none", 9, "none" })
end)

t.test("a job notifies another, which goes on inside the call and may notify it back later", function()
  local pool = new()
  local trail = {}
  pool.work(function()
    trail[#trail + 1] = pool.wait("ping", 5)
    t.ok(pool.work(function() t.eq(pool.notify(9, "back", "from inside"), false) end))
    pool.wait("end", 5)
  end)
  pool.work(function()
    t.deep(table.pack(pool.notify(10, "ping", "from 9")), { true, 5, n = 2 })
    trail[#trail + 1] = pool.running()
    t.ok(pool.notify(10, "end"))
    trail[#trail + 1] = pool.wait("back", 5)
  end)
  t.ok(pool.notify(9, "back", "from outside"))
  t.deep(trail, { "from 9", 9, "from outside" })
end)

t.test("an error in a job is logged with a traceback, ends the job and nothing else", function()
  local pool, logger = new()
  local function explode() error "it broke" end
  t.deep(table.pack(pool.work(explode)), { true, n = 1 })
  t.match(logger.lines[1], "^error: error in thread job:.*it broke\nstack traceback:\n.*threadpool_base")
  pool.work(function() pool.wait(1) error({}) end)
  t.deep(table.pack(pool.check_timeout(1)), { nil, 1, n = 2 })
  t.match(logger.lines[2], "^error: error in thread job:table: .*\nstack traceback:")
  t.eq(pool.running(), nil)
  t.deep(ids(pool, 2), { 10, 9 }, "both threads are idle again")
end)

t.test("the thread still runs while its error is logged", function()
  local logger, pool = clock.logger(), nil
  local id
  logger.error = function() id = pool.running() end
  pool = new { logger = logger }
  pool.work(error)
  t.eq(id, 10)
end)

t.test("a logger that raises reaches the caller, and the stock is whole afterwards", function()
  local logger = clock.logger()
  logger.error = function() error "the log is full" end
  local pool = new { logger = logger }
  t.raises("the log is full", pool.work, error)
  t.eq(pool.running(), nil)
  local woken = 0
  pool.work(function() pool.wait(1) error "lost" end)
  pool.work(function() pool.wait(1) woken = woken + 1 end)
  t.raises("the log is full", pool.check_timeout, 1)
  t.eq(woken, 1, "the others that were due are resumed all the same")
  t.deep(ids(pool, 3), { 9, 10, 8 })
end)

t.test("works nested deeper than Lua allows are errors of the job that asks, and lose no thread", function()
  local pool, logger = new { growing_thread_num = 500 }
  local deepest = 0
  local function nest(depth)
    deepest = depth
    if depth < 400 then pool.work(nest, depth + 1) end
  end
  pool.work(nest, 1)
  t.ok(deepest > 50 and deepest < 400)
  t.eq(#logger.lines, 1)
  t.match(logger.lines[1], "stack overflow")
  local seen, all = ids(pool, 500), 0
  for _, id in ipairs(seen) do all = all + id end
  t.eq(all, 500 * 501 // 2, "every thread is there once")
end)

t.test("a thread that could not be resumed waits on", function()
  local pool, logger = new { growing_thread_num = 500 }
  local got, refused = nil, 0
  pool.work(function() got = pool.wait("e", 5) end)
  -- Only a message handler runs where Lua refuses to resume anything.
  local function handler()
    local ok, e = pcall(pool.notify, 500, "e", "too deep")
    t.eq(ok, false)
    t.match(e, "stack overflow")
    refused = refused + 1
  end
  local function dig() return (xpcall(dig, handler)) end
  dig()
  t.eq(refused, 1)
  t.eq(got, nil)
  t.ok(pool.notify(500, "e", "here"))
  t.eq(got, "here")
  t.deep(logger.lines, {})
end)

t.test("thread-local values belong to the running thread", function()
  local pool = new()
  local seen = {}
  for i = 1, 2 do
    pool.work(function()
      pool.tls_set("key", i)
      pool.wait(1)
      seen[i] = pool.tls_get "key"
    end)
  end
  pool.check_timeout(1)
  t.deep(seen, { 1, 2 })
  t.raises("no thread is running", pool.tls_set, "key", 1)
  t.raises("no thread is running", pool.tls_get, "key")
end)

t.test("wait outside a thread, in a coroutine of the job's own, or where nothing can yield is an error", function()
  local pool, logger = new()
  t.raises("no thread is running", pool.wait, 5)
  t.raises("timeout: number expected, got nil", pool.wait)
  pool.work(function()
    t.raises("coroutine of the job's own", coroutine.wrap(function() pool.wait(5) end))
    t.raises("cannot yield", table.sort, { 1, 2 }, function() pool.wait(5) end)
    t.raises("number expected, got later", pool.wait, "event", "later")
    t.raises("number expected", pool.wait, 0 / 0)
  end)
  t.deep(logger.lines, {})
  t.deep(table.pack(pool.check_timeout(9)), { nil, 0, n = 2 })
end)

t.test("hasten makes a waiting thread due", function()
  local pool = new()
  local got
  pool.work(function() got = table.pack(pool.wait("e", math.huge)) end)
  t.eq(pool.hasten(10, 3), true)
  t.eq(pool.hasten(9, 3), false)
  t.deep(table.pack(pool.check_timeout(2)), { 3, 0, n = 2 })
  pool.check_timeout(3)
  t.deep(got, { 1, "e", n = 2 })
end)

t.test("due is the time at which the thread that check_timeout resumes was due", function()
  local pool = new()
  local seen = {}
  local function note() seen[#seen + 1] = pool.due() or "none" end
  pool.work(function()
    note()
    pool.wait(3)
    note()
    pool.work(note)
    t.deep(table.pack(pool.check_timeout(4)), { nil, 1, n = 2 })
    note()
  end)
  pool.work(function() pool.wait(4) note() end)
  pool.check_timeout(3.5)
  note()
  t.deep(seen, { "none", 3, 3, 4, 3, "none" })
end)

t.test("ten thousand works wait at once and come back in order of time", function()
  local count = 10000
  local pool = new { growing_thread_num = 100, upper_thread_num = count }
  local woken, early, last = 0, 0, -1
  for i = 1, count do
    local at = i * 7919 % count
    t.ok(pool.work(function()
      pool.wait(at)
      if at < last then early = early + 1 end
      woken, last = woken + 1, at
    end))
  end
  t.eq(pool.work(print), false)
  local now, resumed = 0, 0
  while now do
    local some
    now, some = pool.check_timeout(now + 99)
    resumed = resumed + some
  end
  t.eq(woken, count)
  t.eq(resumed, count)
  t.eq(early, 0)
end)

t.test("a hundred thousand waits that are notified leave nothing behind", function()
  local count = 100000 // t.slowdown
  local pool = new { growing_thread_num = count, upper_thread_num = count + 1 }
  local got = 0
  for _ = 1, count do
    pool.work(function()
      local one = pool.wait("e", 1000)
      got = got + one
    end)
  end
  for id = 1, count, 2 do pool.notify(id, "e", 1) end
  for id = count - count % 2, 2, -2 do pool.notify(id, "e", 1) end
  t.eq(got, count)
  t.deep(table.pack(pool.check_timeout(2000)), { nil, 0, n = 2 })
end)

t.test("random waits, notifies and times agree with a plain list", function()
  local pool = new { growing_thread_num = 50, upper_thread_num = 200 }
  math.randomseed(4711)
  local now, model, wrong = 0, {}, 0
  local function job()
    local id = pool.running()
    for _ = 1, math.random(1, 6) do
      local at = now + math.random(0, 20)
      model[id] = at
      local how = pool.wait("e", at)
      if how == 1 and (model[id] ~= at or at > now) then wrong = wrong + 1 end
      model[id] = nil
    end
  end
  for _ = 1, 5000 // t.slowdown do
    local choice = math.random(4)
    if choice == 1 then
      pool.work(job)
    elseif choice == 2 then
      local id = math.random(1, 200)
      local waits = model[id] ~= nil
      t.eq(pool.notify(id, "e", "note"), waits)
    else
      now = now + math.random(0, 3)
      local next_timeout = pool.check_timeout(now)
      local first
      for _, at in pairs(model) do first = math.min(first or at, at) end
      t.eq(next_timeout, first)
    end
  end
  t.eq(wrong, 0)
end)

t.finish()
