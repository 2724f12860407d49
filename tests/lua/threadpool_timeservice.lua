-- threadpool_timeservice.lua - the time service by a clock that the tests move: its scheduler's poll lets time pass.

local t = require "harness"
local clock = require "threadpool_clock"

local sim = {}
package.preload["troupe"] = function()
  return { now = function()
    sim.clock = sim.clock + sim.cost
    return sim.clock
  end }
end
package.preload["troupe.task"] = function()
  return {
    running = function() return nil end,
    poll = function(seconds)
      sim.polls = sim.polls + 1
      local ran = sim.on_poll and sim.on_poll(seconds)
      if ran then return ran end
      if seconds > 0 then sim.clock = sim.clock + seconds + sim.lateness() end
      return false
    end,
  }
end

-- A fresh service at time 100, where nothing costs time and poll returns exactly in time.
local function new()
  sim.clock, sim.cost, sim.polls, sim.on_poll = 100, 0, 0, nil
  sim.lateness = function() return 0 end
  return clock.fresh "troupe.timeservice"
end

local function run_to(service, time)
  while service:now() < time do service:dispatch(nil, time - service:now()) end
end

t.test("timers fire in order of time, ties in the order of arming, when they are due", function()
  local service, list = new(), {}
  for i, first in ipairs { 3, 1, 2, 1, 3 } do
    service:add_timer(first, 0, function() list[#list + 1] = i .. "@" .. service:now() end)
  end
  run_to(service, 110)
  t.deep(list, { "2@101", "4@101", "3@102", "1@103", "5@103" })
end)

t.test("a timer of 0 is not armed, and set arms it", function()
  local service, fired = new(), 0
  local timer = service:add_timer(0, 0, function() fired = fired + 1 end)
  local period = service:add_timer(0, 1, function() fired = fired + 100 end)
  run_to(service, 110)
  t.eq(fired, 0)
  timer:set(1)
  t.eq(tostring(timer), "timer: armed")
  t.eq(tostring(period), "timer: not armed")
  run_to(service, 120)
  t.eq(fired, 1)
end)

t.test("set replaces the time, disarm, close and del_fd take it away", function()
  local service, list = new(), {}
  local timers = {}
  for i = 1, 5 do timers[i] = service:add_timer(i, 1, function() list[#list + 1] = i .. "@" .. service:now() end) end
  timers[1]:set(9)
  timers[2]:disarm()
  timers[3]:close()
  t.eq(service:del_fd(timers[4]), true)
  timers[5]:set(0)
  run_to(service, 120)
  t.deep(list, { "1@109" })
end)

t.test("what a callback returns is its timer's next time: a number, 0 for never, nothing for no change", function()
  local service, list = new(), {}
  local returns = { { 2 }, { 1, 3 }, {}, { false }, { 0 } }
  service:add_timer(1, 0, function()
    list[#list + 1] = service:now()
    return table.unpack(returns[#list])
  end)
  run_to(service, 200)
  t.deep(list, { 101, 103, 104, 107, 110 })
end)

t.test("an interval does not drift, however late its firings", function()
  local service, list = new(), {}
  sim.lateness = function() return 0.25 end
  service:add_timer(1, 1, function(_, missed) list[#list + 1] = { service:now(), service:due(), missed } end)
  run_to(service, 1000)
  t.eq(#list, 900)
  for i, one in ipairs(list) do t.deep(one, { 100 + i + 0.25, 100 + i, 1 }) end
end)

t.test("an interval that no binary number is equal to fires each time once", function()
  local service, fired, missed = new(), 0, 0
  service:add_timer(0.1, 0.1, function(_, count)
    fired, missed = fired + 1, missed + count - 1
    t.ok(service:now() >= 99.9999999 + fired / 10)
  end)
  run_to(service, 1100.05)
  t.eq(fired, 10000)
  t.eq(missed, 0)
end)

t.test("firings that were missed become one that tells their number", function()
  local service, list = new(), {}
  service:add_timer(1, 1, function(_, missed)
    list[#list + 1] = { service:now(), missed }
    if #list == 1 then sim.clock = sim.clock + 3.5 end
  end)
  run_to(service, 107)
  t.deep(list, { { 101, 1 }, { 104.5, 3 }, { 105.0, 1 }, { 106.0, 1 }, { 107.0, 1 } })
end)

t.test("a callback's cost never makes a later timer early, and none is lost", function()
  local service, list = new(), {}
  for i = 1, 5 do
    service:add_timer(i, 0, function()
      list[#list + 1] = i
      t.ok(service:now() >= 100 + i)
      sim.clock = sim.clock + 2.5
    end)
  end
  run_to(service, 130)
  t.deep(list, { 1, 2, 3, 4, 5 })
end)

t.test("due timers are ready before a callback runs: what it arms waits, what it disarms does not fire", function()
  local service, list = new(), {}
  local second, third
  service:add_timer(1, 0, function()
    list[#list + 1] = "first"
    second:disarm()
    third:set(0.5)
    t.eq(tostring(second), "timer: not armed")
    service:add_timer(0.25, 0, function() list[#list + 1] = "added@" .. service:now() end)
  end)
  second = service:add_timer(1, 0, function() list[#list + 1] = "second" end)
  third = service:add_timer(1, 0, function() list[#list + 1] = "third@" .. service:now() end)
  service:add_timer(1, 0, function()
    list[#list + 1] = "fourth"
    t.eq(tostring(third), "timer: armed")
  end)
  t.eq(service:dispatch(nil, 1), 2)
  t.deep(list, { "first", "fourth" })
  run_to(service, 110)
  t.deep(list, { "first", "fourth", "added@101.25", "third@101.5" })
end)

t.test("max_events timers fire in one dispatch, the others in the next, in the same order", function()
  local service, list = new(), {}
  for i = 1, 5 do service:add_timer(1, 0, function() list[#list + 1] = i end) end
  t.eq(service:dispatch(2, 5), 2)
  t.eq(service:dispatch(2, 5), 2)
  t.deep(list, { 1, 2, 3, 4 })
  t.eq(service:dispatch(2, 5), 1)
  t.deep(list, { 1, 2, 3, 4, 5 })
  t.eq(sim.clock, 101)
end)

t.test("dispatch returns 0 after its timeout, at once for 0, and waits on for a negative one", function()
  local service = new()
  service:add_timer(10000, 0, function() end)
  t.eq(service:dispatch(10, 5), 0)
  t.eq(sim.clock, 105)
  t.eq(service:dispatch(10, 0), 0)
  t.eq(sim.clock, 105)
  t.eq(service:dispatch(10, -1), 1)
  t.eq(sim.clock, 10100)
end)

t.test("dispatch returns when the scheduler has run something, so that its caller sees the change", function()
  local service = new()
  sim.on_poll = function() return sim.polls == 3 end
  sim.lateness = function() return -0.5 end
  t.eq(service:dispatch(10, 60), 0)
  t.eq(sim.polls, 3)
end)

t.test("the scheduler runs in each dispatch, however many timers are due", function()
  local service = new()
  local timer
  timer = service:add_timer(0.001, 0, function()
    timer:set(1e-9)
    sim.clock = sim.clock + 1
  end)
  for _ = 1, 10 do t.eq(service:dispatch(1, -1), 1) end
  t.eq(sim.polls, 10)
end)

t.test("a callback may dispatch, and the other due timers fire there", function()
  local service, list = new(), {}
  service:add_timer(1, 0, function()
    list[#list + 1] = "outer"
    service:dispatch(10, 0)
    list[#list + 1] = "outer again"
  end)
  service:add_timer(1, 0, function() list[#list + 1] = "inner" end)
  run_to(service, 102)
  t.deep(list, { "outer", "inner", "outer again" })
end)

t.test("a callback that raises is dispatch's error, and the other timers fire in the next", function()
  local service, list = new(), {}
  for i = 1, 3 do
    service:add_timer(1, 1, function()
      list[#list + 1] = i
      if i == 2 and #list == 2 then error "it broke" end
    end)
  end
  t.raises("it broke", service.dispatch, service, 10, 5)
  t.deep(list, { 1, 2 })
  t.eq(service:due(), sim.clock)
  service:dispatch(10, 0)
  t.deep(list, { 1, 2, 3 })
  service:dispatch(10, 5)
  t.deep(list, { 1, 2, 3, 1, 2, 3 })
end)

t.test("a handler of errors gets the service, the timer, its callback and the error, and dispatch goes on", function()
  local service, got = new(), nil
  local fired = 0
  local function explode() error "it broke" end
  local timer = service:add_timer(1, 1, explode)
  service:add_timer(1, 0, function() fired = fired + 1 end)
  service:dispatch(100, -1, function(e, file, callbacks, err, kind)
    got = { e, file, callbacks.read, kind, file:getfd() }
    t.match(err, "it broke")
    t.ok(pcall(e.del_fd, e, file))
    t.ok(pcall(file.close, file))
    file.no_close = true
  end)
  t.deep(got, { service, timer, explode, "read", -1 })
  t.eq(fired, 1)
  t.eq(timer:status(), 0)
end)

t.test("due is when the running callback was to run, now outside", function()
  local service, seen = new(), {}
  sim.lateness = function() return 0.5 end
  service:add_timer(1, 0, function() seen[1], seen[2] = service:due(), service:now() end)
  service:dispatch()
  t.deep(seen, { 101, 101.5 })
  t.eq(service:due(), 101.5)
end)

t.test("status tells the seconds left and the interval", function()
  local service = new()
  local timer = service:add_timer(3, 2, function() end)
  sim.clock = 101
  t.deep({ timer:status() }, { 2, 2 })
  sim.clock = 105
  t.deep({ timer:status() }, { 0, 2 })
end)

t.test("calling the module makes another service with timers of its own", function()
  local service = new()
  local other, list = service(), {}
  t.ok(other ~= service)
  service:add_timer(1, 0, function() list[#list + 1] = "service" end)
  other:add_timer(1, 0, function() list[#list + 1] = "other" end)
  other:dispatch(10, 2)
  t.deep(list, { "other" })
  service:dispatch(10, 2)
  t.deep(list, { "other", "service" })
end)

t.test("wrong arguments are named", function()
  local service = new()
  local function nothing() end
  t.raises("first: number of at least 0 expected, got nil", service.add_timer, service, nil, 0, nothing)
  t.raises("first: .* got %-1", service.add_timer, service, -1, 0, nothing)
  t.raises("first: .*nan$", service.add_timer, service, 0 / 0, 0, nothing)
  t.raises("interval: .* got x", service.add_timer, service, 1, "x", nothing)
  t.raises("fn: function expected, got nil", service.add_timer, service, 1, 0)
  t.raises("max_events: number of at least 1 expected, got 0", service.dispatch, service, 0)
  local timer = service:add_timer(1, 0, nothing)
  t.raises("first: number", timer.set, timer)
  t.raises("interval: number", timer.set, timer, 1, -1)
  run_to(service, 102)
end)

t.test("a hundred thousand timers fire in order, after half of them were disarmed", function()
  local service = new()
  local count = 100000 // t.slowdown
  local timers, fired, wrong, last = {}, 0, 0, 0
  for i = 1, count do
    local first = 1 + i * 7919 % count / 1000
    timers[i] = service:add_timer(first, 0, function()
      if first < last or service:now() < 100 + first then wrong = wrong + 1 end
      fired, last = fired + 1, first
    end)
  end
  for i = 2, count, 2 do timers[i]:disarm() end
  run_to(service, 102 + count / 1000)
  t.eq(fired, (count + 1) // 2)
  t.eq(wrong, 0)
end)

-- The story of lua-threadpool's example: two timers, four threads, one of them waiting for a condition.
local function story(service, pool, say)
  local sleeper, open = nil, false
  local function steps(name, ...)
    say(name .. " starts")
    for _, interval in ipairs { ... } do
      pool.wait(interval)
      say(name .. " after " .. interval)
    end
  end
  service:add_timer(2, 0, function()
    say "timer"
    pool.work(function()
      steps("one", 2, 3)
      sleeper = pool.running()
      say(table.concat({ "thread", sleeper, pool.wait("event", 100) }, " "))
    end)
    pool.work(steps, "two", 1, 3)
    return false
  end)
  pool.work(steps, "three", 1, 3)
  service:add_timer(9, 0, function()
    pool.notify(sleeper, "event", 0, 4455667788)
    say "open"
    open = true
  end)
  pool.work(function()
    say "four starts"
    pool.wait_until(function() return open end)
    say "four ends"
    sleeper = nil
  end)
  repeat service:dispatch(100, -1) until open and not sleeper
end

local expected = {
  "0 three starts", "0 four starts", "1 three after 1", "2 timer", "2 one starts", "2 two starts", "3 two after 1",
  "4 one after 2", "4 three after 3", "6 two after 3", "7 one after 3", "9 thread 8 0 4455667788", "9 open",
  "9 four ends",
}

t.test("the same story has the same lines at the same seconds, however late the machine is", function()
  math.randomseed(4711)
  for round = 1, 20 do
    local service, list = new()(), {}
    local pool = clock.fresh "threadpool_ext"
    pool.init { time_service = service, logger = clock.logger(), growing_thread_num = 10 }
    local latest = ({ 0, 1e-4, 1e-3, 4e-3 })[round % 4 + 1]
    sim.cost = 10 ^ -(5 + round % 3)
    sim.lateness = function() return math.random() * latest end
    local start = service:now()
    story(service, pool, function(line)
      list[#list + 1] = ("%d %s"):format((service:now() - start) // 1, line)
    end)
    t.deep(list, expected, "round " .. round)
  end
end)

t.test("no wait returns before its interval has passed, however late it was begun", function()
  math.randomseed(4712)
  local service = new()
  local pool = clock.fresh "threadpool_ext"
  pool.init { time_service = service, logger = clock.logger(), growing_thread_num = 100 }
  sim.cost = 1e-6
  sim.lateness = function() return math.random() ^ 4 / 50 end
  local early, latest, waits = 0, 0, 0
  for _ = 1, 50 do
    pool.work(function()
      for _ = 1, 100 do
        local interval, from = math.random() / 10, service:now()
        pool.wait(interval)
        local passed = service:now() - from
        if passed < interval then early = early + 1 end
        waits, latest = waits + 1, math.max(latest, passed - interval)
      end
    end)
  end
  run_to(service, 200)
  t.eq(waits, 5000)
  t.eq(early, 0)
  t.ok(latest < 0.03, latest)
end)

t.finish()
