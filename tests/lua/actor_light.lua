-- actor_light.lua - light actors: where they live, what is their own, and what one of them can do to the others.

local t = require "harness"
local await = require "await"
local actors = require "actors"
local gates = require "gates"
local troupe = require "troupe"
local core = require "troupe.actor.core"
local task = require "troupe.task"

local test, eq, ok, deep, match, raises = t.test, t.eq, t.ok, t.deep, t.match, t.raises

local function light(behaviour, ...) return assert(troupe.spawn({ behaviour, isolation = "light" }, ...)) end

local CORES = troupe.cores()
local LONG = { timeout = t.script_deadline }

-- Loops so that no pcall helps; tells the caller first.
local Looper = {
  loop = function(_, told)
    told:send "looping"
    while true do
      pcall(function() while true do end end)
    end
  end,
  ping = function() return "pong" end,
  where = function() return require "troupe.actor.core".own_address() end,
}

-- An actor here that counts what it is sent, by name.
local function counter()
  local seen = {}
  return actors.near { otherwise = function(_, name) seen[name] = (seen[name] or 0) + 1 end }, seen
end

-- Two light actors of one vm.
local function neighbours()
  local all = {}
  for _ = 1, CORES + 1 do
    local one = light(Looper)
    local vm = core.vm_address(one)
    if all[vm] then return all[vm], one end
    all[vm] = one
  end
end

test("a light actor is an actor: it is made, called, told, looked at and stopped", function()
  local actor = light({
    init = function(self, n) self.n = n end,
    add = function(self, k) self.n = self.n + k end,
    get = function(self) return self.n end,
  }, 3)
  actor:send("add", 4)
  eq(actor:call "get", 7)
  eq(actor:ask "get":await(), 7)
  local info = actor:info()
  eq(info.isolation, "light")
  eq(info.state, "idle")
  ok(core.vm_address(actor) ~= core.own_address())
  eq(actor:stop(), true)
  eq(actor:alive(), false)
  deep({ pcall(actor.call, actor, "get") }, { false, "dead" })
end)

test("each has globals of its own; what it reads falls through to its vm's", function()
  local Writer = {
    put = function(_, value) mark = value end, -- luacheck: ignore 111
    get = function() return mark, type(print), _G.mark end, -- luacheck: ignore 113 143
    later = function()
      local got
      require "troupe.task".spawn(function() got = mark end) -- luacheck: ignore 113
      return got
    end,
  }
  local list = {}
  for i = 1, 2 * CORES + 2 do
    list[i] = light(Writer)
    if i % 2 == 0 then list[i]:call("put", i) end
  end
  for i, actor in ipairs(list) do
    local mine = i % 2 == 0 and i or nil
    deep({ actor:call "get" }, { mine, "function", mine })
    eq(actor:call "later", mine)
  end
  eq(rawget(_G, "mark"), nil)
end)

test("upvalues are copied, each actor's apart, and functions of one behaviour share theirs", function()
  local count = 10
  local Behaviour = {
    up = function() count = count + 1 end,
    get = function() return count, rawget(_G, "count") end,
  }
  local a, b = light(Behaviour), light(Behaviour)
  a:call "up"
  a:call "up"
  eq(a:call "get", 12)
  eq(b:call "get", 10)
  eq(count, 10)
end)

test("a behaviour that was changed is not taken for what it was", function()
  local Behaviour = { get = function() return 1 end, word = "old" }
  local first = light(Behaviour)
  Behaviour.get = function(self) return self.word, self.more end
  deep({ light(Behaviour):call "get" }, { "old" })
  Behaviour.word, Behaviour.more = "new", 3
  deep({ light(Behaviour):call "get" }, { "new", 3 })
  Behaviour.more = nil
  deep({ light(Behaviour):call "get" }, { "new" })
  eq(first:call "get", 1)
end)

test("workers, in threads and in processes, spawn light actors, which outlive them", function()
  for _, isolation in ipairs { "thread", "process" } do
    local pool = troupe.pool { workers = 1, isolation = isolation }
    local ref, own = assert(pool:submit(function(Behaviour)
      local troupe = require "troupe" -- luacheck: ignore 431
      local actor = assert(troupe.spawn { Behaviour, isolation = "light", name = "made there" })
      assert(actor:call "ping" == "pong")
      return actor, actor:info().isolation
    end, Looper)):await(t.script_deadline)
    eq(own, "light")
    pool:shutdown()
    eq(ref:call_with(LONG, "ping"), "pong")
    eq(troupe.whereis "made there", ref)
    local told, seen = counter()
    ref:send("loop", told)
    await(function() return seen.looping end, "the loop")
    ref:kill()
    eq(ref:stop("normal", t.script_deadline), true)
    eq(troupe.whereis "made there", nil)
  end
end)

test("a script has globals and locals of its own in each actor, and is loaded anew by reload", function()
  local path = os.tmpname() .. ".lua"
  local function write(text)
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
  end
  write [[
    local n = 0
    total = 100
    return { up = function() n, total = n + 1, total + 1 return n, total end }
  ]]
  local a, b = light(path), light(path)
  a:call "up"
  deep({ a:call "up" }, { 2, 102 })
  deep({ b:call "up" }, { 1, 101 })
  write [[return { up = function() return "new" end }]]
  eq(a:reload(), true)
  eq(a:call "up", "new")
  eq(b:call "up", 2)
  write "return"
  match(select(2, a:reload()), "must return a table or a function")
  match(select(2, troupe.spawn { path, isolation = "light" }), "must return a table or a function")
  os.remove(path)
  match(select(2, troupe.spawn { path, isolation = "light" }), "cannot open")
end)

test("they are spread over as many vms as there are cores, evenly", function()
  local counts, list, each = {}, {}, 20
  for i = 1, each * CORES do
    list[i] = light(Looper)
    local vm = core.vm_address(list[i])
    counts[vm] = (counts[vm] or 0) + 1
  end
  local vms = 0
  for _, count in pairs(counts) do
    vms = vms + 1
    ok(count > each // 2 and count < 2 * each, count)
  end
  eq(vms, CORES)
  for _, actor in ipairs(list) do actor:stop() end
end)

test("what a light actor spawns lives beside it, until that vm is clearly fuller", function()
  local Maker = { make = function(self, behaviour, count)
    local troupe, core = require "troupe", require "troupe.actor.core" -- luacheck: ignore 431
    local here = 0
    self.made = {}
    for i = 1, count do
      self.made[i] = assert(troupe.spawn { behaviour, isolation = "light" })
      if not core.is_remote(self.made[i]) then here = here + 1 end
    end
    return here
  end }
  local maker = light(Maker)
  eq(maker:call_with(LONG, "make", Looper, 10), 10)
  if CORES > 1 then
    local here = maker:call_with(LONG, "make", Looper, 600)
    ok(here < 600 and here > 600 // CORES // 2, here)
  end
  maker:kill()
end)

test("an endless loop is broken by kill, and its neighbours go on", function()
  local looper, neighbour = neighbours()
  local told, seen = counter()
  local watcher, ends, inside = actors.witness()
  inside(function() troupe.monitor(looper) end)
  looper:send("loop", told)
  await(function() return seen.looping end, "the loop")
  local answer, stuck = neighbour:ask "ping", looper:ask "ping"
  eq(looper:kill(), true)
  eq(answer:await(), "pong")
  deep({ stuck:join() }, { false, "killed" })
  await(function() return ends[1] end, "the end")
  deep(ends, { { "down", looper, "killed" } })
  eq(looper:alive(), false)
  eq(neighbour:call "ping", "pong")
  ok(watcher:alive())
end)

test("many loops in one vm are broken one after the other", function()
  local first = light(Looper)
  local list, told, seen = { first }, counter()
  for _ = 1, 4 * CORES do list[#list + 1] = light(Looper) end
  for _, actor in ipairs(list) do actor:send("loop", told) end
  await(function() return seen.looping end, "a loop")
  for _, actor in ipairs(list) do actor:kill() end
  for _, actor in ipairs(list) do eq(actor:stop("normal", t.script_deadline), true) end
  eq(light(Looper):call "ping", "pong")
end)

test("a loop in what an actor has begun is broken with it, and after it", function()
  local host, neighbour = neighbours()
  local told, seen = counter()
  host:kill()
  local actor
  repeat
    actor = light { go = function(_, who)
      require "troupe.task".spawn(function()
        who:send "looping"
        while true do pcall(function() while true do end end) end
      end)
    end }
  until core.vm_address(actor) == core.vm_address(neighbour)
  actor:send("go", told)
  await(function() return seen.looping end, "the loop")
  actor:kill()
  eq(neighbour:call_with(LONG, "ping"), "pong")
end)

test("one that has spawned a local actor is broken into as any other", function()
  local told, seen = counter()
  for _, init in ipairs { false, true } do
    local actor = light { go = function(_, who, with_init)
      local child = { init = with_init and function() end or nil }
      local options = { child, isolation = "local" }
      for _ = 1, 2 do require "troupe".spawn(options) end
      who:send "looping"
      while true do pcall(function() while true do end end) end
    end }
    local before = seen.looping or 0
    actor:send("go", told, init)
    await(function() return (seen.looping or 0) > before end, "the loop")
    actor:kill()
    eq(actor:stop("normal", t.script_deadline), true)
  end
  eq(light(Looper):call "ping", "pong")
end)

test("init_timeout ends an init that loops, and one that waits", function()
  local Endless = { init = function(_, told)
    told:send "begun"
    while true do end
  end }
  local told, seen = counter()
  deep({ troupe.spawn({ Endless, isolation = "light", init_timeout = 0.05 }, told) }, { nil, "timeout" })
  local Waiting = { init = function() require "troupe.task".sleep(1000) end }
  deep({ troupe.spawn { Waiting, isolation = "light", init_timeout = 0.01 } }, { nil, "timeout" })
  local list = {}
  for i = 1, CORES do list[i] = light(Looper) end
  for _, actor in ipairs(list) do eq(actor:call_with(LONG, "ping"), "pong") end
  await(function() return seen.begun end, "the first's begin")
end)

test("an init that fails, waits or ends says so; names are taken once", function()
  local ref, why = troupe.spawn { { init = function() error "no" end }, isolation = "light" }
  eq(ref, nil)
  match(why, "no\n.*traceback")
  local slow = light { init = function(self)
    require "troupe.task".sleep(0.01)
    self.ready = true
  end, ready = function(self) return self.ready end }
  eq(slow:call "ready", true)
  deep({ troupe.spawn { { init = function(self) self:stop "enough" end }, isolation = "light" } }, { nil, "enough" })
  local named = assert(troupe.spawn { Looper, isolation = "light", name = "light one" })
  eq(troupe.whereis "light one", named)
  deep({ troupe.spawn { Looper, isolation = "light", name = "light one" } }, { nil, "name taken" })
  named:stop()
  eq(troupe.whereis "light one", nil)
  raises("coroutine", troupe.spawn, { Looper, isolation = "light" }, coroutine.create(print))
  raises("'memory_limit' is for isolation 'thread'", troupe.spawn, { Looper, isolation = "light", memory_limit = 9 })
  match(select(2, troupe.spawn { "no.such.module", isolation = "light" }), "no file")
end)

test("a function receives for itself", function()
  local actor = light(function(self, first)
    local sum = first
    while true do
      local name, n = self:receive()
      if name == "tell" then n:send("sum", sum) return end
      sum = sum + n
    end
  end, 5)
  local sum
  local here = actors.near { sum = function(_, n) sum = n end }
  actor:send("add", 2)
  actor:send("tell", here)
  await(function() return sum end, "the sum")
  eq(sum, 7)
  await(function() return not actor:alive() end, "its end")
end)

test("links and monitors of the spawner hold from the beginning", function()
  local _, seen, inside = actors.witness(true)
  local linked = inside(function()
    return (assert(troupe.spawn { Looper, isolation = "light", link = true, monitor = true }))
  end)
  linked:kill()
  await(function() return #seen == 2 end, "both")
  for _, entry in ipairs(seen) do deep({ entry[2], entry[3] }, { linked, "killed" }) end
  local parent = light { make = function(self, behaviour)
    self.child = require "troupe".spawn { behaviour, isolation = "light", link = true }
    return self.child
  end }
  local child = parent:call("make", Looper)
  parent:kill()
  await(function() return not child:alive() end, "the child's end")
end)

test("who spawned one hears of its end, though there is no link and no monitor", function()
  local actor = light { fail = function() error("on purpose", 0) end }
  actor:send "fail"
  await(function() return not core.alive(actor) end, "the first end") -- which asks nobody
  match(core.reason(actor), "on purpose")
  deep({ actor:send "fail" }, { nil, "dead" })
  actor = light { quit = function(self) self:stop "enough" end }
  actor:send "quit"
  await(function() return not core.alive(actor) end, "the second end")
  eq(core.reason(actor), "enough")
  for _, init in ipairs {
    function(self) self.ref:send "quit" end,
    function(self)
      require "troupe.task".sleep(0.001)
      self.ref:send "quit"
    end,
    function(self) self:send_after(0, "quit") end,
  } do
    actor = light { init = init, quit = function(self) self:stop() end }
    await(function() return not core.alive(actor) end, "an end right after the beginning")
  end
  -- an actor's vm hears of it as any other does
  local maker = light { make = function(_, behaviour)
    return (require "troupe".spawn { behaviour, isolation = "light" })
  end, knows = function(_, ref) return require "troupe.actor.core".alive(ref) end }
  for _ = 1, 2 * CORES do
    actor = maker:call_with(LONG, "make", { quit = function(self) self:stop() end })
    actor:send "quit"
    await(function() return not maker:call_with(LONG, "knows", actor) end, "the end of an actor's actor")
  end
end)

test("a supervisor kills a child that loops after its grace, and starts it again", function()
  local told, seen = counter()
  local tree = assert(troupe.supervise { children = { {
    id = "looper", start = { { Looper, isolation = "light" } }, shutdown = 0.05,
  } } })
  local first = tree:call "which"[1].ref
  first:send("loop", told)
  await(function() return seen.looping end, "the loop")
  local second = tree:call_with(LONG, "restart_child", "looper")
  eq(second:call_with(LONG, "ping"), "pong")
  ok(second ~= first)
  eq(tree:stop("normal", t.script_deadline), true)
end)

test("timers and bonds of others are whole when an actor is broken into that makes some without end", function()
  for _ = 1, 5 do
    local looper, neighbour = neighbours()
    local told, seen = counter()
    looper:kill()
    local busy
    repeat
      busy = light { go = function(self, who, other)
        local troupe = require "troupe" -- luacheck: ignore 431
        who:send "looping"
        while true do
          self:send_after(1000, "never"):cancel()
          troupe.monitor(other)
          troupe.link(other)
          troupe.unlink(other)
          troupe.demonitor(other)
        end
      end }
    until core.vm_address(busy) == core.vm_address(neighbour)
    local timed = light { wait = function(self, who)
      for i = 1, 20 do self:send_after(i / 1000, "due", who) end
    end, due = function(_, who) who:send "due" end }
    timed:call("wait", told)
    local trapper = light { trap_exit = true, exit = function() end, down = function() end }
    busy:send("go", told, trapper)
    await(function() return seen.looping end, "the loop")
    busy:kill()
    await(function() return seen.due == 20 end, "the timers")
    eq(neighbour:call_with(LONG, "ping"), "pong")
    for _, actor in ipairs { neighbour, timed, trapper } do actor:kill() end
  end
end)

test("one that is stuck in C costs its neighbours their vm; others are made in a new one", function()
  local gate <close> = gates.gate()
  local stuck_in_c = gates.stuck
  local stuck, neighbour = neighbours()
  local watcher, ends, inside = actors.witness()
  inside(function() troupe.monitor(neighbour) end)
  stuck:kill()
  local Stuck = { wait = function(_, name) stuck_in_c(name) end }
  repeat stuck = light(Stuck) until core.vm_address(stuck) == core.vm_address(neighbour)
  stuck:send("wait", gate.name)
  gate:await_arrival()
  local answer = neighbour:ask "ping"
  stuck:kill()
  deep({ answer:join() }, { false, "lost" })
  await(function() return ends[1] end, "the end")
  deep(ends, { { "down", neighbour, "lost" } })
  eq(stuck:alive(), false)
  ok(watcher:alive())
  local vm = core.vm_address(neighbour)
  for _ = 1, 2 * CORES do
    local actor = light(Looper)
    eq(actor:call_with(LONG, "ping"), "pong")
    ok(core.vm_address(actor) ~= vm)
  end
end)

local function alive_in(vms)
  local bytes = 0
  for _, actor in pairs(vms) do bytes = bytes + actor:call_with(LONG, "bytes") end
  return bytes
end

test("100,000 live at once, and give their memory back", function()
  local count = 100000 // t.slowdown ^ 2 // 1 | 0
  local Gauge = { bytes = function()
    collectgarbage()
    collectgarbage()
    return collectgarbage "count" * 1024
  end }
  local vms, open = {}, CORES
  repeat
    local gauge = light(Gauge)
    local vm = core.vm_address(gauge)
    if not vms[vm] then open = open - 1 end
    vms[vm] = gauge
  until open == 0
  local before = alive_in(vms)
  local Idle = { init = function(self, i) self.i = i end, get = function(self) return self.i end }
  local crowd = {}
  local makers, made = 50, 0
  for first = 1, makers do
    task.spawn(function()
      for i = first, count, makers do crowd[i] = light(Idle, i) end
      made = made + 1
    end)
  end
  await(function() return made == makers end, "the crowd")
  local each = (alive_in(vms) - before) / count
  ok(each < 1500, each)
  for i = 1, count, count // 100 do eq(crowd[i]:call_with(LONG, "get"), i) end
  local futures = {}
  for i = 1, count do crowd[i]:kill() end
  for i = 1, count, count // 10 do futures[#futures + 1] = crowd[i] end
  for _, actor in ipairs(futures) do eq(actor:stop("normal", t.script_deadline), true) end
  for i = 1, count do crowd[i] = nil end
  await(function() return alive_in(vms) - before < 0.1 * each * count + 200000 end, "the memory")
end)

test("killed at any moment, each call to it ends", function()
  local Busy = {
    work = function(_, other)
      if other then other:send "work" end
      for _ = 1, 100 do math.sin(1) end
      require "troupe.task".sleep(0.001)
      return true
    end,
    spin = function() while true do end end,
  }
  local crowd, pending = {}, {}
  for i = 1, 20 do crowd[i] = light(Busy) end
  for _ = 1, 400 // t.slowdown do
    local at, other = math.random(#crowd), math.random(#crowd)
    local actor = crowd[at]
    local dice = math.random(20)
    if dice == 1 then
      actor:send "spin"
      pending[#pending + 1] = actor:ask "work"
      actor:kill()
      crowd[at] = light(Busy)
    elseif dice <= 4 then
      actor:kill()
      crowd[at] = light(Busy)
    else
      pending[#pending + 1] = actor:ask("work", crowd[other])
    end
  end
  for _, future in ipairs(pending) do
    local done, what = future:join(t.script_deadline)
    ok(done ~= nil, "a call hangs")
    if not done then ok(what == "killed" or what == "dead", what) end
  end
  for _, actor in ipairs(crowd) do actor:kill() end
  task.sleep(0)
end)

t.finish()
