-- actor_queue.lua - an actor's queue: whose message is whose, whatever is taken out of it and wherever; and the
-- short way in which actors without options are made.

local t = require "harness"
local actors = require "actors"
local await = require "await"
local troupe = require "troupe"

local test, eq, ok, match, raises, deep = t.test, t.eq, t.ok, t.match, t.raises, t.deep
local near = actors.near

-- Functions are not sent: they are kept here under a number.
local bodies = {}
local function say(who, fn)
  bodies[#bodies + 1] = fn
  return who:call("run", #bodies)
end
local function voice() return near { run = function(self, number) bodies[number](self) end } end

-- "a", "b", or "-" for nobody.
local function namer(names)
  return function(ref) return ref == nil and "-" or names[tostring(ref)] or "?" end
end

-- Two that speak, an actor with a behaviour, and who is who.
local function scene(behaviour)
  local a, b = voice(), voice()
  local name = namer { [tostring(a)] = "a", [tostring(b)] = "b" }
  return a, b, near(behaviour), name
end

test("each message has its own sender, in whatever order they speak", function()
  local log = {}
  local name
  local a, b, hearer
  a, b, hearer, name = scene {
    plain = function(self) log[#log + 1] = name(self.sender) end,
    full = function(self, x, y) log[#log + 1] = name(self.sender) .. x .. tostring(y) end,
    ask = function(self, x)
      log[#log + 1] = name(self.sender) .. "?" .. x
      return x
    end,
  }
  local want = {}
  for round = 1, 3 do
    say(a, function() hearer:send "plain" hearer:send("full", round) hearer:send "plain" end)
    hearer:send "plain"
    hearer:send("full", round, 2)
    say(b, function() hearer:send("full", round, 3) end)
    say(a, function() hearer:send "plain" end)
    say(b, function() hearer:call("ask", round) end)
    say(b, function() hearer:send "plain" end)
    for _, text in ipairs {
      "a", "a" .. round .. "nil", "a", "-", "-" .. round .. "2", "b" .. round .. "3", "a", "b?" .. round, "b",
    } do want[#want + 1] = text end
  end
  await(function() return #log == #want end)
  deep(log, want)
end)

test("a sender is known again after its queue was thrown away, and when it is dead", function()
  local log, count, name, a, hearer, _ = {}, 0
  a, _, hearer, name = scene {
    count = function() count = count + 1 end,
    who = function(self) log[#log + 1] = name(self.sender) end,
    rest = function(self) self:hibernate() end,
  }
  say(a, function() for _ = 1, 2000 do hearer:send "count" end hearer:send "who" end)
  await(function() return #log == 1 end)
  hearer:send "who"
  say(a, function() hearer:send "who" end)
  await(function() return #log == 3 end)
  say(a, function() hearer:send "rest" end)
  await(function() return hearer:info().state == "idle" end)
  say(a, function() hearer:send "who" end)
  hearer:send "who"
  await(function() return #log == 5 end)
  say(a, function(self) hearer:send "who" self:stop() end)
  await(function() return #log == 6 and not a:alive() end)
  deep(log, { "a", "-", "a", "a", "-", "a" })
  eq(count, 2000)
end)

test("what receive takes has its sender, and what it leaves keeps its own", function()
  local log, name, a, b, hearer = {}
  local function note(self, what) log[#log + 1] = name(self.sender) .. what end
  a, b, hearer, name = scene {
    begin = function(self)
      note(self, "begin")
      for _, wanted in ipairs { "third", "first" } do note(self, (self:receive(wanted))) end
      note(self, (self:receive(function(what, x) return what == "fifth" and x == 5 end)))
      note(self, (self:receive()))
    end,
    second = function(self) note(self, "second") end,
    fourth = function(self, x) note(self, "fourth" .. x) end,
    sixth = function(self) note(self, "sixth") end,
    last = function(self) note(self, "last") end,
  }
  hearer:send "begin"
  say(a, function() hearer:send "first" hearer:send "second" end)
  say(b, function() hearer:send("third", 3) hearer:send("fourth", 4) end)
  hearer:send("fourth", 44)
  say(a, function() hearer:send("fifth", 5) hearer:send "sixth" end)
  say(b, function() hearer:send "sixth" end)
  hearer:send "last"
  await(function() return log[#log] == "-last" end)
  deep(log, {
    "-begin", "bthird", "afirst", "afifth", "asecond", "bfourth4", "-fourth44", "asixth", "bsixth", "-last",
  })
end)

test("a behaviour that is a function hears of each message's sender", function()
  local log, name, a, b, hearer = {}
  a, b, hearer, name = scene(function(self)
    while true do
      local what = self:receive { "one", "two", "stop" }
      if what == "stop" then return end
      log[#log + 1] = name(self.sender) .. what
    end
  end)
  for _ = 1, 3 do
    say(a, function() hearer:send "one" hearer:send "unwanted" hearer:send("two", {}) end)
    hearer:send "two"
    say(b, function() hearer:send "unwanted" hearer:send "one" end)
  end
  await(function() return #log == 12 end)
  deep(log, {
    "aone", "atwo", "-two", "bone", "aone", "atwo", "-two", "bone", "aone", "atwo", "-two", "bone",
  })
  eq(hearer:info().mailbox, 6)
  hearer:send "stop"
  await(function() return not hearer:alive() end)
end)

test("10,000 messages of two senders are received in order, at the front and behind one that stays", function()
  local count = 10000 // t.slowdown
  local log, name, a, b, hearer = {}
  a, b, hearer, name = scene(function(self)
    self:receive "go"
    for i = 1, 2 * count do
      local _, x = self:receive "number"
      if name(self.sender) .. x ~= (i % 2 == 1 and "a" or "b") .. i then log[#log + 1] = i end
    end
    self:receive "kept"
    log.done = true
  end)
  local at = 0
  local function number() at = at + 1 hearer:send("number", at) end
  for i = 1, count do
    if i == count // 2 then hearer:send "kept" end
    say(a, number)
    say(b, number)
  end
  hearer:send "go"
  await(function() return log.done end)
  deep(log, { done = true })
end)

test("an order that receive meets is carried out once, and no message is lost or met twice", function()
  local log = {}
  local actor = near(function(self)
    local what = self:receive "first"
    while what ~= "last" do
      log[#log + 1] = what
      what = self:receive()
    end
    log[#log + 1] = what
  end)
  local function order() require "troupe.actor.core".order(actor, function() log[#log + 1] = "order" end) end
  order()
  for i = 1, 3 do
    actor:send("m" .. i)
    order()
  end
  actor:send "first"
  order()
  actor:send "last"
  await(function() return not actor:alive() end)
  deep(log, { "order", "order", "order", "order", "first", "m1", "m2", "m3", "order", "last" })
end)

test("a predicate may send to its own actor", function()
  local log = {}
  local actor = near(function(self)
    self:receive(function(what)
      if what ~= "wanted" then self.ref:send("echo " .. what) end
      return what == "wanted"
    end)
    for i = 1, 4 do log[i] = self:receive() end
  end)
  actor:send "a"
  actor:send "b"
  actor:send "wanted"
  await(function() return not actor:alive() end)
  deep(log, { "a", "b", "echo a", "echo b" })
end)

test("unread messages are counted one by one, whoever sent them", function()
  local held, release
  local a, b, hearer = scene { hold = function(self)
    held = true
    self:receive "release"
    release = true
    error "enough"
  end }
  local dead = troupe.dead_letters()
  hearer:send "hold"
  await(function() return held end)
  say(a, function() hearer:send "x" hearer:send("y", 1, 2) end)
  say(b, function() hearer:send "x" end)
  hearer:send("y", {})
  eq(hearer:info().mailbox, 4)
  eq(hearer:info().handler, "hold")
  say(a, function() hearer:send "release" end)
  await(function() return release and not hearer:alive() end)
  eq(troupe.dead_letters(), dead + 4)
end)

test("a handler that stops, becomes another or raises leaves the rest to the right one", function()
  local log = {}
  local other = { note = function(_, x) log[#log + 1] = "other" .. x end }
  local actor = near {
    note = function(_, x) log[#log + 1] = "one" .. x end,
    turn = function(self) self:become(other) end,
    terminate = function(_, reason) log[#log + 1] = reason end,
  }
  for i = 1, 3 do actor:send("note", i) end
  actor:send "turn"
  for i = 4, 6 do actor:send("note", i) end
  await(function() return #log == 6 end)
  deep(log, { "one1", "one2", "one3", "other4", "other5", "other6" })
  local stops = near {
    note = function(_, x) log[#log + 1] = x end,
    halt = function(self) self:stop "enough" end,
    terminate = function(_, reason) log[#log + 1] = reason end,
  }
  for i = 7, 8 do stops:send("note", i) end
  stops:send "halt"
  stops:send("note", 9)
  await(function() return not stops:alive() end)
  deep({ table.unpack(log, 7) }, { 7, 8, "enough" })
end)

test("messages without a handler go to otherwise, with their arguments; a call of it is answered", function()
  local log = {}
  local actor = near { otherwise = function(_, name, ...)
    log[#log + 1] = table.concat({ name, ... }, " ")
    return name, select("#", ...)
  end }
  actor:send "plain"
  actor:send("full", 1, 2, 3)
  deep({ actor:call("asked", 4, 5) }, { "asked", 2 })
  deep(log, { "plain", "full 1 2 3", "asked 4 5" })
end)

test("many arguments, results and values that are nil cross a queue", function()
  local actor = near { echo = function(_, ...) return select("#", ...), ... end }
  for _, count in ipairs { 0, 1, 2, 8, 9, 100, 5000 } do
    local args = {}
    for i = 1, count do if i % 3 > 0 then args[i] = i end end
    local back = table.pack(actor:call("echo", table.unpack(args, 1, count)))
    eq(back.n, count + 1)
    eq(back[1], count)
    for i = 1, count do eq(back[i + 1], args[i]) end
  end
end)

-- ---- what ends or moves things under way

test("an order that comes while a long queue is moved leaves every sender known", function()
  local nobody, seen, a, hearer, _ = 0, 0
  a, _, hearer = scene { m = function(self, i)
    seen = seen + 1
    if self.sender == nil then nobody = nobody + 1 end
    if i == 7000 then
      self:hibernate()
      say(a, function() for k = 1, 10 do hearer:send("m", 9000 + k) end end)
    end
  end }
  say(a, function() for i = 1, 9000 do hearer:send("m", i) end end)
  await(function() return seen == 9010 end)
  eq(nobody, 0)
end)

test("hibernate gives the queue's memory back", function()
  local hearer
  hearer = near {
    m = function() end,
    rest = function(self) self:hibernate() end,
  }
  local function queue_of(ref) return (select(6, require "troupe.actor.core".look_into(ref))) end
  hearer:call_with({}, "rest")
  await(function() return hearer:info().state == "idle" end)
  eq(queue_of(hearer), nil)
  hearer:send "m"
  await(function() return hearer:info().state == "idle" end)
  ok(queue_of(hearer))
end)

test("a predicate that moves a long queue gets what it matched", function()
  local out
  local hearer = near(function(self)
    self:receive "go"
    for _ = 1, 6000 do self:receive() end
    out = table.pack(self:receive(function()
      self.ref:send "echo"
      return true
    end))
  end)
  for i = 1, 7000 do hearer:send("n", i) end
  hearer:send "go"
  await(function() return out end)
  deep(out, { "n", 6001, n = 2 })
end)

test("the behaviour that an actor has become has the say at its end", function()
  local log = {}
  local function ended(text) return { terminate = function() log[#log + 1] = text end } end
  for _, other in ipairs { ended "new", { m = function() end } } do
    local actor = near {
      go = function(self) self:become(other) self:stop() end,
      terminate = function() log[#log + 1] = "old" end,
    }
    actor:send "go"
    await(function() return not actor:alive() end)
  end
  deep(log, { "new" })
end)

test("what a behaviour has set to false it does not have", function()
  local behaviour = { init = false, otherwise = false, terminate = false, get = function() return "got" end }
  for _ = 1, 3 do
    local actor = near(behaviour)
    actor:send "nothing"
    eq(actor:call "get", "got")
    raises("no handler 'nothing'", actor.call, actor, "nothing")
    eq(actor:stop(), true)
  end
end)

test("one that a link ends while it has mail leaves the others their turns", function()
  local log = {}
  local actor = near { m = function() end, terminate = function() log[#log + 1] = "terminate" end }
  local before = near { m = function() log[#log + 1] = "before" end }
  local behind = near { m = function() log[#log + 1] = "behind" end }
  local failing = voice()
  bodies[#bodies + 1] = function()
    troupe.link(actor)
    before:send "m"
    actor:send "m"
    behind:send "m"
    error "boom"
  end
  failing:send("run", #bodies)
  await(function() return #log == 3 end)
  table.sort(log)
  deep(log, { "before", "behind", "terminate" })
  eq(actor:alive(), false)
end)

test("a handler of a concurrent behaviour that has waited does not receive", function()
  local out
  local gate = near {
    wait = function(self) self.token = self:defer() end,
    open = function(self) self.token:reply() end,
  }
  local actor = near { concurrent = true, go = function(self)
    gate:call "wait"
    out = { pcall(self.receive, self, "x", 1) }
  end }
  actor:send "go"
  await(function() return actor:info().state == "idle" end)
  gate:send "open"
  await(function() return out end)
  eq(out[1], false)
  match(out[2], "has gone on without it")
  actor:send "x"
end)

test("a value that ends its sender while it is copied is sent all the same", function()
  local core = require "troupe.actor.core"
  local seen, hearer, actor = {}
  hearer = near { m = function(_, ref) seen[#seen + 1] = ref end }
  local gate = near {
    wait = function(self) self.token = self:defer() end,
    open = function(self) self.token:reply() end,
  }
  actor = near { concurrent = true, go = function(self)
    gate:call "wait"
    hearer:send("m", setmetatable({}, { __troupe_pack = function()
      core.exit(self.ref, "killed", true, true)
      return (core.address(hearer)), "troupe.actor_life:from_address"
    end }))
  end }
  actor:send "go"
  await(function() return actor:info().state == "idle" end)
  gate:send "open"
  await(function() return #seen == 1 end)
  ok(seen[1] == hearer)
  eq(actor:alive(), false)
end)

test("a finaliser that sends while a queue is made loses nothing", function()
  local count = 0
  local actor = near { m = function() count = count + 1 end }
  local sent = 0
  for _ = 1, 300 do
    local fresh = near { m = function() count = count + 1 end }
    for _ = 1, 20 do
      setmetatable({}, { __gc = function()
        if fresh:send "m" then sent = sent + 1 end
      end })
    end
    fresh:send "m"
    sent = sent + 1
  end
  collectgarbage()
  collectgarbage()
  actor:send "m"
  sent = sent + 1
  await(function() return count == sent end)
  ok(sent > 300)
end)

-- ---- the short way of spawn

test("a behaviour's second actor is as its first: self, arguments, failures", function()
  local behaviour = {
    init = function(self, x)
      self.x = x
      if x == "bad" then error("bad " .. tostring(self.ref ~= nil)) end
      if x == "slow" then self:receive "go" end
    end,
    get = function(self) return self.x, self.ref, self.sender end,
  }
  for _ = 1, 3 do
    for _, value in ipairs { 1, "text", false } do
      local actor = near(behaviour, value)
      local x, ref = actor:call "get"
      eq(x, value)
      ok(ref == actor)
    end
    local given = { 1, { 2 } }
    local actor = near(behaviour, given)
    local back = actor:call "get"
    given[2][1] = "changed"
    deep(back, { 1, { 2 } })
    local none, why = troupe.spawn({ behaviour, isolation = "local" }, "bad")
    eq(none, nil)
    match(why, "bad true")
    raises("cannot send a userdata", troupe.spawn, { behaviour, isolation = "local" }, io.stdout)
  end
  local late
  local starter = near { start = function()
    late = troupe.spawn({ behaviour, isolation = "local" }, "slow")
  end }
  starter:send "start"
  local found
  await(function()
    for _, ref in ipairs(require "troupe.actor.core".all()) do
      if ref:info().state == "waiting" then found = ref end
    end
    return found
  end)
  eq(late, nil)
  found:send "go"
  await(function() return late end)
  eq(late:call "get", "slow")
end)

test("options that come later are seen, and unknown ones named", function()
  local behaviour = { get = function() return "here" end }
  local opts = { behaviour, isolation = "local" }
  for _ = 1, 3 do eq(troupe.spawn(opts):call "get", "here") end
  opts.name = "actor_queue.late"
  local named = troupe.spawn(opts)
  ok(troupe.whereis "actor_queue.late" == named)
  named:stop()
  opts.name = nil
  opts.nmae = "x"
  raises("nmae", troupe.spawn, opts)
  opts.nmae = nil
  opts[2] = behaviour
  raises("option", troupe.spawn, opts)
  opts[2] = nil
  opts["1"] = behaviour
  raises("option '1'", troupe.spawn, opts)
  opts["1"] = nil
  opts.isolation = "somewhere"
  raises("somewhere", troupe.spawn, opts)
  opts.isolation = nil
  opts[1] = "actors/nowhere.lua"
  opts.isolation = "local"
  eq(troupe.spawn(opts), nil)
end)

test("misuse of self:stop is named", function()
  local actor = near { go = function(self) self.stop(1) end }
  raises("table expected", actor.call, actor, "go")
end)

t.finish()
