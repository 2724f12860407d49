-- actor_remote.lua - actors of other vms: messages, calls, orders, and who hears of their ends.

local t = require "harness"
local actors = require "actors"
local await = require "await"
local troupe = require "troupe"
local task = require "troupe.task"

local test, eq, ok, match, raises, deep = t.test, t.eq, t.ok, t.match, t.raises, t.deep
local near, witness = actors.near, actors.witness

-- Makes an actor in the vm of the pool's worker.
local function elsewhere(pool, behaviour, opts, ...)
  return pool:submit(function(made, options, ...)
    options = options or {}
    options[1], options.isolation = made, "local"
    return assert(require "troupe".spawn(options, ...))
  end, behaviour, opts, ...):await()
end

local Counter = {
  init = function(self, start) self.n = start or 0 end,
  add = function(self, k) self.n = self.n + k end,
  get = function(self) return self.n end,
  sender_of = function(self) return self.sender end,
  echo = function(_, ...) return ... end,
  fail = function(_, err) error(err, 0) end,
  nap = function() require "troupe.task".sleep(1000) end,
  stop = function(self, reason) self:stop(reason) end,
}

test("messages and calls cross, and keep their order", function()
  local pool <close> = troupe.pool { workers = 1 }
  local counter = elsewhere(pool, Counter, nil, 10)
  for i = 1, 100 do eq(counter:send("add", i), true) end
  eq(counter:call "get", 5060)
  eq(counter:try_send("add", 1), true)
  local future = counter:ask "get"
  eq(future:await(), 5061)
  deep({ counter:call("echo", 1, nil, "x", { 2 }, nil) }, { 1, nil, "x", { 2 }, nil })
  eq(select("#", counter:call("echo", nil, nil)), 2)
end)

test("a reference is one and the same wherever it has been", function()
  local pool <close> = troupe.pool { workers = 1 }
  local counter = elsewhere(pool, Counter)
  local again = counter:call("echo", counter)
  ok(rawequal(counter, again))
  local here = near(Counter)
  ok(rawequal(here, counter:call("echo", here)))
  eq(tostring(here), pool:submit(function(ref) return tostring(ref) end, here):await())
  eq(counter:call "sender_of", nil)
  local _, _, inside = witness()
  local me = inside(function(self) return self.ref, counter:call "sender_of" end)
  local _, sender = inside(function(self) return self.ref, counter:call "sender_of" end)
  eq(me, sender)
end)

test("a handler's error, one that it has no handler for, and a timeout come back", function()
  local pool <close> = troupe.pool { workers = 1, log_level = nil }
  local counter = elsewhere(pool, Counter)
  raises("has no handler 'none'", counter.call, counter, "none")
  counter:send "nap"
  deep({ counter:call_with({ timeout = 0 }, "get") }, { nil, "timeout" })
  raises("cannot send a thread", counter.send, counter, "echo", coroutine.create(print))
  raises("name of a message expected", counter.send, counter, 7)
end)

test("a token answers a call later, from another vm too", function()
  local pool <close> = troupe.pool { workers = 1 }
  local actor = elsewhere(pool, {
    later = function(self, other)
      local token = self:defer()
      other:send("do_it", token)
    end,
  })
  local helper = near { do_it = function(_, token) token:reply("done", { 1 }) end }
  deep({ actor:call("later", helper) }, { "done", { 1 } })
end)

test("stop, info, reload and kill reach an actor of another vm", function()
  local pool <close> = troupe.pool { workers = 1 }
  local counter = elsewhere(pool, Counter)
  eq(counter:call "get", 0)
  local info = counter:info()
  eq(info.isolation, "local")
  eq(info.mailbox, 0)
  eq(counter:alive(), true)
  deep({ counter:reload() }, { nil, "its behaviour was not loaded from a script" })
  eq(counter:stop "enough", true)
  eq(counter:alive(), false)
  deep({ counter:send "get" }, { nil, "dead" })
  deep(counter:info(), { state = "dead", reason = "enough" })
  local other = elsewhere(pool, Counter)
  local future = other:ask "nap"
  eq(other:kill(), true)
  deep({ future:join(60) }, { false, "killed" })
end)

test("monitors hear of an end in another vm, once each, with its reason", function()
  local pool <close> = troupe.pool { workers = 1 }
  local counter = elsewhere(pool, Counter)
  local _, seen, inside = witness()
  inside(function() troupe.monitor(counter) troupe.monitor(counter) end)
  counter:send("stop", "over")
  await(function() return #seen == 2 end, "two downs")
  deep(seen, { { "down", counter, "over" }, { "down", counter, "over" } })
  eq(counter:alive(), false)
  inside(function() troupe.monitor(counter) end)
  await(function() return #seen == 3 end, "another")
  deep(seen[3], { "down", counter, "over" })
end)

test("a monitor of one that is dead already brings its down at once", function()
  local pool <close> = troupe.pool { workers = 1 }
  local address = pool:submit(function()
    local troupe = require "troupe" -- luacheck: ignore 431
    local ref = troupe.spawn { {}, isolation = "local" }
    ref:kill()
    return ref
  end):await()
  local _, seen, inside = witness()
  inside(function() troupe.monitor(address) end)
  await(function() return #seen == 1 end, "its down")
  deep(seen[1], { "down", address, "dead" })
end)

test("a link between two vms ends both, whichever ends first", function()
  local pool <close> = troupe.pool { workers = 1 }
  local linker = { link = function(_, ref) require "troupe".link(ref) end, stop = Counter.stop,
    unlink = function(_, ref) require "troupe".unlink(ref) end, get = function() return 1 end }
  local there = elsewhere(pool, linker)
  local here = near(linker)
  there:call("link", here)
  here:send("stop", "mine")
  local _, seen, inside = witness()
  inside(function() troupe.monitor(there) end)
  await(function() return #seen == 1 end, "the other's end")
  deep(seen[1], { "down", there, "mine" })

  local second, mine = elsewhere(pool, linker), near(linker)
  mine:call("link", second)
  second:send("stop", "theirs")
  await(function() return not mine:alive() end, "its end")
  eq(mine:info().reason, "theirs")

  local third = elsewhere(pool, linker)
  local trapping
  trapping, seen, inside = witness(true)
  inside(function() troupe.link(third) end)
  third:send("stop", "normal")
  await(function() return #seen == 1 end, "its exit")
  deep(seen[1], { "exit", third, "normal" })
  ok(trapping:alive())

  local fourth, free = elsewhere(pool, linker), near(linker)
  free:call("link", fourth)
  free:call("unlink", fourth)
  free:kill()
  eq(fourth:call "get", 1)
end)

test("when a vm closes, who waits for its actors hears that they are lost", function()
  local pool = troupe.pool { workers = 1 }
  local counter = elsewhere(pool, Counter)
  local _, seen, inside = witness()
  inside(function() troupe.monitor(counter) end)
  local future = counter:ask "nap"
  pool:shutdown()
  await(function() return #seen == 1 end, "its down")
  deep(seen[1], { "down", counter, "lost" })
  deep({ future:join(60) }, { false, "lost" })
  deep({ counter:send "get" }, { nil, "dead" })
  raises("^dead$", counter.call, counter, "get")
end)

test("a message to an actor of a closed vm is a dead letter here", function()
  local pool = troupe.pool { workers = 1 }
  local counter = elsewhere(pool, Counter)
  pool:shutdown()
  local before = troupe.dead_letters()
  deep({ counter:send("add", 1) }, { nil, "dead" })
  eq(troupe.dead_letters() - before, 1)
end)

test("mailbox_limit holds back who sends from another vm, and loses nothing", function()
  local pool <close> = troupe.pool { workers = 1 }
  local got, most, gate = {}, 0, false
  local slow = assert(troupe.spawn { {
    init = function(self) self.ref:send "wait" end,
    wait = function()
      while not gate do task.sleep(0.001) end
    end,
    item = function(self, n)
      got[#got + 1] = n
      most = math.max(most, self.ref:info().mailbox)
    end,
  }, isolation = "local", mailbox_limit = 8 })
  local job = pool:submit(function(ref, count)
    local sent, full = 0, 0
    for i = 1, 64 do
      if ref:try_send("item", i) then sent = i else full = full + 1 break end
    end
    for i = sent + 1, count do assert(ref:send("item", i)) end
    return sent, full
  end, slow, 500)
  await(function() return slow:info().mailbox >= 8 end, "a full mailbox")
  gate = true
  local sent, full = job:await()
  eq(sent, 8)
  eq(full, 1)
  await(function() return #got == 500 end, "all messages")
  for i = 1, 500 do eq(got[i], i) end
  ok(most <= 16, most)
end)

test("who does not know of a limit is told by an answer to its first message", function()
  local pool <close> = troupe.pool { workers = 1 }
  local count = 0
  local slow = assert(troupe.spawn { { item = function() count = count + 1 end }, isolation = "local",
    mailbox_limit = 2 })
  local address = require "troupe.actor.core".address(slow)
  local limit = pool:submit(function(number)
    require "troupe"
    local core = require "troupe.actor.core"
    local ref = require "troupe.actor".from_address(number)
    assert(select(2, core.address(ref)) == nil)
    ref:send "item"
    while not select(2, core.address(ref)) do require "troupe.task".sleep(0.001) end
    return select(2, core.address(ref))
  end, (address)):await()
  eq(limit, 2)
  eq(count, 1)
end)

test("mail for an actor whose argument cannot be made here fails the call and nothing else", function()
  local pool <close> = troupe.pool { workers = 1 }
  local counter = elsewhere(pool, Counter)
  local odd = setmetatable({}, { __troupe_pack = function() return 1, "no.such.module:make" end })
  match(select(2, pcall(counter.call, counter, "echo", odd)), "no.such.module")
  eq(counter:call "get", 0)
end)

t.finish()
