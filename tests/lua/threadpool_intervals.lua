-- threadpool_intervals.lua - threadpool_ext over a time service: intervals, conditions, critical sections.

local t = require "harness"
local clock = require "threadpool_clock"

local function new(config)
  local pool, service, logger = clock.fresh "threadpool_ext", clock.service(), clock.logger()
  config = config or {}
  config.time_service, config.logger = config.time_service or service, logger
  config.growing_thread_num = config.growing_thread_num or 10
  pool.init(config)
  return pool, service, logger
end

-- A note taker: note(word) remembers the word and the time since the start.
local function notes(service)
  local list, start = {}, service.clock
  return function(word) list[#list + 1] = ("%s %.3f"):format(word, service.clock - start) end, list
end

t.test("init wants a time service, or an epoll as its older name", function()
  local pool = clock.fresh "threadpool_ext"
  t.raises("time_service must provide", pool.init, { logger = clock.logger(), growing_thread_num = 1 })
  local service, woken = clock.service(), false
  pool.init { epoll = service, logger = clock.logger(), growing_thread_num = 1 }
  pool.work(function() pool.wait(1) woken = true end)
  service:run_to(101)
  t.ok(woken)
end)

t.test("the rest of threadpool is there", function()
  local pool = new { enum_timeout = 110 }
  local base = require "threadpool"
  for _, name in ipairs { "running", "tls_set", "tls_get", "grow", "check_timeout" } do t.eq(pool[name], base[name]) end
  t.eq(pool.TIMEOUT, 110)
end)

t.test("work and notify return true or false alone", function()
  local pool = new { growing_thread_num = 1, upper_thread_num = 2, upper_idl_thread_num = 1 }
  t.deep(table.pack(pool.work(function() pool.wait("e", 5) pool.wait(5) end)), { true, n = 1 })
  t.deep(table.pack(pool.notify(1, "e")), { true, n = 1 })
  t.deep(table.pack(pool.notify(1, "e")), { false, n = 1 })
  pool.work(function() pool.wait(5) end)
  t.deep(table.pack(pool.work(print)), { false, n = 1 })
end)

t.test("waits end when their intervals have passed, in order of time, ties in the order of the waits", function()
  local pool, service = new()
  local note, list = notes(service)
  for i, interval in ipairs { 3, 1, 2, 1, 3 } do
    pool.work(function() pool.wait(interval) note(i) end)
  end
  service:run_to(200)
  t.deep(list, { "2 1.000", "4 1.000", "3 2.000", "1 3.000", "5 3.000" })
end)

t.test("wait returns 0, or TIMEOUT and the event, or what notify passed", function()
  local pool, service = new()
  local got = {}
  pool.work(function()
    got[1] = table.pack(pool.wait(1))
    got[2] = table.pack(pool.wait("e", 1))
    got[3] = table.pack(pool.wait("e", 100))
  end)
  service:run_to(102)
  t.ok(pool.notify(10, "e", "a", nil))
  t.deep(got, { { 0, n = 1 }, { 1, "e", n = 2 }, { "a", nil, n = 2 } })
  t.raises("interval: number expected, got nil", pool.wait)
  t.raises("interval: number expected, got soon", pool.wait, "event", "soon")
end)

t.test("a shorter wait arms the timer anew, from work, from notify and from inside a job", function()
  local pool, service = new()
  local note, list = notes(service)
  pool.work(function() pool.wait(50) note "long" end)
  pool.work(function() pool.wait(10) note "short" end)
  pool.work(function() pool.wait("e", 90) pool.wait(5) note "notified" end)
  pool.notify(8, "e")
  pool.work(function()
    pool.wait(1)
    pool.work(function() pool.wait(1) note "inner" end)
    pool.wait(48)
    note "outer"
  end)
  service:run_to(200)
  t.deep(list, { "inner 2.000", "notified 5.000", "short 10.000", "outer 49.000", "long 50.000" })
end)

t.test("with nothing to wait for the timer is not armed", function()
  local pool, service = new()
  local sets = service.sets
  pool.work(function() pool.wait("e", math.huge) end)
  pool.work(function() end)
  t.eq(service.sets, sets)
  pool.work(function() pool.wait(1) end)
  service:run_to(500)
  t.eq(service.fired, 1)
  t.ok(pool.notify(10, "e"))
end)

t.test("a clock that jumps loses no wait", function()
  local pool, service = new()
  local note, list = notes(service)
  pool.work(function() for i = 1, 3 do pool.wait(1) note(i) end end)
  service.clock = 150
  service:run_to(160)
  t.deep(list, { "1 50.000", "2 51.000", "3 52.000" })
end)

t.test("wait_until asks at once and then until the condition is true, with its arguments", function()
  local pool, service = new()
  local note, list = notes(service)
  local asked, ready = 0, {}
  pool.work(function()
    pool.wait_until(function(...)
      asked = asked + 1
      t.deep({ ... }, { ready, "x" })
      return ready[1]
    end, ready, "x")
    note "ready"
  end)
  pool.work(function() pool.wait_until(function() return true end) note "at once" end)
  t.eq(asked, 1)
  clock.timer(service, function() ready[1] = true end).at = 102
  service:run_to(105)
  t.eq(list[1], "at once 0.000")
  t.match(list[2], "^ready 2%.00[01]$")
  t.ok(asked > 1000 and asked < 3000, asked)
end)

t.test("a critical section is entered by one thread at a time, first come, first served", function()
  local pool, service = new()
  local note, list = notes(service)
  local section = pool.new_critical_section()
  t.eq(section:entered_thread(), nil)
  for i, interval in ipairs { 5, 1, 2 } do
    pool.work(function()
      section:enter()
      note(i .. " in")
      t.eq(section:entered_thread(), pool.running())
      pool.wait(interval)
      section:leave()
      note(i .. " out")
    end)
  end
  service:run_to(200)
  for i, line in ipairs { "1 in 0", "1 out 5", "2 in 5", "2 out 6", "3 in 6", "3 out 8" } do
    t.eq(list[i]:match "^%d %a+ %d+", line)
  end
  t.eq(#list, 6)
  t.eq(section:entered_thread(), nil)
end)

t.test("a critical section may be entered again by its owner, and is left as often", function()
  local pool, service = new()
  local section = pool.new_critical_section()
  local second
  pool.work(function()
    section:enter()
    section:enter()
    pool.wait(1)
    section:leave()
    pool.wait(1)
    t.eq(second, nil)
    section:leave()
  end)
  pool.work(function()
    section:enter()
    second = service.clock
    section:leave()
  end)
  service:run_to(200)
  t.eq(second // 1, 102.0)
end)

t.test("a critical section is left by its owner only, and entered by threads", function()
  local pool, _, logger = new()
  local section = pool.new_critical_section()
  t.raises("no thread is running", section.enter, section)
  t.raises("not inside", section.leave, section)
  pool.work(function() section:enter() pool.wait("e", 100) section:leave() end)
  pool.work(function() t.raises("not inside", section.leave, section) end)
  t.raises("not inside", section.leave, section)
  t.ok(pool.notify(10, "e"))
  t.deep(logger.lines, {})
end)

t.test("a notify does not take a thread into a critical section before its turn", function()
  local pool, service = new()
  local section = pool.new_critical_section()
  local inside = {}
  for i = 1, 2 do
    pool.work(function()
      section:enter()
      inside[#inside + 1] = i
      pool.wait(5)
      section:leave()
    end)
  end
  t.ok(pool.notify(9, section))
  t.deep(inside, { 1 })
  service:run_to(200)
  t.deep(inside, { 1, 2 })
end)

t.test("a thousand threads pass a critical section without being asked in between", function()
  local pool, service = new { growing_thread_num = 999, upper_thread_num = 1001 }
  local section = pool.new_critical_section()
  local passed, out_of_turn = 0, 0
  for i = 1, 1000 do
    pool.work(function()
      section:enter()
      if i ~= passed + 1 then out_of_turn = out_of_turn + 1 end
      pool.wait(1)
      passed = passed + 1
      section:leave()
    end)
  end
  service:run_to(5000)
  t.eq(passed, 1000)
  t.eq(out_of_turn, 0)
  t.ok(service.fired <= 2001, service.fired)
end)

t.test("an error in a job is logged and the other waits go on", function()
  local pool, service, logger = new()
  local note, list = notes(service)
  pool.work(function() pool.wait(1) error "it broke" end)
  pool.work(function() pool.wait(1) note "same time" end)
  pool.work(function() pool.wait(2) note "later" end)
  service:run_to(200)
  t.deep(list, { "same time 1.000", "later 2.000" })
  t.eq(#logger.lines, 1)
  t.match(logger.lines[1], "it broke")
end)

t.test("init again, with another service, serves the threads that begin to wait from then on", function()
  local pool, _, logger = new()
  pool.work(function() pool.wait(1) end)
  local later, woken = clock.service(5000), nil
  pool.init { time_service = later, logger = logger, growing_thread_num = 2 }
  pool.work(function() pool.wait(7) woken = later.clock end)
  later:run_to(5010)
  t.eq(woken, 5007)
end)

t.test("ten thousand works at once, each with waits and an inner work, end", function()
  local count = 10000 // t.slowdown
  local pool, service = new { growing_thread_num = 1000, upper_thread_num = 2 * count + 1001 }
  local ended, inner = 0, 0
  for i = 1, count do
    pool.work(function()
      pool.wait(i % 100)
      pool.work(function()
        pool.wait("never", i % 7)
        inner = inner + 1
      end)
      pool.wait(i % 13)
      ended = ended + 1
    end)
  end
  service:run_to(1000)
  t.eq(ended, count)
  t.eq(inner, count)
end)

t.finish()
