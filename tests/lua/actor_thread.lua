-- actor_thread.lua - actors in vms of their own: spawned, limited, ended, and lost.

local t = require "harness"
local actors = require "actors"
local await = require "await"
local gates = require "gates"
local troupe = require "troupe"

local test, eq, ok, match, raises, deep = t.test, t.eq, t.ok, t.match, t.raises, t.deep
local witness = actors.witness

local Counter = {
  init = function(self, start) self.n = start or 0 end,
  add = function(self, k) self.n = self.n + k end,
  get = function(self) return self.n end,
  fail = function(_, err) error(err, 0) end,
  stop = function(self, reason) self:stop(reason) end,
  -- Runs for ever; the file tells that it has begun.
  loop = function(_, name)
    io.open(name, "w"):close()
    while true do end -- luacheck: ignore 542
  end,
  stuck = function(_, stuck, gate) stuck(gate) end,
  run = function(self, fn, ...) return fn(self, ...) end,
}

local function thread(behaviour, ...) return assert(troupe.spawn(behaviour, ...)) end

local function exists(name)
  local file = io.open(name)
  return file and file:close()
end

test("an actor has a vm of its own unless something else is said", function()
  local counter = thread(Counter, 10)
  counter:send("add", 5)
  eq(counter:call "get", 15)
  local info = counter:info()
  eq(info.isolation, "thread")
  eq(math.type(info.memory), "integer")
  ok(info.memory > 10000)
  troupe_test_global = 1 -- luacheck: ignore 111
  eq(counter:call("run", function() return troupe_test_global end), nil) -- luacheck: ignore 113
  troupe_test_global = nil -- luacheck: ignore 111
  ok(counter:stop())
  eq(counter:alive(), false)
end)

test("paths, modules and functions are behaviours too", function()
  local kv = thread "actors/kv.lua"
  kv:call("set", "a", 1)
  eq(kv:call("get", "a"), 1)
  ok(kv:reload())
  eq(kv:call("get", "a"), 1)
  kv:stop()
  local echo = thread(function(self, greeting)
    while true do
      local name, to = self:receive()
      if name == "stop_now" then return end
      to:send("heard", greeting .. name)
    end
  end, "hello ")
  local got
  local here = assert(troupe.spawn { { heard = function(_, text) got = text end }, isolation = "local" })
  echo:send("you", here)
  await(function() return got end, "an answer")
  eq(got, "hello you")
  local _, seen, inside = witness()
  inside(function() troupe.monitor(echo) end)
  echo:send "stop_now"
  await(function() return #seen == 1 end, "its end")
  deep(seen[1], { "down", echo, "normal" })
end)

test("what fails before init has returned is the spawn's error", function()
  local ref, why = troupe.spawn { { init = function() local function deep_in() error "no" end deep_in() end } }
  eq(ref, nil)
  match(why, "no\nstack traceback:.*deep_in")
  match(select(2, troupe.spawn "no/such.lua"), "cannot open no/such.lua")
  deep({ troupe.spawn { { init = function() while true do end end }, init_timeout = 0.05 } }, { nil, "timeout" })
  match(select(2, troupe.spawn { { init = function() local s = "x" while true do s = s .. s end end },
    memory_limit = 8 << 20 }), "not enough memory")
  raises("cannot send a thread", troupe.spawn, Counter, coroutine.create(print))
end)

test("a vm that cannot be opened, or is not awaited, is the spawn's error", function()
  for _, isolation in ipairs { "thread", "process" } do
    local ref, why = troupe.spawn { Counter, isolation = isolation, memory_limit = 10000 }
    eq(ref, nil)
    match(why, "not enough memory")
  end
  for _ = 1, 20 do deep({ troupe.spawn { Counter, init_timeout = 0 } }, { nil, "timeout" }) end
  eq(thread(Counter, 3):call "get", 3)
end)

test("libs, path and preload are the actor's vm's", function()
  local poor = thread { { get = function() return io, os, string ~= nil end }, libs = { "string", "table", "math" } }
  deep({ poor:call "get" }, { nil, nil, true })
  local odd = thread { { get = function() return package.path, require "my.len" == #"my.len" end },
    path = "/nowhere/?.lua", preload = { ["my.len"] = string.len } }
  deep({ odd:call "get" }, { "/nowhere/?.lua", true })
  poor:stop()
  odd:stop()
end)

test("path and cpath take the place of the spawner's, and the library is found all the same", function()
  local apart = thread { {
    paths = function() return package.path, package.cpath end,
    find = function(_, name) return (pcall(require, name)) end,
    crew = function()
      local kv = require "troupe".spawn "actors/kv.lua"
      local path = require "troupe".spawn { { get = function() return package.path end } }:call "get"
      kv:call("set", "a", 1)
      return kv:call("get", "a"), path
    end,
  }, path = "/nowhere/?.lua", cpath = "/nowhere/?.so" }
  deep({ apart:call "paths" }, { "/nowhere/?.lua", "/nowhere/?.so" })
  ok(pcall(require, "gates"))
  eq(apart:call("find", "gates"), false)
  eq(apart:call("find", "troupers"), false)
  eq(apart:call("find", "troupe.log"), true)
  deep({ apart:call_with({ timeout = 60 * t.slowdown }, "crew") }, { 1, "/nowhere/?.lua" })
  apart:stop()
end)

-- Which of the library's modules are there; run in an actor.
local function modules()
  local found = {}
  for name in pairs(package.loaded) do found[name:match "^troupe%.(.*)" or name] = true end
  return found
end

test("an actor's vm loads of the library what it uses", function()
  local plain, limited = thread(Counter), thread { Counter, memory_limit = 64 << 20 }
  local few, all = plain:call("run", modules), limited:call("run", modules)
  for _, name in ipairs { "actor_timer", "actor_thread", "actor_shutdown", "options", "topic" } do
    eq(few[name], nil, name)
    eq(all[name], true, name) -- later there may be no memory for it
  end
  eq(plain:call("run", function()
    local inner <const> = require "troupe".spawn { function() return { get = function() return 7 end } end }
    local seven = inner:call "get"
    return inner:stop() and seven
  end), 7)
  eq(plain:call("run", modules).actor_thread, true)
  plain:stop()
  limited:stop()
end)

test("what the library loads later does not miss the libraries that were left out", function()
  local poor = thread { function(self)
    return {
      start = function() self:send_after(0, "tick") end,
      tick = function() self.ticked = true end,
      get = function() return self.ticked, math, table end,
      leave = function() self:stop() end,
    }
  end, libs = { "string" } }
  poor:send "start"
  await(function() return (poor:call "get") end, "its timer")
  deep({ poor:call "get" }, { true, nil, nil })
  poor:send "leave"
  await(function() return not poor:alive() end, "its end")
end)

test("an endless loop is ended by kill, and who waits hears it", function()
  local busy = thread(Counter)
  local _, seen, inside = witness()
  inside(function() troupe.monitor(busy) end)
  local name = os.tmpname()
  os.remove(name)
  local future, late = busy:ask("loop", name), busy:ask "get"
  await(function() return exists(name) end, "the loop")
  ok(busy:kill())
  deep({ future:join(60 * t.slowdown) }, { false, "killed" })
  deep({ late:join(60 * t.slowdown) }, { false, "killed" })
  await(function() return #seen == 1 end, "its down")
  deep(seen[1], { "down", busy, "killed" })
  eq(busy:alive(), false)
  os.remove(name)
end)

test("one that is stuck in C is given up, and was killed for all who ask", function()
  local gate <close> = gates.gate()
  local stuck = thread(Counter)
  local _, seen, inside = witness()
  inside(function() troupe.monitor(stuck) end)
  local future = stuck:ask("stuck", gates.stuck, gate.name)
  gate:await_arrival()
  stuck:kill()
  local good, why = future:join(60 * t.slowdown)
  eq(good, false)
  eq(why, "killed")
  await(function() return #seen == 1 end, "its down")
  deep(seen[1], { "down", stuck, "killed" })
  deep({ stuck:send "get" }, { nil, "dead" })
  eq(stuck:info().reason, "killed")
end)

test("links and monitors of spawn hold without a gap", function()
  local trapping, seen, inside = witness(true)
  local ref = inside(function()
    return troupe.spawn { { init = function(self) self:stop "early" end }, link = true, monitor = true }
  end)
  await(function() return #seen >= 1 end, "its end")
  ok(trapping:alive())
  eq(ref, nil) -- it ended before init had returned
  seen[1], seen[2] = nil, nil
  local linked = inside(function() return troupe.spawn { Counter, link = true, monitor = true } end)
  linked:send("stop", "over")
  await(function() return #seen == 2 end, "both")
  table.sort(seen, function(a, b) return a[1] < b[1] end)
  deep(seen, { { "down", linked, "over" }, { "exit", linked, "over" } })

  local parent = assert(troupe.spawn { {
    make = function() return troupe.spawn { Counter, link = true } end,
  }, isolation = "local" })
  local child = parent:call_with({ timeout = 60 * t.slowdown }, "make")
  local _, ends, within = witness()
  within(function() troupe.monitor(child) end)
  parent:kill()
  await(function() return #ends == 1 end, "the child's end")
  deep(ends[1], { "down", child, "killed" })
end)

test("a supervisor starts a thread actor again", function()
  local supervisor = troupe.supervise { children = { { id = "c", start = { Counter, 5 }, isolation = "thread" } } }
  local first = supervisor:call_with({ timeout = 60 * t.slowdown }, "which")[1].ref
  eq(first:call "get", 5)
  first:kill()
  await(function()
    local now = supervisor:call "which"[1].ref
    return now and now ~= first and now:call "get" == 5
  end, "its replacement")
  supervisor:stop()
end)

test("an actor lives on when the vm that spawned it has ended", function()
  local pool = troupe.pool { workers = 1 }
  local ref = pool:submit(function(behaviour) return require "troupe".spawn(behaviour, 3) end, Counter):await()
  pool:shutdown()
  eq(ref:call "get", 3)
  ref:kill()
end)

test("names, and what lists pools", function()
  local counter = thread { Counter, name = "the thread" }
  eq(troupe.whereis "the thread", counter)
  deep({ troupe.spawn { Counter, name = "the thread" } }, { nil, "name taken" })
  eq(#troupe.stats(), 0)
  ok(counter:stop())
  eq(troupe.whereis "the thread", nil)
end)

test("many at once, and none is forgotten", function()
  local count = 60 // t.slowdown
  local crew, futures = {}, {}
  for i = 1, count do crew[i] = thread(Counter, i) end
  for i = 1, count do futures[i] = crew[i]:ask "get" end
  for i = 1, count do eq(futures[i]:await(60 * t.slowdown), i) end
  for i = 1, count do
    if i % 2 == 0 then crew[i]:kill() else crew[i]:send("stop", "odd") end
  end
  await(function()
    for i = 1, count do
      if crew[i]:alive() then return false end
    end
    return true
  end, "their ends")
end)

test("a program ends whatever its actors do", function()
  local status, out = t.script [[
    local troupe = require "troupe"
    local name = os.tmpname()
    os.remove(name)
    local actor = troupe.spawn { { loop = function()
      io.open(name, "w"):close()
      while true do end
    end } }
    local idle = troupe.spawn { {} }
    actor:send "loop"
    while not io.open(name) do require "troupe.task".sleep(0.001) end
    os.remove(name)
    print "done"
  ]]
  eq(status, 0)
  eq(out, "done\n")
end)

test("in a process of its own an actor dies alone", function()
  local here = io.open("/proc/self/stat"):read "n"
  local made = { pid = function() return io.open("/proc/self/stat"):read "n" end, die = function() os.exit(3) end,
    echo = function(_, ...) return ... end, loop = Counter.loop }
  local patient = { timeout = 60 * t.slowdown }
  local actor = thread { made, isolation = "process" }
  ok(actor:call_with(patient, "pid") ~= here)
  eq(actor:call_with(patient, "echo", actor), actor)
  eq(actor:info().isolation, "process")
  local _, seen, inside = witness()
  inside(function() troupe.monitor(actor) end)
  deep({ actor:ask("die"):join(60 * t.slowdown) }, { false, "lost" })
  await(function() return #seen == 1 end, "its down")
  deep(seen[1], { "down", actor, "lost" })
  deep({ actor:send "pid" }, { nil, "dead" })

  local busy, name = thread { made, isolation = "process" }, os.tmpname()
  os.remove(name)
  local future = busy:ask("loop", name)
  await(function() return exists(name) end, "the loop")
  busy:kill()
  deep({ future:join(60 * t.slowdown) }, { false, "killed" })
  os.remove(name)
  ok(thread({ made, isolation = "process" }):stop(nil, 60 * t.slowdown))

  local stuck, gate <close> = thread { Counter, isolation = "process" }, gates.gate()
  inside(function() troupe.monitor(stuck) end)
  future = stuck:ask("stuck", gates.stuck, gate.name)
  gate:await_arrival()
  stuck:kill()
  deep({ future:join(60 * t.slowdown) }, { false, "killed" })
  await(function() return #seen == 2 end, "its down")
  deep(seen[2], { "down", stuck, "killed" })
end)

test("an actor's process has the directory, environment, niceness and memory that its options say", function()
  local Told = { tell = function()
    local limit = io.open("/proc/self/limits"):read "a":match "Max address space%s+(%w+)"
    return os.getenv "TROUPE_TEST", os.getenv "HOME" or false, io.popen "pwd":read "l", io.popen "nice":read "l", limit
  end, ids = function() return io.popen "id -u":read "l", io.popen "id -g":read "l" end }
  local patient = { timeout = 60 * t.slowdown }
  local actor = thread { Told, isolation = "process", cwd = "/", nice = 3, memory_limit = 16 << 20,
    env = { TROUPE_TEST = "yes", HOME = false } }
  local got = { actor:call_with(patient, "tell") }
  local limit = table.remove(got)
  deep(got, { "yes", false, "/", io.popen "nice -n 3 nice":read "l" })
  if t.slowdown == 1 then ok(tonumber(limit) and tonumber(limit) > 16 << 20, limit) end -- sanitizers map what they want
  if io.popen "id -u":read "l" == "0" then
    local other = thread { Told, isolation = "process", uid = 12345, gid = 54321 }
    deep({ other:call_with(patient, "ids") }, { "12345", "54321" })
  end
  local ref, why = troupe.spawn { Told, isolation = "process", cwd = "/no/such/place" }
  eq(ref, nil)
  match(why, "option 'cwd'.*No such file")
  raises("spawn: option 'cwd' needs isolation", troupe.spawn, { Told, cwd = "/" })
  raises("spawn: option 'uid' needs isolation", troupe.spawn, { Told, uid = 1, isolation = "light" })
  raises("spawn: option 'nice': integer from", troupe.spawn, { Told, isolation = "process", nice = 99 })
  raises("spawn: option 'env': names", troupe.spawn, { Told, isolation = "process", env = { "x" } })
end)

test("a vm deep inside another worker process hears that a process was lost", function()
  local actor = thread { { die = function() os.exit(3) end }, isolation = "process", name = "mortal" }
  local pool <close> = troupe.pool { workers = 1, isolation = "process" }
  local ready = os.tmpname()
  os.remove(ready)
  local job = pool:submit(function(mark, seconds)
    local child = require "llthreads".new([[
      local mark, seconds = ...
      local troupe = require "troupe"
      local why
      troupe.task.run(function()
        troupe.spawn { { init = function() troupe.monitor(troupe.whereis "mortal") end,
          otherwise = function(_, what, _, reason) why = what .. " " .. tostring(reason) end }, isolation = "local" }
        io.open(mark, "w"):close()
        local deadline = troupe.now() + seconds
        while not why and troupe.now() < deadline do troupe.task.sleep(0.001) end
      end)
      return why
    ]], mark, seconds)
    child:start()
    return select(2, child:join())
  end, ready, t.script_deadline / 2)
  await(function() return exists(ready) end, "the monitor")
  actor:send "die"
  eq(job:await(t.script_deadline), "down lost")
  os.remove(ready)
end)

test("troupe.shutdown lets actors of vms of their own end in their way", function()
  local status, out = t.script [[
    local troupe = require "troupe"
    local actor = troupe.spawn { { terminate = function(_, reason) io.write("ended: ", reason, "\n") io.flush() end } }
    troupe.shutdown()
    print(actor:alive())
  ]]
  eq(status, 0)
  eq(out, "ended: shutdown\nfalse\n")
end)

t.finish()
