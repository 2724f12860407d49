-- actor.lua - actors as a Lua program meets them: messages, calls, receiving, timers, names, options.

local t = require "harness"
local actors = require "actors"
local await = require "await"
local troupe = require "troupe"
local task = require "troupe.task"

local test, eq, ok, match, raises, deep = t.test, t.eq, t.ok, t.match, t.raises, t.deep
local near = actors.near

local Counter = {}
function Counter:init(start) self.n = start or 0 end
function Counter:add(k) self.n = self.n + k end
function Counter:get() return self.n end

-- ---- messages and calls

test("a behaviour's handlers get messages in order, and calls their results", function()
  local counter = near(Counter, 10)
  eq(counter:send("add", 5), true)
  eq(counter:call "get", 15)
  for i = 1, 1000 do counter:send("add", i) end
  eq(counter:call "get", 15 + 500500)
end)

test("arguments and results keep their count, nils too", function()
  local seen
  local echo = near {
    note = function(_, ...) seen = table.pack(...) end,
    echo = function(_, ...) return ... end,
  }
  for count = 0, 5 do
    local args = table.pack(table.unpack({ nil, 2, nil, "four" }, 1, count))
    echo:send("note", table.unpack(args, 1, count))
    deep(table.pack(echo:call("echo", table.unpack(args, 1, count))), args)
    deep(seen, args)
  end
end)

test("tables are copied, references and scalars are not", function()
  local keep
  local other = near {}
  local actor = near { keep = function(_, value, ref, text)
    keep = { value, ref, text }
    return value
  end }
  local value = { 1, { "deep" }, ref = other }
  local back = actor:call("keep", value, other, "text")
  ok(keep[1] ~= value and back ~= keep[1])
  deep(keep[1][2], { "deep" })
  ok(rawequal(keep[2], other))
  ok(back.ref == other)
  raises("cannot send a userdata", actor.send, actor, "keep", io.stdout)
  raises("cannot send a thread", actor.call, actor, "keep", coroutine.create(print))
end)

test("the sender is known, and self.ref", function()
  local log = {}
  local pong = near { ping = function(self) self.sender:send "pong" end }
  local ping = near {
    start = function(self)
      log[#log + 1] = tostring(self.sender)
      pong:send "ping"
    end,
    pong = function(self) log[#log + 1] = self.sender == pong and self.ref ~= pong end,
  }
  ping:send "start"
  await(function() return #log == 2 end)
  deep(log, { "nil", true })
end)

test("a call waits as every wait does: in a task, outside, in an actor, where nothing can yield", function()
  local counter = near(Counter, 3)
  local results = {}
  task.run(function() results[1] = counter:call "get" end)
  local caller = near { ask = function() return counter:call "get" end }
  results[2] = caller:call "ask"
  results[3] = counter:call_with({ timeout = 60 }, "get")
  deep(results, { 3, 3, 3 })
  raises("cannot wait for an answer of its own", function()
    local selfish = near { ask = function(self) return self.ref:call "ask" end }
    selfish:call "ask"
  end)
end)

test("a call that takes too long gives nil, timeout; the late answer harms nobody", function()
  local gate = near {
    slow = function(self)
      self.token = self:defer()
    end,
    open = function(self) return self.token:reply "late" end,
    quick = function() return "quick" end,
  }
  deep({ gate:call_with({ timeout = 0.01 }, "slow") }, { nil, "timeout" })
  eq(gate:call "open", true)
  eq(gate:call "quick", "quick")
  task.run(function() deep({ gate:call_with({ timeout = 0.01 }, "slow") }, { nil, "timeout" }) end)
  raises("unknown option 'seconds' %(known: timeout%)", gate.call_with, gate, { seconds = 1 }, "quick")
end)

test("ask gives futures, many at once", function()
  local counter = near(Counter, 1)
  local bad = near { fail = function() error({ code = 7 }) end }
  local futures = {}
  for i = 1, 10 do
    counter:send("add", 1)
    futures[i] = counter:ask "get"
  end
  eq(futures[1]:status(), "pending")
  eq(futures[10]:await(), 11)
  for i = 1, 10 do deep({ futures[i]:join() }, { true, i + 1 }) end
  eq(futures[3]:status(), "done")
  local failing = bad:ask "fail"
  local fine, err = failing:join()
  eq(fine, false)
  eq(err.code, 7)
  eq(failing:status(), "failed")
  eq(select(2, pcall(failing.await, failing)).code, 7)
  local gate = near { wait = function(self) self:defer() end }
  deep({ gate:ask("wait"):join(0.01) }, { nil, "timeout" })
end)

test("a deferred call is answered later, once, by whoever has the token", function()
  local tokens = {}
  local actor = near {
    ask = function(self)
      tokens[#tokens + 1] = self:defer()
      return "ignored"
    end,
    note = function(self) tokens.note = self:defer() end,
  }
  local first, second = actor:ask "ask", actor:ask "ask"
  actor:send "note"
  await(function() return #tokens == 2 end)
  eq(tokens[2]:reply("b", nil), true)
  eq(tokens[1]:fail "no", true)
  eq(tokens[1]:reply "again", false)
  deep(table.pack(second:join()), { true, "b", nil, n = 3 })
  deep({ first:join() }, { false, "no" })
  eq(tokens.note, nil)
end)

test("a handler that waits holds up its own actor and no other", function()
  local log = {}
  local slow = near {
    nap = function(_, seconds)
      task.sleep(seconds)
      log[#log + 1] = "slept"
    end,
    say = function(_, what) log[#log + 1] = what end,
  }
  local quick = near { say = function(_, what) log[#log + 1] = what end }
  slow:send("nap", 0.05)
  slow:send("say", "after")
  quick:send("say", "meanwhile")
  await(function() return #log == 3 end)
  deep(log, { "meanwhile", "slept", "after" })
end)

test("a concurrent behaviour handles messages while others of it wait", function()
  local inside, most, gate = 0, 0, false
  local actor = near {
    concurrent = true,
    work = function()
      inside = inside + 1
      most = math.max(most, inside)
      while not gate do task.sleep(0.001) end
      inside = inside - 1
      return inside
    end,
    count = function() return inside end,
  }
  local futures = {}
  for i = 1, 20 do futures[i] = actor:ask "work" end
  eq(actor:call "count", 20)
  gate = true
  for i = 1, 20 do eq(futures[i]:join(), true) end
  eq(most, 20)
  eq(inside, 0)
end)

test("otherwise gets what has no handler; without it a call fails and a message is a dead letter", function()
  local got
  local any = near { otherwise = function(_, ...)
    got = table.pack(...)
    return "otherwise"
  end }
  eq(any:call("what", 1, nil), "otherwise")
  deep(got, { "what", 1, nil, n = 3 })
  any:send "bare"
  await(function() return got.n == 1 end)
  local none = near {}
  local before = troupe.dead_letters()
  raises("has no handler 'what'", none.call, none, "what")
  none:send "what"
  none:send("what", 1)
  await(function() return troupe.dead_letters() == before + 2 end)
  eq(none:alive(), true)
end)

test("what the library calls at certain times is no message", function()
  local calls = 0
  local actor = near { init = function() calls = calls + 1 end, terminate = function() calls = calls + 10 end }
  raises("no handler 'init'", actor.call, actor, "init")
  raises("no handler 'terminate'", actor.call, actor, "terminate")
  eq(calls, 1)
end)

-- ---- receiving

test("a function receives for itself", function()
  local log = {}
  local actor = near(function(self, first)
    log[#log + 1] = first
    while true do
      local name, value = self:receive()
      log[#log + 1] = name .. tostring(value)
      if name == "end" then return end
    end
  end, "first")
  actor:send("a", 1)
  actor:send "b"
  actor:send "end"
  actor:send "never"
  await(function() return not actor:alive() end)
  deep(log, { "first", "a1", "bnil", "endnil" })
  eq(actor:info().reason, "normal")
end)

test("receive takes the first message that matches and leaves the others in order", function()
  local log = {}
  local actor = near(function(self)
    local function note(...) log[#log + 1] = table.concat({ ... }, " ") end
    note(self:receive "c")
    note(self:receive { "x", "b" })
    note(self:receive(function(name, value) return name == "d" and value > 1 end))
    note(self:receive())
    note(self:receive(5))
    note(self:receive("e", 5))
    note(tostring(self:receive("never", 0.001)), (select(2, self:receive(0))))
    note "done"
  end)
  for name in ("abcd"):gmatch "." do actor:send(name, 1) end
  actor:send("d", 2)
  actor:send("e", 3, 4)
  await(function() return not actor:alive() end)
  deep(log, { "c 1", "b 1", "d 2", "a 1", "d 1", "e 3 4", "nil timeout", "done" })
end)

test("a handler may receive, also what came before and waits behind it", function()
  local log = {}
  local actor = near {
    order = function(self, what)
      local name, value = self:receive "paid"
      log[#log + 1] = what .. ":" .. name .. value
    end,
    other = function(_, value) log[#log + 1] = "other" .. value end,
  }
  actor:send("order", "tea")
  actor:send("other", 1)
  actor:send("other", 2)
  actor:send("paid", 5)
  actor:send("other", 3)
  await(function() return #log == 4 end)
  deep(log, { "tea:paid5", "other1", "other2", "other3" })
  raises("only in a handler", function() near({ init = function(self) log.self = self end }) log.self:receive() end)
end)

test("a received call is answered by a deferred token", function()
  local actor = near(function(self)
    while true do
      local _, value = self:receive "double"
      self:defer():reply(value * 2)
    end
  end)
  eq(actor:call("double", 21), 42)
  eq(actor:call("double", 4), 8)
end)

test("a queue that never gets empty does not grow", function()
  local count = 0
  local actor = near { tick = function(self)
    count = count + 1
    if count < 200000 // t.slowdown then self.ref:send("tick", "some words") end
    if count == 1 then for _ = 1, 50 do self.ref:send("tick", "more words") end end
  end }
  collectgarbage()
  local before = collectgarbage "count"
  actor:send("tick", "words")
  await(function() return count >= 200000 // t.slowdown end)
  collectgarbage()
  ok(collectgarbage "count" - before < 1000, collectgarbage "count" - before)
end)

-- ---- changing, timers, limits

test("become changes the behaviour from the next message on", function()
  local On, Off = {}, {}
  function On:switch() self:become(Off) return "now off" end -- luacheck: ignore 211
  function On.state() return "on" end
  function Off:switch() self:become(On) return "now on" end
  function Off.state() return "off" end
  local lamp = near(On)
  eq(lamp:call "state", "on")
  local futures = { lamp:ask "switch", lamp:ask "state", lamp:ask "switch", lamp:ask "state" }
  local said = {}
  for i, future in ipairs(futures) do said[i] = future:await() end
  deep(said, { "now off", "off", "now on", "on" })
end)

test("a function that makes a behaviour gives each actor its own", function()
  local function maker(self, start)
    local count = start
    self.made = true
    return { init = function(me) ok(me.made) end, up = function() count = count + 1 return count end }
  end
  local a, b = near(maker, 10), near(maker, 20)
  eq(a:call "up", 11)
  eq(b:call "up", 21)
  eq(a:call "up", 12)
end)

test("send_after and every keep their times and can be cancelled", function()
  local log, begin = {}, troupe.now()
  local actor = near {
    init = function(self)
      self:send_after(0.03, "note", "late", { "table" })
      self:send_after(0.01, "note", "early")
      self.timer = self:send_after(0.02, "note", "never")
      self.ticks = self:every(0.01, "tick")
      self.count = 0
    end,
    note = function(_, what) log[#log + 1] = { what, troupe.now() - begin } end,
    cancel = function(self) return self.timer:cancel(), self.timer:cancel() end,
    tick = function(self)
      self.count = self.count + 1
      if self.count == 3 then self.ticks:cancel() end
    end,
    count = function(self) return self.count end,
  }
  deep({ actor:call "cancel" }, { true, false })
  await(function() return #log == 2 and actor:call "count" == 3 end)
  eq(log[1][1], "early")
  ok(log[1][2] >= 0.01)
  eq(log[2][1], "late")
  ok(log[2][2] >= 0.03)
  local bad = near { go = function(self) self:every(0, "tick") end }
  raises("more than 0", bad.call, bad, "go")
end)

test("a full mailbox makes send wait, and try_send say so", function()
  local gate, handled
  local slow = assert(troupe.spawn({ {
    init = function() handled = 0 end,
    work = function()
      handled = handled + 1
      while not gate do task.sleep(0.001) end
    end,
  }, isolation = "local", mailbox_limit = 2 }))
  slow:send "work"
  await(function() return handled == 1 end)
  eq(slow:try_send "work", true)
  eq(slow:try_send "work", true)
  deep({ slow:try_send "work" }, { nil, "full" })
  eq(slow:info().mailbox, 2)
  local began, sent
  local sender = task.spawn(function()
    began = true
    sent = slow:send "work"
  end)
  await(function() return began end)
  eq(slow:info().mailbox, 2)
  eq(sent, nil)
  gate = true
  task.join(sender)
  eq(sent, true)
  for _ = 1, 10 do slow:send "work" end
  await(function() return handled == 14 end)
end)

test("who waits for room in the mailbox of an actor that dies is told", function()
  local nap = { work = function() task.sleep(60) end }
  local stuck = assert(troupe.spawn { nap, isolation = "local", mailbox_limit = 1 })
  stuck:send "work"
  await(function() return stuck:info().state == "busy" end)
  stuck:send "work"
  local outcome
  local sender = task.spawn(function() outcome = table.pack(stuck:send "work") end)
  stuck:kill()
  task.join(sender)
  deep(outcome, { nil, "dead", n = 2 })
end)

-- ---- names, references, looking

test("names are registered before spawn returns, and free at the end", function()
  local actor = assert(troupe.spawn({ Counter, isolation = "local", name = "the counter" }, 1))
  ok(troupe.whereis "the counter" == actor)
  deep({ troupe.spawn({ Counter, isolation = "local", name = "the counter" }) }, { nil, "name taken" })
  eq(troupe.register("second name", actor), true)
  deep({ troupe.register("second name", actor) }, { nil, "name taken" })
  deep(troupe.registered(), { "second name", "the counter" })
  eq(troupe.unregister "second name", true)
  eq(troupe.unregister "second name", false)
  eq(actor:stop(), true)
  eq(troupe.whereis "the counter", nil)
  deep({ troupe.register("gone", actor) }, { nil, "dead" })
  deep(troupe.registered(), {})
end)

test("references compare, print, and survive encoding", function()
  local a, b = near {}, near {}
  local again = troupe.decode(troupe.encode(a))
  ok(again == a and a ~= b)
  match(tostring(a), "^troupe.actor: %x+$")
  b:kill()
  local dead = troupe.decode(troupe.encode(b))
  ok(dead == b)
  eq(dead:alive(), false)
end)

test("info tells what an actor is at", function()
  local gate
  local actor = assert(troupe.spawn({ { work = function()
    while not gate do task.sleep(0.001) end
  end }, isolation = "local", name = "worker" }))
  local info = actor:info()
  eq(info.state, "idle")
  eq(info.handler, nil)
  actor:send("work", 1)
  actor:send("work", 2)
  actor:ask "work"
  await(function() return actor:info().handler end)
  info = actor:info()
  eq(info.handler, "work")
  eq(info.state, "busy")
  eq(info.mailbox, 2)
  eq(info.name, "worker")
  eq(info.isolation, "local")
  eq(info.memory, nil) -- nobody knows whose it is
  eq(info.restarts, 0)
  ok(info.since >= 0 and info.uptime >= info.since)
  gate = true
  await(function() return actor:info().mailbox == 0 end)
end)

-- ---- scripts

test("a script's globals are each actor's own", function()
  local path = os.tmpname() .. ".lua"
  local file = assert(io.open(path, "w"))
  file:write [[
    local A = {}
    function A:set(v) shared = v _G.too = v end
    function A:get() return shared, too, _G == _ENV end
    return A]]
  file:close()
  for _, isolation in ipairs { "local", "light" } do
    local a, b = troupe.spawn { path, isolation = isolation }, troupe.spawn { path, isolation = isolation }
    a:call("set", 1)
    deep({ a:call "get" }, { 1, 1, true })
    deep({ b:call "get" }, { nil, nil, true })
  end
  eq(rawget(_G, "shared"), nil)
  eq(rawget(_G, "too"), nil)
  os.remove(path)
end)

local function with_script(text, body)
  local path = os.tmpname() .. ".lua"
  local function write(what)
    local file <close> = assert(io.open(path, "w"))
    file:write(what)
  end
  write(text)
  local fine, err = pcall(body, path, write)
  os.remove(path)
  os.remove((path:gsub("%.lua$", "")))
  if not fine then error(err, 0) end
end

test("a script has globals of its own in each actor", function()
  with_script("local B = {} count = 0 function B:up() count = count + 1 return count end return B", function(path)
    local a, b = near(path), near(path)
    eq(a:call "up", 1)
    eq(a:call "up", 2)
    eq(b:call "up", 1)
    eq(rawget(_G, "count"), nil)
  end)
end)

test("a script that does not load is an error with its place", function()
  with_script("local B = {} error 'no luck' return B", function(path)
    local ref, err = troupe.spawn { path, isolation = "local" }
    eq(ref, nil)
    match(err, "no luck.*stack traceback")
  end)
  with_script("return 7", function(path)
    local _, err = troupe.spawn { path, isolation = "local" }
    match(err, "must return a table or a function, it returned a number")
  end)
  match(select(2, troupe.spawn { "no/such.lua", isolation = "local" }), "cannot open no/such.lua")
  match(select(2, troupe.spawn { "no.such.module", isolation = "local" }), "no file")
end)

test("reload swaps the handlers and keeps the state; a broken script changes nothing", function()
  with_script([[local B = {} function B:init() self.n = 1 end function B:get() return self.n end return B]],
    function(path, write)
      local actor = near(path)
      eq(actor:call "get", 1)
      write "this is no Lua"
      local done, err = actor:reload()
      eq(done, nil)
      match(err, "syntax error")
      eq(actor:call "get", 1)
      write [[local B = {} function B:code_change() self.n = self.n + 41 end
        function B:get() return self.n, "new" end return B]]
      eq(actor:reload(), true)
      deep({ actor:call "get" }, { 42, "new" })
    end)
  deep({ near({}):reload() }, { nil, "its behaviour was not loaded from a script" })
end)

-- ---- misuse

test("misuse names what is wrong", function()
  raises("unknown option 'isolaton' %(known: .*isolation", troupe.spawn, { Counter, isolaton = "local" })
  raises("'process', 'light' or 'local' expected, got 'heavy'", troupe.spawn, { Counter, isolation = "heavy" })
  raises("'memory_limit' is for isolation 'thread'", troupe.spawn, { Counter, isolation = "local", memory_limit = 1 })
  raises("path, module, table or function expected, got number", troupe.spawn, 7)
  raises("spawn: libs: name of a standard library expected", troupe.spawn, { Counter, libs = { "none" } })
  raises("spawn: preload: C function without upvalues", troupe.spawn, { Counter, preload = { x = Counter.add } })
  raises("path, module, table or function expected, got number", troupe.spawn, { 7, isolation = "local" })
  raises("integer of at least 1", troupe.spawn, { Counter, isolation = "local", mailbox_limit = 0 })
  raises("only in an actor", troupe.monitor, near {})
  raises("actor reference expected, got string", troupe.register, "name", "actor")
  local here = debug.getinfo(1, "S").short_src:gsub("%p", "%%%0")
  for _, what in ipairs{ "send", "try_send", "call", "ask" } do
    local ref = near {}
    local expected = ("^%s:%%d+: %s: name of a message expected, got number$"):format(here, what)
    raises(expected, function() ref[what](ref, 7) end)
  end
  raises("call_with: name of a message expected, got nil", near({}).call_with, near {}, {})
  raises("actor reference expected", near({}).send, {}, "x")
  raises("are for actors that spawn", troupe.spawn, { Counter, isolation = "local", link = true })
end)

t.finish()
