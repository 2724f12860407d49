-- actor_supervisor.lua - supervisors and routers: who is restarted, in which order, and when they give up.

local t = require "harness"
local await = require "await"
local troupe = require "troupe"
local task = require "troupe.task"

local test, eq, ok, match, raises, deep = t.test, t.eq, t.ok, t.match, t.raises, t.deep

troupe.log.set_level "off" -- children fail on purpose

-- A behaviour that notes what happens to its actors in a log.
local function noting(log)
  return {
    init = function(self, id)
      self.id = id
      log[#log + 1] = "+" .. id
    end,
    fail = function() error "failed on purpose" end,
    done = function(self) self:stop() end,
    who = function(self) return self.id end,
    terminate = function(self, reason)
      if reason == "shutdown" then log[#log + 1] = "-" .. self.id end
    end,
  }
end

local function tree(log, strategy, rules)
  local behaviour, children = noting(log), {}
  for i, id in ipairs { "a", "b", "c" } do
    children[i] = { id = id, start = { behaviour, id }, restart = rules and rules[id] }
  end
  return assert(troupe.supervise { strategy = strategy, children = children })
end

local function child(supervisor, id)
  for _, entry in ipairs(supervisor:call "which") do
    if entry.id == id then return entry.ref, entry end
  end
end

local function said(log) return table.concat(log, " ") end

test("children start in order and stop in reverse", function()
  local log = {}
  local supervisor = tree(log)
  eq(said(log), "+a +b +c")
  deep(supervisor:call "counts", { children = 3, running = 3, restarts = 0 })
  eq(supervisor:stop(), true)
  eq(said(log), "+a +b +c -c -b -a")
end)

local function after_failure(strategy, id)
  local log = {}
  local supervisor = tree(log, strategy)
  local before = child(supervisor, id)
  before:send "fail"
  await(function()
    local ref = child(supervisor, id)
    return ref and ref ~= before and supervisor:call "counts".running == 3
  end)
  eq(child(supervisor, id):call "who", id)
  supervisor:kill()
  return said(log)
end

test("one_for_one restarts the child that failed", function()
  eq(after_failure("one_for_one", "b"), "+a +b +c +b")
end)

test("one_for_all restarts all, in order", function()
  eq(after_failure("one_for_all", "b"), "+a +b +c -c -a +a +b +c")
end)

test("rest_for_one restarts the child and those after it", function()
  eq(after_failure("rest_for_one", "b"), "+a +b +c -c +b +c")
end)

test("permanent, transient and temporary children", function()
  local log = {}
  local supervisor = tree(log, "one_for_one", { a = "permanent", b = "transient", c = "temporary" })
  for _, id in ipairs { "a", "b", "c" } do child(supervisor, id):send "done" end
  await(function() return supervisor:call "counts".restarts == 1 and supervisor:call "counts".running == 1 end)
  eq(said(log), "+a +b +c +a")
  eq(select(2, child(supervisor, "b")).state, "stopped")
  eq(child(supervisor, "c"), nil)
  ok(supervisor:call("restart_child", "b"))
  child(supervisor, "b"):send "fail"
  await(function() return supervisor:call "counts".restarts == 2 and supervisor:call "counts".running == 2 end)
  eq(said(log), "+a +b +c +a +b +b")
end)

test("over its intensity a supervisor stops its children and fails upwards", function()
  local log = {}
  local behaviour = noting(log)
  local supervisor = assert(troupe.supervise { intensity = 2, period = 60, children = {
    { id = "good", start = { behaviour, "good" } }, { id = "bad", start = { behaviour, "bad" } },
  } })
  for i = 1, 3 do
    local bad = child(supervisor, "bad")
    bad:send "fail"
    if i < 3 then await(function() return child(supervisor, "bad") ~= bad end) end
  end
  await(function() return supervisor:info().state == "dead" end)
  match(supervisor:info().reason, "gave up: child 'bad' ended too often, the last time: .*on purpose")
  eq(said(log), "+good +bad +bad +bad -good")
end)

test("restarts that are spread out are never too many", function()
  local log = {}
  local supervisor = assert(troupe.supervise { intensity = 1, period = 0.001, children = {
    { id = "a", start = { noting(log), "a" } } } })
  for i = 1, 5 do
    local before = child(supervisor, "a")
    task.sleep(0.005)
    before:send "fail"
    await(function() return supervisor:call "counts".restarts == i and child(supervisor, "a") end)
  end
  eq(supervisor:alive(), true)
  supervisor:kill()
end)

test("a tree: the supervisor above restarts the one that gave up, with its children", function()
  local log = {}
  local behaviour = noting(log)
  local refs = {}
  local function below(self)
    refs[#refs + 1] = assert(troupe.supervise { intensity = 1, period = 60, link = true, children = {
      { id = "leaf", start = { behaviour, "leaf" } } } })
    self.below = refs[#refs]
    return { leaf = function(me) return child(me.below, "leaf") end }
  end
  local top = assert(troupe.supervise { children = { { id = "below", start = { below } } } })
  for i = 1, 2 do
    local leaf
    await(function()
      leaf = child(refs[1], "leaf")
      return leaf
    end)
    leaf:send "fail"
    if i == 1 then await(function() return child(refs[1], "leaf") ~= leaf end) end
  end
  await(function() return #refs == 2 and refs[2]:alive() and child(refs[2], "leaf") end)
  eq(refs[1]:alive(), false)
  eq(child(refs[2], "leaf"):call "who", "leaf")
  eq(top:stop(), true)
  await(function() return not refs[2]:alive() end)
end)

test("a backoff grows between restarts, and stops with the supervisor", function()
  local log = {}
  local times = {}
  local behaviour = setmetatable({ init = function() times[#times + 1] = troupe.now() end }, { __index = noting(log) })
  local supervisor = assert(troupe.supervise { intensity = 10, backoff = { base = 0.01, factor = 2, max = 0.02 },
    children = { { id = "a", start = { behaviour, "a" } } } })
  for i = 1, 3 do
    local ref = child(supervisor, "a")
    ref:send "fail"
    await(function() return #times == i + 1 end)
    ok(times[i + 1] - times[i] >= (i == 1 and 0.01 or 0.02), times[i + 1] - times[i])
  end
  supervisor:kill()
  local patient = assert(troupe.supervise { backoff = 60, children = { { id = "a", start = { behaviour, "a" } } } })
  local ref = child(patient, "a")
  ref:send "fail"
  await(function() return select(2, child(patient, "a")).state == "due" end)
  eq(#times, 5)
  eq(patient:stop(), true)
end)

test("a child that does not start makes supervise fail, and those before it stop", function()
  local log = {}
  local ref, err = troupe.supervise { children = {
    { id = "a", start = { noting(log), "a" } },
    { id = "b", start = { { init = function() error "cannot" end } } },
  } }
  eq(ref, nil)
  match(err, "child 'b': .*cannot")
  eq(said(log), "+a -a")
end)

test("a child that cannot be restarted is tried again until that is too often", function()
  local broken = false
  local behaviour = {
    init = function() if broken then error "broken" end end,
    fail = function() error "x" end,
  }
  local supervisor = assert(troupe.supervise { intensity = 3, period = 60, children = {
    { id = "a", start = { behaviour } } } })
  broken = true
  child(supervisor, "a"):send "fail"
  await(function() return not supervisor:alive() end)
  match(supervisor:info().reason, "gave up: .*broken")
end)

test("children are started, stopped and restarted by hand", function()
  local log = {}
  local supervisor = assert(troupe.supervise {})
  local behaviour = "actors/kv.lua"
  local ref = supervisor:call("start_child", { id = "x", start = { behaviour } })
  eq(ref:alive(), true)
  deep({ supervisor:call("start_child", { id = "x", start = { behaviour } }) }, { nil, "there is a child of that id" })
  eq(supervisor:call("stop_child", "x"), true)
  eq(ref:alive(), false)
  local again = supervisor:call("restart_child", "x")
  eq(again:alive(), true)
  ok(again ~= ref)
  deep({ supervisor:call("stop_child", "y") }, { nil, "no such child" })
  raises("option 'id' expected", supervisor.call, supervisor, "start_child", { start = { behaviour } })
  eq(#log, 0)
end)

test("shutdown kill does not wait for terminate", function()
  local log = {}
  local behaviour = noting(log)
  local supervisor = assert(troupe.supervise { children = {
    { id = "a", start = { behaviour, "a" }, shutdown = "kill" }, { id = "b", start = { behaviour, "b" } } } })
  supervisor:stop()
  eq(said(log), "+a +b -b")
end)

test("a killed supervisor takes its children with it", function()
  local supervisor = tree {}
  local a = child(supervisor, "a")
  supervisor:kill()
  eq(a:alive(), false)
  await(function() return a:info().reason == "killed" end)
end)

test("a dynamic supervisor starts many alike, with arguments of their own", function()
  local log = {}
  local crew = assert(troupe.dynamic_supervisor { start = { noting(log) }, restart = "transient", max_children = 50 })
  local refs = {}
  for i = 1, 50 do refs[i] = crew:call("start_child", "n" .. i) end
  eq(refs[50]:call "who", "n50")
  deep({ crew:call("start_child", "more") }, { nil, "too many children" })
  refs[1]:send "done"
  await(function() return crew:call "counts".children == 49 end)
  refs[2]:send "fail"
  await(function() return crew:call "counts".restarts == 1 and crew:call "counts".running == 49 end)
  eq(log[#log], "+n2")
  eq(crew:call("stop_child", refs[3]), true)
  deep(crew:call "counts", { children = 48, running = 48, restarts = 1 })
  crew:stop()
  eq(refs[50]:alive(), false)
end)

test("misuse of supervise is named", function()
  raises("unknown option 'childs' %(known: backoff, children", troupe.supervise, { childs = {} })
  raises("one of one_for_all, one_for_one, rest_for_one expected, got two", troupe.supervise, { strategy = "two" })
  raises("child 1: option 'start': { behaviour, ... } expected", troupe.supervise, { children = { { id = 1 } } })
  raises("two children of id 'x'", troupe.supervise, { children = {
    { id = "x", start = { {} } }, { id = "x", start = { {} } } } })
  local child_without = { id = 1, start = { {} }, shutdown = "no" }
  raises("seconds or \"kill\" expected", troupe.supervise, { children = { child_without } })
end)

test("info tells how often an actor was started again, wherever it lives", function()
  for _, isolation in ipairs { "light", "thread" } do
    local supervisor = assert(troupe.supervise { isolation = isolation, children = {
      { id = "a", start = { { fail = function() error("failed on purpose", 0) end } } },
    } })
    local first = child(supervisor, "a")
    eq(first:info().restarts, 0)
    first:send "fail"
    local second
    await(function()
      second = child(supervisor, "a")
      return second and second ~= first
    end)
    eq(second:info().restarts, 1)
    supervisor:stop()
  end
  eq(troupe.spawn({ {}, isolation = "light" }):info().restarts, 0)
end)

-- ---- routers

local function numbered()
  local count = 0
  return function()
    count = count + 1
    local number = count
    return {
      who = function() return number end,
      fail = function() error "x" end,
      restarts = function(self) return self.ref:info().restarts end,
      nap = function(_, seconds) task.sleep(seconds) end,
    }
  end
end

test("a round robin goes round, a hash keeps to one, random and least_loaded reach the crew", function()
  local router = assert(troupe.router { 3, numbered() })
  local got = {}
  for i = 1, 6 do got[i] = router:call "who" end
  deep(got, { 1, 2, 3, 1, 2, 3 })
  local by_key = assert(troupe.router { kind = "hash", 4, numbered() })
  for _, key in ipairs { "a", "b", 7, 7.5, true } do
    eq(by_key:call("who", key), by_key:call("who", key))
  end
  local seen, count = {}, 0
  local random = assert(troupe.router { kind = "random", 2, numbered() })
  for _ = 1, 100 do
    local who = random:call "who"
    if not seen[who] then seen[who], count = true, count + 1 end
  end
  eq(count, 2)
  local least = assert(troupe.router { kind = "least_loaded", 2, numbered() })
  local nap = least:ask("nap", 0.05)
  for _ = 1, 5 do eq(least:call "who", 2) end
  nap:await()
end)

test("misuse of router is named", function()
  raises("router: option 'kind': one of broadcast, hash, .* expected, got x", troupe.router, { kind = "x", 1, {} })
  raises("router: %[1%]: number of actors expected", troupe.router, { 0, {} })
  raises("router: %[2%]: behaviour expected", troupe.router, { 1 })
  raises("router: unknown option 'size'", troupe.router, { size = 1, 1, {} })
end)

test("a broadcast reaches all, and a call gets all answers", function()
  local router = assert(troupe.router { kind = "broadcast", 3, numbered() })
  deep(router:call "who", { 1, 2, 3 })
end)

test("a router replaces members that fail, passes errors on, and ends with its crew", function()
  local router = assert(troupe.router { 2, numbered() })
  raises("x", router.call, router, "fail")
  local got = {}
  await(function()
    local fine, who = pcall(router.call, router, "who")
    if fine then got[who] = true end
    return got[2] and got[3]
  end)
  eq(router:call "restarts" + router:call "restarts", 1)
  eq(router:stop(), true)
end)

test("shutdown ends supervisors from the leaves up, and every actor with its terminate", function()
  local log = {}
  local function ending(id)
    return { { init = function() end, terminate = function(_, reason) log[#log + 1] = id .. " " .. reason end } }
  end
  assert(troupe.spawn { ending("first")[1], isolation = "local" })
  assert(troupe.supervise { children = {
    { id = "a", start = ending "a" },
    { id = "b", start = { "actors/supervisor.lua", { children = {} } } },
    { id = "c", start = ending "c" },
  } })
  assert(troupe.router { 2, ending("member")[1] })
  assert(troupe.spawn { ending("last")[1], isolation = "local" })
  troupe.shutdown()
  deep(log, {
    "last shutdown", "member shutdown", "member shutdown", "c shutdown", "a shutdown", "first shutdown",
  })
  eq(#require "troupe.actor.core".all(), 0)
end)

t.finish()
