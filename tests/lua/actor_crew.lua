-- actor_crew.lua - the actors that come with the library.

local t = require "harness"
local await = require "await"
local troupe = require "troupe"
local task = require "troupe.task"

local test, eq, ok, match, raises, deep = t.test, t.eq, t.ok, t.match, t.raises, t.deep

troupe.log.set_level "off" -- some fail on purpose

local function crew(name, ...)
  return assert(troupe.spawn({ "actors/" .. name .. ".lua", isolation = "local" }, ...))
end

-- An actor that lists the messages it gets.
local function listener()
  local got = {}
  return assert(troupe.spawn { { otherwise = function(_, ...) got[#got + 1] = { ... } end }, isolation = "local" }), got
end

test("kv keeps values, adds, swaps, and forgets what expires", function()
  local kv = crew "kv"
  eq(kv:call("set", "a", { 1, 2 }), true)
  deep(kv:call("get", "a"), { 1, 2 })
  eq(kv:call("get", "b"), nil)
  eq(kv:call("add", "hits", 2), 2)
  eq(kv:call("add", "hits", 3), 5)
  eq(kv:call("swap", "hits", 4, 0), false)
  eq(kv:call("swap", "hits", 5, 0), true)
  eq(kv:call("take", "hits"), 0)
  eq(kv:call "count", 1)
  kv:call("set", "short", 1, 0.01)
  await(function() return kv:call("get", "short") == nil end)
  deep(kv:call "keys", { "a" })
end)

test("batcher flushes by count, by time, when asked and at its end", function()
  local ref, got = listener()
  local batcher = crew("batcher", { to = ref, count = 3, seconds = 0.01, name = "items" })
  for i = 1, 4 do batcher:send("add", i) end
  await(function() return #got == 2 end)
  deep(got, { { "items", { 1, 2, 3 } }, { "items", { 4 } } })
  local slow = crew("batcher", { to = ref, seconds = 60 })
  slow:send("add", "x")
  eq(slow:call "flush", 1)
  eq(slow:call "flush", 0)
  slow:send("add", "y")
  slow:stop()
  await(function() return #got == 4 end)
  deep(got[4], { "batch", { "y" } })
  match(select(2, troupe.spawn { "actors/batcher.lua", isolation = "local" }), "to = reference")
end)

test("rate_limiter never lets more pass within its seconds, and keeps the order", function()
  local limiter = crew("rate_limiter", 3, 0.03)
  local begin, times, order = troupe.now(), {}, {}
  for _ = 1, 3 do eq(limiter:call "try", true) end
  local fourth = limiter:call "try"
  if troupe.now() - begin < 0.03 then eq(fourth, false) end
  local futures = {}
  for i = 1, 6 do
    futures[i] = limiter:ask "acquire"
    task.spawn(function()
      futures[i]:await()
      times[#times + 1], order[#order + 1] = troupe.now(), i
    end)
  end
  await(function() return #times == 6 end)
  deep(order, { 1, 2, 3, 4, 5, 6 })
  ok(times[6] - begin >= 0.06, times[6] - begin)
  match(select(2, troupe.spawn({ "actors/rate_limiter.lua", isolation = "local" }, 0)), "at least 1")
end)

test("circuit_breaker opens after failures, and closes when one call succeeds", function()
  local broken = true
  local target = assert(troupe.spawn { {
    get = function(self, value)
      local token = self:defer()
      if broken then token:fail "broken" else token:reply(value, nil, "more") end
    end,
    nap = function(self) self:defer() end,
  }, isolation = "local" })
  local breaker = crew("circuit_breaker", { to = target, failures = 2, reset = 0.02, timeout = 0.5 })
  eq(breaker:call "state", "closed")
  raises("broken", breaker.call, breaker, "run", "get", 1)
  raises("timeout", breaker.call, breaker, "run", "nap")
  local opened = troupe.now()
  local fine, err = pcall(breaker.call, breaker, "run", "get", 1)
  eq(fine, false)
  ok(err == "circuit open" or troupe.now() - opened >= 0.02, err)
  broken = false
  local results
  await(function() -- again, should an answer take longer than its time
    results = table.pack(pcall(breaker.call, breaker, "run", "get", 7))
    return results[1]
  end)
  deep(results, { true, 7, nil, "more", n = 4 })
  eq(breaker:call "state", "closed")
end)

test("pubsub is a hub of its own", function()
  local hub = crew "pubsub"
  local a, first = listener()
  local b, second = listener()
  eq(hub:call("subscribe", "news.*", a), true)
  hub:call("subscribe", "news.sport", a)
  hub:call("subscribe", "news.>", b)
  eq(hub:call("publish", "news.sport", 1), 2)
  eq(hub:call("publish", "other", 1), 0)
  eq(hub:call("unsubscribe", "news.>", b), true)
  eq(hub:call("unsubscribe", "news.>", b), false)
  eq(hub:call("publish", "news.x", 2), 1)
  await(function() return #first == 2 end)
  deep(first, { { "news.sport", 1 }, { "news.x", 2 } })
  deep(second, { { "news.sport", 1 } })
  a:kill()
  await(function() return hub:call("publish", "news.x") == 0 end)
end)

test("timer keeps times for others", function()
  local timer = crew "timer"
  local ref, got = listener()
  eq(timer:call("after", "tea", 0.01, ref, "ready", "tea"), true)
  timer:call("after", "cold", 60, ref, "never")
  eq(timer:call("cancel", "cold"), true)
  eq(timer:call("cancel", "cold"), false)
  timer:call("every", "beat", 0.005, ref, "beat")
  await(function() return #got >= 4 end)
  eq(timer:call("cancel", "beat"), true)
  local seen = {}
  for _, message in ipairs(got) do seen[message[1]] = true end
  deep(seen, { ready = true, beat = true })
end)

local function contents(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

test("file_writer writes whole lines, flushes, and fails where it cannot open", function()
  local path = os.tmpname()
  local writer = crew("file_writer", path)
  writer:send("line", "one")
  writer:send("write", "two")
  eq(writer:call "flush", true)
  eq(contents(path), "one\ntwo")
  writer:send("line", "!")
  eq(writer:stop(), true)
  eq(contents(path), "one\ntwo!\n")
  local again = crew("file_writer", path, { append = true })
  again:send("line", "three")
  again:stop()
  eq(contents(path), "one\ntwo!\nthree\n")
  os.remove(path)
  match(select(2, troupe.spawn({ "actors/file_writer.lua", isolation = "local" }, "/no/such/dir/x")), "No such file")
end)

test("logger collects what its program and others say, and begins its file anew when asked", function()
  local path = os.tmpname()
  local logger = crew("logger", { pull = "tcp://127.0.0.1:*", sub = "tcp://127.0.0.1:*", file = path, own = true })
  local endpoint = logger:call "endpoint"
  match(endpoint, "^tcp://127%.0%.0%.1:%d+$")
  ok(endpoint ~= logger:call("endpoint", 2))
  eq(logger:call("endpoint", 3), nil)
  local log = require "troupe.log"
  log.set_level "error"
  log.error "mine"
  local client = require "zmtp".connect(endpoint, "PUSH")
  client:send "\0042014-10-03 12:34:56theirs"
  await(function() return logger:call "counts".records == 2 end)
  os.rename(path, path .. ".old")
  eq(logger:call "reopen", true)
  await(function() return io.open(path) end)
  client:close()
  log.error "at last"
  eq(logger:stop(), true)
  log.set_level "off"
  local before = contents(path .. ".old")
  match(before, "%[ERROR%] .*: mine\n")
  match(before, "2014%-10%-03 12:34:56 %[ERROR%] theirs\n")
  match(contents(path), "^[^\n]*: at last\n$")
  eq(log.counts().waiting, 0)
  os.remove(path)
  os.remove(path .. ".old")
end)

test("logger fails where it cannot open, and when nobody reads what it writes", function()
  local function refused(pattern, ...)
    local ref, why = troupe.spawn({ "actors/logger.lua", isolation = "local" }, ...)
    eq(ref, nil)
    match(why, pattern)
  end
  refused("one of the options file, dir and descriptor")
  refused("unknown option 'fle'", { pull = "inproc://crew", fle = "x" })
  refused("^/no/such/x: No such file", { pull = "inproc://crew", file = "/no/such/x" })
  refused("'own' and a 'server_cert'", { pull = "inproc://crew", file = "x", own = true, server_cert = "x" })
  local path = os.tmpname()
  local script <close> = assert(io.open(path, "w"))
  script:write [[
    local troupe = require "troupe"
    local logger = assert(troupe.spawn({ "actors/logger.lua", isolation = "local" },
      { pull = "tcp://127.0.0.1:*", descriptor = 1, own = true }))
    while logger:alive() do
      troupe.log.error "to nobody"
      troupe.task.sleep(0.001)
    end
    troupe.log.error "to everybody"]]
  script:close()
  local status, _, err = t.run { "sh", "-c", '"$0" "$1" | true', t.interpreter(), path }
  os.remove(path)
  eq(status, 0)
  match(err, "logger: nobody reads what it writes.*: to everybody\n$")
end)

test("supervisor makes trees of scripts", function()
  local top = assert(troupe.supervise { children = {
    { id = "below", start = { "actors/supervisor.lua", { strategy = "one_for_all", children = {
      { id = "kv", start = { "actors/kv.lua" } }, { id = "timer", start = { "actors/timer.lua" } },
    } } } } } })
  local below = top:call("which")[1].ref
  local kv = below:call("which")[1].ref
  eq(kv:call("set", "x", 1), true)
  kv:kill()
  await(function() return below:call("counts").running == 2 and below:call("which")[1].ref ~= kv end)
  eq(top:stop(), true)
  eq(below:alive(), false)
end)

t.finish()
