-- actor_topic.lua - topics: who gets what is published, with and without wildcards; dead letters.

local t = require "harness"
local await = require "await"
local troupe = require "troupe"
local task = require "troupe.task"

local test, eq, raises, deep = t.test, t.eq, t.raises, t.deep

-- An actor that lists what it gets.
local function listener(...)
  local got = {}
  local ref = assert(troupe.spawn({ { otherwise = function(_, name, ...)
    got[#got + 1] = table.concat({ name, ... }, " ")
  end }, isolation = "local" }))
  for _, pattern in ipairs { ... } do eq(troupe.subscribe(pattern, ref), true) end
  return ref, got
end

test("what is published reaches all who subscribed, once each", function()
  local _, a = listener("news.sport", "news.*", "news.>")
  local _, b = listener "news.weather"
  eq(troupe.publish("news.sport", 1, 2), 1)
  eq(troupe.publish("news.weather", 3), 2)
  eq(troupe.publish "nothing", 0)
  await(function() return #a == 2 and #b == 1 end)
  deep(a, { "news.sport 1 2", "news.weather 3" })
  deep(b, { "news.weather 3" })
end)

test("* stands for one word, > for one or more at the end", function()
  local cases = {
    { "a.*", "a.b", true }, { "a.*", "a", false }, { "a.*", "a.b.c", false }, { "*.b", "a.b", true },
    { "a.*.c", "a.b.c", true }, { "a.*.c", "a.b.d", false }, { "a.>", "a.b", true }, { "a.>", "a.b.c.d", true },
    { "a.>", "a", false }, { ">", "a", true }, { ">", "a.b.c", true }, { "*", "a", true }, { "*", "a.b", false },
    { "a.b", "a.b", true }, { "a.b*", "a.bc", false }, { "*.*.>", "a.b", false }, { "*.*.>", "a.b.c", true },
  }
  for _, case in ipairs(cases) do
    local ref = listener(case[1])
    eq(troupe.publish(case[2]), case[3] and 1 or 0, case[1] .. " for " .. case[2])
    ref:kill()
  end
end)

test("a subscription ends when it is taken back, and with its actor", function()
  local a = listener("x.*", "x.y")
  eq(troupe.publish "x.y", 1)
  eq(troupe.unsubscribe("x.*", a), true)
  eq(troupe.unsubscribe("x.*", a), false)
  eq(troupe.publish "x.z", 0)
  eq(troupe.publish "x.y", 1)
  a:stop()
  eq(troupe.publish "x.y", 0)
  deep({ troupe.subscribe("x.y", a) }, { nil, "dead" })
end)

test("an actor subscribes itself, and a handler may have the topic's name", function()
  local got
  local actor = assert(troupe.spawn { {
    init = function() troupe.subscribe "chat.lua" end,
    ["chat.lua"] = function(_, text) got = text end,
  }, isolation = "local" })
  troupe.publish("chat.lua", "hello")
  await(function() return got end)
  eq(got, "hello")
  actor:kill()
end)

test("dead letters are seen by who subscribes to them", function()
  local got = {}
  local watcher = assert(troupe.spawn { { ["troupe.dead_letters"] = function(_, ref, name, ...)
    got[#got + 1] = table.pack(ref, name, ...)
  end }, isolation = "local" })
  troupe.subscribe("troupe.dead_letters", watcher)
  local gone = assert(troupe.spawn { { nap = function() task.sleep(60) end }, isolation = "local" })
  gone:send("nap", 1)
  await(function() return gone:info().state == "busy" end)
  gone:send("nap", 2, "two")
  gone:send "bare"
  gone:kill()
  gone:send("late", 3)
  watcher:send("unknown", 4)
  await(function() return #got == 4 end)
  deep(got, {
    { gone, "nap", 2, "two", n = 4 }, { gone, "bare", n = 2 }, { gone, "late", 3, n = 3 },
    { watcher, "unknown", 4, n = 3 },
  })
  watcher:kill()
end)

test("misuse is named", function()
  for _, topic in ipairs { "", ".a", "a.", "a..b", 7 } do
    raises("words with dots", troupe.publish, topic)
    raises("words with dots", troupe.subscribe, topic)
  end
  raises("actor reference expected outside of actors", troupe.subscribe, "a")
end)

t.finish()
