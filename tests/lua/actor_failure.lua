-- actor_failure.lua - how actors end, and who hears of it: errors, kills, stops, links, monitors, dead letters.

local t = require "harness"
local actors = require "actors"
local await = require "await"
local troupe = require "troupe"
local task = require "troupe.task"

local test, eq, ok, match, raises, deep = t.test, t.eq, t.ok, t.match, t.raises, t.deep
local near, witness = actors.near, actors.witness

-- Runs code apart, where its words on stderr can be seen.
local function apart(code)
  return t.script([[
    local troupe = require "troupe"
    local task = require "troupe.task"
    local function near(b, ...) return assert(troupe.spawn({ b, isolation = "local" }, ...)) end
  ]] .. code)
end

test("an error ends the actor, is told once with its traceback, and fails the calls it has", function()
  local status, out, err = apart [[
    local actor = assert(troupe.spawn{ {
      fail = function() local function deep() error "boom" end deep() end,
      get = function() return 1 end,
    }, isolation = "local", name = "poor actor" })
    local first, second = actor:ask "fail", actor:ask "get"
    print(first:join())
    print(second:join())
    print(actor:alive(), actor:send "get", actor:try_send "get", actor:info().state)
    print(pcall(actor.call, actor, "get"))
    print(actor:info().reason)
  ]]
  eq(status, 0)
  match(out, "^false\t.*boom\nfalse\t.*boom\nfalse\tnil\tnil\tdead\nfalse\tdead\n.*boom\nstack traceback:.*deep")
  match(err, "poor actor .*failed: .*boom\nstack traceback:.*deep")
  eq(select(2, err:gsub("boom", "")), 1)
end)

test("an error value that is no string reaches callers and monitors as it is", function()
  local status, out = apart [[
    local actor = near { fail = function() error { code = 42 } end }
    local seen
    local watcher = near {
      watch = function() troupe.monitor(actor) end,
      down = function(_, _, reason) seen = reason end,
    }
    watcher:call "watch"
    local _, e = pcall(actor.call, actor, "fail")
    task.wait_until(function() return seen end)
    print(e.code, seen.code)
  ]]
  eq(status, 0)
  eq(out, "42\t42\n")
end)

test("an error in one actor ends no other", function()
  local status, out = apart [[
    local n = 0
    local bad = { fail = function() error "x" end }
    local good = near { up = function() n = n + 1 return n end }
    for i = 1, 100 do near(bad):send "fail" good:send "up" end
    print(good:call "up")
  ]]
  eq(status, 0)
  eq(out, "101\n")
end)

test("an init that fails makes spawn return its error with a traceback, and is not told otherwise", function()
  local status, out, err = apart [[
    local function failing() error "no start" end
    local ref, why = troupe.spawn{ { init = failing }, isolation = "local", name = "x" }
    print(ref, why)
    print(troupe.whereis "x")
    ref, why = troupe.spawn{ { init = function() task.sleep(0.01) error "later" end }, isolation = "local" }
    print(ref, why)
    ref, why = troupe.spawn{ { init = function() task.sleep(60) end }, isolation = "local", init_timeout = 0.01 }
    print(ref, why)
    ref, why = troupe.spawn{ { init = function(self) self:stop "not today" end }, isolation = "local" }
    print(ref, why)
    print(troupe.spawn{ function() error "function" end, isolation = "local" })
  ]]
  eq(err, "")
  eq(status, 0)
  match(out, "^nil\t[^\n]*no start\nstack traceback:.*\nnil\nnil\t[^\n]*later\nstack traceback.*\n"
    .. "nil\ttimeout\nnil\tnot today\nnil\t[^\n]*function\nstack")
end)

test("spawn waits for an init that waits, in tasks, outside and in actors", function()
  local Slow = { init = function(self)
    task.sleep(0.01)
    self.ready = true
  end, get = function(self) return self.ready end }
  eq(near(Slow):call "get", true)
  task.run(function() eq(near(Slow):call "get", true) end)
  local parent = near { make = function() return near(Slow) end }
  eq(parent:call("make"):call "get", true)
end)

test("stop handles what came before, then terminate, then ends", function()
  local log = {}
  local actor = near {
    work = function(_, i)
      task.sleep(0.001)
      log[#log + 1] = i
    end,
    terminate = function(_, reason) log[#log + 1] = reason end,
  }
  actor:send("work", 1)
  actor:send("work", 2)
  local before = troupe.dead_letters()
  eq(actor:stop "tired", true)
  deep(log, { 1, 2, "tired" })
  eq(actor:info().reason, "tired")
  eq(actor:stop(), true)
  eq(troupe.dead_letters(), before)
end)

test("stop gives nil, timeout when the actor does not get to it; kill ends it where it waits", function()
  local closed
  local actor = near {
    work = function()
      local _ <close> = setmetatable({}, { __close = function() closed = true end })
      task.sleep(60)
    end,
    terminate = function() closed = "terminate" end,
  }
  actor:send "work"
  local pending = actor:ask "work"
  deep({ actor:stop("normal", 0.01) }, { nil, "timeout" })
  eq(actor:kill(), true)
  eq(actor:kill(), false)
  eq(closed, true)
  deep({ pending:join() }, { false, "killed" })
  eq(actor:info().reason, "killed")
end)

test("an actor stops and kills itself", function()
  local log = {}
  local stopping = near {
    go = function(self)
      self:stop()
      log[#log + 1] = "went on"
    end,
    never = function() log[#log + 1] = "never" end,
  }
  local dying = near { go = function(self)
    self.ref:kill()
    log[#log + 1] = "never"
  end }
  local before = troupe.dead_letters()
  stopping:send "go"
  stopping:send "never"
  local call = dying:ask "go"
  await(function() return not stopping:alive() and not dying:alive() end)
  deep({ call:join() }, { false, "killed" })
  deep(log, { "went on" })
  eq(stopping:info().reason, "normal")
  eq(troupe.dead_letters(), before + 1)
end)

test("a function that waits is stopped and killed where it waits", function()
  local log = {}
  local function body(self)
    local _ <close> = setmetatable({}, { __close = function() log[#log + 1] = "closed" end })
    while true do log[#log + 1] = self:receive() end
  end
  local a, b = near(body), near(body)
  a:send "one"
  eq(a:stop(), true)
  b:kill()
  deep(log, { "one", "closed", "closed" })
end)

test("an error in terminate leaves the reason as it was", function()
  local status, out, err = apart [[
    local actor = near { terminate = function() error "oops" end }
    print(actor:stop "reason")
    print(actor:info().reason)
  ]]
  eq(status, 0)
  eq(out, "true\nreason\n")
  match(err, "oops")
end)

test("terminate is called after an error, with the reason", function()
  local status, out = apart [[
    local actor = near {
      fail = function() error "boom" end,
      terminate = function(_, reason) print(reason:match "boom") end,
    }
    print(pcall(actor.call, actor, "fail"))
    task.wait_until(function() return actor:info().state == "dead" end)
  ]]
  eq(status, 0)
  match(out, "boom\n")
  match(out, "false\t[^\n]*boom\n")
end)

test("a monitor brings one down message, for the dead at once", function()
  local watcher, seen, inside = witness()
  local target = near {}
  inside(function()
    troupe.monitor(target)
    troupe.monitor(target)
    eq(troupe.demonitor(target), true)
    eq(troupe.demonitor(near {}), false)
  end)
  eq(target:info().monitors, 1)
  target:stop "over"
  await(function() return #seen == 1 end)
  deep(seen, { { "down", target, "over" } })
  inside(function() troupe.monitor(target) end)
  await(function() return #seen == 2 end)
  eq(seen[2][3], "over")
  eq(watcher:alive(), true)
end)

test("linked actors end together, for the same reason, by way of terminate", function()
  local last
  local a = near { terminate = function(_, reason) last = reason end }
  local b, _, inside = witness()
  inside(function() troupe.link(a) end)
  eq(a:info().links, 1)
  b:stop "broken"
  await(function() return not a:alive() end)
  await(function() return last end)
  eq(last, "broken")
  eq(a:info().reason, "broken")
  local c = near {}
  local d
  d, _, inside = witness()
  inside(function() troupe.link(c) end)
  d:stop "normal"
  eq(c:alive(), true)
end)

test("a linked actor that waits or runs ends too", function()
  local sleeper = near { nap = function() task.sleep(60) end }
  local boss, _, inside = witness()
  inside(function() troupe.link(sleeper) end)
  local nap = sleeper:ask "nap"
  await(function() return sleeper:info().state == "busy" end)
  boss:kill()
  deep({ nap:join() }, { false, "killed" })
  -- the one that runs kills its partner, and dies of it when it next waits
  local partner = near {}
  local after
  local killer
  killer = near { go = function()
    troupe.link(partner)
    partner:kill()
    after = true
    task.sleep(60)
    after = "never"
  end }
  local go = killer:ask "go"
  deep({ go:join() }, { false, "killed" })
  eq(after, true)
end)

test("trap_exit turns the end of a linked actor into a message", function()
  local boss, seen, inside = witness(true)
  local a, b
  inside(function()
    a, b = near {}, near {}
    troupe.link(a)
    troupe.link(b)
    troupe.unlink(b)
  end)
  a:kill()
  b:kill()
  await(function() return #seen > 0 end)
  deep(seen, { { "exit", a, "killed" } })
  eq(boss:alive(), true)
  inside(function() troupe.link(a) end)
  await(function() return #seen == 2 end)
end)

test("spawn links and monitors without a gap", function()
  local _, seen, inside = witness(true)
  inside(function()
    troupe.spawn { { init = function(self) self:stop "early" end }, isolation = "local", link = true, monitor = true }
  end)
  await(function() return #seen == 2 end)
  table.sort(seen, function(x, y) return x[1] < y[1] end)
  eq(seen[1][1] .. seen[1][3] .. seen[2][1] .. seen[2][3], "downearlyexitearly")
end)

test("messages to the dead are counted, also those it had not handled", function()
  local actor = near { wait = function() task.sleep(60) end }
  actor:send "wait"
  await(function() return actor:info().state == "busy" end)
  for i = 1, 5 do actor:send("wait", i) end
  local before = troupe.dead_letters()
  actor:kill()
  eq(troupe.dead_letters(), before + 5)
  deep({ actor:send "wait" }, { nil, "dead" })
  deep({ actor:try_send "wait" }, { nil, "dead" })
  eq(troupe.dead_letters(), before + 7)
end)

test("a token outlives its actor harmlessly", function()
  local token
  local actor = near { ask = function(self) token = self:defer() end }
  local future = actor:ask "ask"
  await(function() return token end)
  actor:kill()
  deep({ future:join() }, { false, "killed" })
  eq(token:reply "late", false)
end)

test("timers of the dead send nothing", function()
  local actor = near { init = function(self) self:every(0.001, "tick") end, tick = function() end }
  actor:kill()
  local before, told = troupe.dead_letters(), false
  -- Timers go off in the order in which they are due: before this one, the dead one's would have, more than once.
  near { init = function(self) self:send_after(0.005, "late") end, late = function() told = true end }
  await(function() return told end)
  eq(troupe.dead_letters(), before)
end)

test("kills at random hang nobody: every call has its answer or its reason", function()
  math.randomseed(7)
  local rounds = 3000 // t.slowdown
  local crowd, outcomes = {}, { fine = 0, killed = 0, dead = 0 }
  local Behaviour = {
    quick = function(_, x) return x end,
    slow = function(_, x)
      task.sleep(0)
      return x
    end,
    chain = function(_, x)
      local other = crowd[math.random(#crowd)]
      local _, err = pcall(other.call, other, "quick", x)
      if err ~= nil and type(err) ~= "number" and err ~= "killed" and err ~= "dead" then return x end
      return x
    end,
    terminate = function() task.sleep(0) end,
  }
  for i = 1, 20 do crowd[i] = near(Behaviour) end
  local names = { "quick", "slow", "chain" }
  local running = 0
  for i = 1, rounds do
    local at = math.random(#crowd)
    local actor = crowd[at]
    if math.random(10) == 1 then
      local way = math.random(3)
      if way == 1 then actor:kill() else task.spawn(actor.stop, actor, "killed") end
      crowd[at] = near(Behaviour)
    else
      running = running + 1
      task.spawn(function()
        local fine, result = pcall(actor.call_with, actor, { timeout = 60 * t.slowdown }, names[math.random(3)], i)
        running = running - 1
        if fine then
          eq(result, i)
          outcomes.fine = outcomes.fine + 1
        else
          outcomes[result] = outcomes[result] + 1
        end
      end)
    end
    if i % 7 == 0 then task.poll() end
  end
  await(function() return running == 0 end)
  ok(outcomes.fine > rounds // 3, outcomes.fine)
  ok(outcomes.killed > 0, outcomes.killed)
end)

test("a vm closes with actors in every state", function()
  local status, out, err = apart [[
    near { x = function() end }:send "x"
    near { x = function() task.sleep(60) end }:send "x"
    near(function(self) self:receive() end)
    near { init = function(self) self:every(0.001, "x") end, x = function() end }
    near { concurrent = true, x = function() task.sleep(60) end }:send "x"
    task.poll()
    near { x = function() end }:ask "x"
    print "end"
  ]]
  eq(err, "")
  eq(out, "end\n")
  eq(status, 0)
end)

test("actors live in workers and in threads' children, and end with them in every state", function()
  local function work(n)
    local troupe, task = require "troupe", require "troupe.task" -- luacheck: ignore 431
    local function near(b) return assert(troupe.spawn { b, isolation = "local" }) end -- luacheck: ignore 431
    local sum = near {
      add = function(self, k)
        self.n = (self.n or 0) + k
        return self.n
      end,
    }
    for i = 1, n do sum:send("add", i) end
    near({ x = function() task.sleep(60) end }):send "x"
    near(function(self) self:receive() end)
    near { init = function(self) self:every(0.001, "x") end, x = function() end }
    return sum:call("add", 0)
  end
  local pool <close> = troupe.pool { workers = 2 }
  local jobs = {}
  for i = 1, 20 do jobs[i] = pool:submit(work, i) end
  for i = 1, 20 do eq(jobs[i]:await(), i * (i + 1) // 2) end
  local child = require "llthreads2".new(string.dump(work), 10):start()
  deep({ child:join() }, { true, 55 })
end)

test("a call to the dead raises dead", function()
  local gone = near {}
  gone:kill()
  raises("^dead$", gone.call, gone, "x")
end)

t.finish()
