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
