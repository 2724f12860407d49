-- actor_registry.lua - names, topics and dead letters are the program's: the main vm's, threads' and processes' alike.

local troupe = require "troupe"
local await = require "await"
local t = require "harness"

local test, eq, deep, ok, match = t.test, t.eq, t.deep, t.ok, t.match

local kinds = { "thread", "process" }
local patience = t.script_deadline

local function resident(handlers, opts)
  opts = opts or {}
  opts[1], opts.isolation = handlers, "local"
  return assert(troupe.spawn(opts))
end

-- A job that names an actor, says so, and ends as it is told.
local function name_one(name, ending)
  local troupe = require "troupe" -- luacheck: ignore 431
  local ref = assert(troupe.spawn { {}, isolation = "local", name = name })
  troupe.sync(tostring(ref), troupe.registered())
  if ending == "kill" then ref:kill() end
  if ending == "unregister" then troupe.unregister(name) end
  if ending == "exit" then os.exit(3) end
  return troupe.registered(), tostring(troupe.whereis(name))
end

for _, kind in ipairs(kinds) do
  local function pool_of(count)
    return assert(troupe.pool { workers = count or 1, isolation = kind })
  end

  test("a name given in a " .. kind .. " is taken everywhere until its actor is dead", function()
    local pool <close> = pool_of()
    local job = pool:submit(name_one, "bank", "kill")
    local shown, names = job:take(patience)
    match(shown, "^troupe.actor: bank %x+$")
    deep(names, { "bank" })
    deep(troupe.registered(), { "bank" })
    local own = resident {}
    deep({ troupe.register("bank", own) }, { nil, "name taken" })
    deep({ troupe.spawn { {}, isolation = "local", name = "bank" } }, { nil, "name taken" })
    eq(troupe.register("other", own), true)
    job:resume()
    deep({ job:await(patience) }, { { "other" }, "nil" })
    eq(troupe.register("bank", own), true)
    deep(troupe.registered(), { "bank", "other" })
    own:kill()
    deep(troupe.registered(), {})
  end)

  test("a name of a " .. kind .. " can be freed by anybody", function()
    local pool <close> = pool_of()
    local job = pool:submit(name_one, "bank", "unregister")
    ok(job:take(patience))
    eq(troupe.unregister "bank", true)
    eq(troupe.unregister "bank", false)
    eq(troupe.whereis "bank", nil)
    job:resume()
    deep({ job:await(patience) }, { {}, "nil" })
  end)

  test("names of a " .. kind .. " that ends are free when its pool is", function()
    local pool = pool_of(2)
    local a, b = pool:submit(name_one, "a", "live"), pool:submit(name_one, "b", "live")
    for _, job in ipairs { a, b } do
      ok(job:take(patience))
      job:resume()
    end
    a:await(patience)
    b:await(patience)
    deep(troupe.registered(), { "a", "b" })
    pool:shutdown()
    deep(troupe.registered(), {})
  end)

  test("in a " .. kind .. ", names and topics work as in the main vm", function()
    local pool <close> = pool_of()
    local names, taken, counts, heard = pool:submit(function()
      local troupe = require "troupe" -- luacheck: ignore 431
      local said = {}
      local function hear(_, x) said[#said + 1] = x end
      local a = assert(troupe.spawn { { ["x.y"] = hear }, isolation = "local", name = "b" })
      troupe.register("a", a)
      local function hear_all(_, name, x) hear(nil, name .. x) end
      local b = assert(troupe.spawn { { otherwise = hear_all }, isolation = "local" })
      local shown = { tostring(a):match " (%w+) ", a:info().name, tostring(b:info().name), troupe.whereis "b" == a }
      local _, why = troupe.register("a", b)
      local refused = { why, select(2, troupe.spawn { {}, isolation = "local", name = "b" }) }
      troupe.subscribe("x.*", a)
      troupe.subscribe("x.y", a)
      troupe.subscribe(">", b)
      local reached = { troupe.publish("x.y", 1), troupe.publish("x", 2) }
      reached[3], reached[4] = troupe.unsubscribe(">", b), troupe.unsubscribe(">", b)
      reached[5] = troupe.publish("x.y", 3)
      a:call_with({ timeout = 60 }, "x.y", 4)
      a:kill()
      reached[6] = troupe.publish("x.y", 5)
      return shown, refused, reached, said
    end):await(patience)
    deep(names, { "a", "a", "nil", true })
    deep(taken, { "name taken", "name taken" })
    deep(counts, { 2, 1, true, false, 1, 0 })
    table.sort(heard, function(x, y) return tostring(x) < tostring(y) end)
    deep(heard, { 1, 3, 4, "x.y1", "x2" })
    deep(troupe.registered(), {})
  end)

  test("dead letters of a " .. kind .. " count in the program, and are seen there", function()
    local pool <close> = pool_of()
    local before = troupe.dead_letters()
    local seen, total = pool:submit(function()
      local troupe = require "troupe" -- luacheck: ignore 431
      local list = {}
      local watcher = assert(troupe.spawn { { ["troupe.dead_letters"] = function(_, ref, name, ...)
        list[#list + 1] = { tostring(ref):match "^troupe.actor" and name, ... }
      end }, isolation = "local" })
      troupe.subscribe("troupe.dead_letters", watcher)
      local gone = assert(troupe.spawn { {}, isolation = "local" })
      gone:kill()
      for i = 1, 3 do gone:send("late", i, nil, i) end
      troupe.task.wait_until(function() return #list == 3 end)
      return list, troupe.dead_letters()
    end):await(patience)
    deep(seen, { { "late", 1, nil, 1 }, { "late", 2, nil, 2 }, { "late", 3, nil, 3 } })
    eq(total, before + 3)
    eq(troupe.dead_letters(), before + 3)
  end)
end

-- Actors of a worker's vm and of this one, and what they heard: the pool's job that makes one returns its reference.
local function listener(pool, topics, name)
  return pool:submit(function(list, as)
    local troupe = require "troupe" -- luacheck: ignore 431
    local heard = {}
    local ref = assert(troupe.spawn { {
      heard = function() return heard end,
      publish = function(_, topic, count)
        local reached = 0
        for i = 1, count do reached = reached + troupe.publish(topic, i) end
        return reached
      end,
      otherwise = function(_, topic, ...) heard[#heard + 1] = { topic, ... } end,
    }, isolation = "local", name = as })
    for _, topic in ipairs(list) do assert(troupe.subscribe(topic, ref)) end
    return ref
  end, topics, name):await(patience)
end

local function ask(ref, name, ...) return ref:call_with({ timeout = patience }, name, ...) end

for _, kind in ipairs(kinds) do
  test("an actor in a " .. kind .. " is found by its name from anywhere", function()
    local pool <close> = troupe.pool { workers = 1, isolation = kind }
    local other <close> = troupe.pool { workers = 1 }
    local ref = listener(pool, {}, "ear")
    eq(troupe.whereis "ear", ref)
    match(tostring(ref), "^troupe.actor: ear %x+$")
    troupe.whereis "ear":send("hello", 1)
    eq(other:submit(function()
      local found = require "troupe".whereis "ear"
      found:send("hello", 2)
      return found
    end):await(patience), ref)
    local heard
    await(function()
      heard = ask(ref, "heard")
      return #heard == 2
    end, "what two vms sent")
    table.sort(heard, function(a, b) return a[2] < b[2] end)
    deep(heard, { { "hello", 1 }, { "hello", 2 } })
    ref:kill()
    await(function() return not ref:alive() or troupe.whereis "ear" == nil end, "its end")
    await(function() return troupe.whereis "ear" == nil end, "the end of its name")
  end)

  test("what is published reaches subscribers here and in a " .. kind .. ", from here and from there", function()
    local pool <close> = troupe.pool { workers = 1, isolation = kind }
    local near <close> = troupe.pool { workers = 1 }
    local a, b = listener(pool, { "news.*" }), listener(near, { "news.>", "news.sport" })
    local count, last = 0, 0
    local own = resident { ["news.sport"] = function(_, i)
      eq(i, last + 1)
      last, count = i, count + 1
    end }
    troupe.subscribe("news.sport", own)
    for i = 1, 100 do eq(troupe.publish("news.sport", i), 3) end
    eq(troupe.publish("news.sport.late", "late"), 1)
    for _, ref in ipairs { a, b } do
      local heard = ask(ref, "heard")
      for i = 1, 100 do deep(heard[i], { "news.sport", i }) end
      deep(heard[101], ref == b and { "news.sport.late", "late" } or nil)
    end
    await(function() return count == 100 end, "what was published here")
    last = 0
    eq(ask(a, "publish", "news.sport", 100), 300)
    local heard
    await(function()
      heard = ask(b, "heard")
      return #heard == 201
    end, "what was published there, at its neighbour's")
    for i = 1, 100 do deep(heard[101 + i], { "news.sport", i }) end
    await(function() return count == 200 end, "what was published there")
    a:kill()
    await(function() return troupe.publish("news.x") == 1 end, "the end of a subscription")
    own:kill()
    eq(troupe.publish("news.sport", 1), 1)
  end)

  test("an actor in a " .. kind .. " gets names and subscriptions from elsewhere, and loses them as it ends", function()
    local pool <close> = troupe.pool { workers = 1, isolation = kind }
    local ref = listener(pool, {})
    eq(troupe.register("given", ref), true)
    eq(troupe.subscribe("t", ref), true)
    deep({ troupe.register("given", ref) }, { nil, "name taken" })
    eq(pool:submit(function() return require "troupe".whereis "given" end):await(patience), ref)
    if kind == "thread" then eq(ref:info().name, "given") end
    eq(troupe.publish("t", 1), 1)
    deep(ask(ref, "heard"), { { "t", 1 } })
    eq(troupe.unsubscribe("t", ref), true)
    eq(troupe.unsubscribe("t", ref), false)
    troupe.subscribe("t", ref)
    ref:kill()
    await(function() return #troupe.registered() == 0 end, "the end of its name")
    eq(troupe.publish("t", 2), 0)
  end)

  test("who hears of a death in a " .. kind .. " finds the name free", function()
    local pool <close> = troupe.pool { workers = 1, isolation = kind }
    local results = {}
    local watcher = resident {
      watch = function(self, ref)
        self.watched = ref
        troupe.monitor(ref)
        ref:send "stop"
      end,
      down = function(self, ref) results[#results + 1] = ref == self.watched and troupe.register("one", self.ref) end,
    }
    for i = 1, t.slowdown > 1 and 10 or 100 do
      local ref = pool:submit(function()
        local troupe = require "troupe" -- luacheck: ignore 431
        return assert(troupe.spawn { { stop = function(self) self:stop() end }, isolation = "local", name = "one" })
      end):await(patience)
      watcher:send("watch", ref)
      await(function() return #results == i end, "news of its end")
      eq(results[i], true)
      eq(troupe.unregister "one", true)
    end
    watcher:kill()
  end)

  test("what is given to an actor in a " .. kind .. " that is dead already is taken away again", function()
    local pool <close> = troupe.pool { workers = 1, isolation = kind }
    local ref = pool:submit(function()
      local made = assert(require "troupe".spawn { {}, isolation = "local" })
      made:kill()
      return made
    end):await(patience)
    local named = troupe.register("late", ref)
    local subscribed = troupe.subscribe("late", ref)
    ok(named or troupe.whereis "late" == nil)
    ok(subscribed or troupe.publish "late" == 0)
    await(function() return troupe.whereis "late" == nil and troupe.publish "late" == 0 end, "news of its end")
    deep({ troupe.register("late", ref) }, { nil, "dead" })
  end)

  test("dead letters of a " .. kind .. " are seen elsewhere", function()
    local pool <close> = troupe.pool { workers = 1, isolation = kind }
    local seen = {}
    local watcher = resident { ["troupe.dead_letters"] = function(_, ref, name, ...)
      seen[#seen + 1] = { ref, name, ... }
    end }
    troupe.subscribe("troupe.dead_letters", watcher)
    local before = troupe.dead_letters()
    local gone = pool:submit(function()
      local made = assert(require "troupe".spawn { {}, isolation = "local" })
      made:kill()
      for i = 1, 10 do made:send("late", i) end
      return made
    end):await(patience)
    await(function() return #seen == 10 end, "the dead letters")
    for i = 1, 10 do deep(seen[i], { gone, "late", i }) end
    eq(troupe.dead_letters(), before + 10)
    watcher:kill()
  end)
end

for _, kind in ipairs(kinds) do
  test("an actor with a " .. kind .. " of its own has its name before spawn returns, until it ends", function()
    local down = {}
    local watcher = resident {
      watch = function(_, ref) troupe.monitor(ref) end,
      down = function() down[#down + 1] = troupe.whereis "own" == nil end,
    }
    local behaviour = {
      init = function() require "troupe".subscribe "own.topic" end,
      who = function() return "here" end,
    }
    for i, ending in ipairs { "stop", "kill" } do
      local ref = assert(troupe.spawn { behaviour, isolation = kind, name = "own" })
      eq(troupe.whereis "own", ref)
      eq(ask(troupe.whereis "own", "who"), "here")
      eq(troupe.publish "own.topic", 1)
      deep({ troupe.spawn { behaviour, isolation = kind, name = "own" } }, { nil, "name taken" })
      deep(troupe.registered(), { "own" })
      ask(watcher, "watch", ref)
      ref[ending](ref)
      await(function() return #down == i end, "news of its end")
      deep(down, i == 1 and { true } or { true, true })
      eq(troupe.publish "own.topic", 0)
    end
    watcher:kill()
  end)
end

test("a process that dies loses its names before anybody hears of its death", function()
  local pool <close> = troupe.pool { workers = 1, isolation = "process" }
  local job = pool:submit(name_one, "bank", "exit")
  ok(job:take(patience))
  deep(troupe.registered(), { "bank" })
  job:resume()
  match(select(2, job:join(patience)), "^lost: ")
  deep(troupe.registered(), {})
end)

test("a vm that closes loses its names", function()
  local thread = require "llthreads2".new([[
    local troupe = require "troupe"
    assert(troupe.spawn { {}, isolation = "local", name = "child" })
    return troupe.registered()[1]
  ]])
  thread:start()
  local done, name = thread:join()
  eq(done, true)
  eq(name, "child")
  deep(troupe.registered(), {})
end)

test("a subscriber without a handler for dead letters does not make more of them", function()
  local deaf, gone = resident {}, resident {}
  troupe.subscribe(">", deaf)
  gone:kill()
  local before = troupe.dead_letters()
  gone:send "late"
  await(function() return troupe.dead_letters() == before + 2 end, "the deaf one to meet it")
  eq(pcall(deaf.call, deaf, "anything"), false)
  eq(troupe.dead_letters(), before + 2)
  deaf:kill()
end)

test("of many vms that want a name at a time, one has it", function()
  local pool <close> = troupe.pool { workers = 3 }
  local jobs = {}
  for i = 1, 3 do
    jobs[i] = pool:submit(function(rounds)
      local troupe = require "troupe" -- luacheck: ignore 431
      local won = 0
      while won < rounds do
        local ref, why = troupe.spawn { {}, isolation = "local", name = "the one" }
        if ref then
          won = won + 1
          assert(troupe.whereis "the one" == ref)
          ref:kill()
        else
          assert(why == "name taken", why)
          troupe.task.sleep(0)
        end
      end
      return won
    end, t.slowdown > 1 and 100 or 1000)
  end
  for i = 1, 3 do eq(jobs[i]:await(patience), t.slowdown > 1 and 100 or 1000) end
  deep(troupe.registered(), {})
end)

test("misuse is named", function()
  local raises = t.raises
  raises("register: name: string expected, got nil", troupe.register)
  raises("register: actor reference expected, got table", troupe.register, "a", {})
  raises("register: only in an actor", troupe.register, "a")
  raises("whereis: name: string expected, got table", troupe.whereis, {})
  raises("unregister: name: string expected, got boolean", troupe.unregister, true)
end)

t.finish()
