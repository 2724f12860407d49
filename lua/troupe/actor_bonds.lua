-- actor_bonds.lua - who hears of an actor's end: monitors, links, who waits; and messages to the dead.
--
-- 1. Every table here has entries for live actors only: hook `ended` takes them out.
-- 2. A bond is made between two turns of the actor it is about: there is no gap in which an end could pass unseen.
-- 3. A bond between actors of two vms is in both. The vm of the one that ends tells the other (`interested`), and each
--    tells its own actors. core.note of an actor of another vm makes sure that this one is told.

local core = require "troupe.actor.core"
local later = require "troupe.later"
local wait = require "troupe.waiting"

local log = later "troupe.log.core"
local registry = later "troupe.registry"
local topic = later "troupe.topic"

local collectgarbage, error, math, next, pairs, setmetatable, table, type =
  collectgarbage, error, math, next, pairs, setmetatable, table, type
local loaded = package.loaded

local M = {}

local watchers = {} -- actor -> { watcher -> how many times }
local links = {}    -- actor -> { other -> true }
local waiting = {}  -- actor -> place of those who wait for its end
local interested = {} -- actor -> { address of a vm that is to be told of its end -> true }

-- Actors that another one starts again when they end -> how often it has, in their place.
M.supervised = setmetatable({}, { __mode = "k" })
-- Those that do so: actor -> fn() -> seconds that it may take to end its children.
M.supervisors = setmetatable({}, { __mode = "k" })

-- The actor that has this vm for itself -> "thread" or "process".
M.hosted = setmetatable({}, { __mode = "k" })

--- How an actor of this vm was spawned.
function M.isolation_of(ref) return M.hosted[ref] or core.is_placed(ref) and "light" or "local" end

--- Bytes that Lua has in the vm of an actor of this one; nil where that is not the actor's own.
function M.memory(ref)
  if not M.hosted[ref] then return nil end
  return math.tointeger(collectgarbage "count" * 1024)
end

-- Live actors of vms of their own that were spawned here -> which it was.
M.children = {}

local function current(what)
  local ref = core.current()
  if not ref then error(what .. ": only in an actor", 3) end
  return ref
end

local function check_ref(ref, what)
  if not core.is(ref) then error(("%s: actor reference expected, got %s"):format(what, type(ref)), 3) end
  return ref
end

local function entry(room, key)
  local found = room[key]
  if not found then
    core.note(key)
    found = {}
    room[key] = found
  end
  return found
end

local function reason_of(ref) return core.reason(ref) or "dead" end

function M.watch(watcher, ref)
  core.note(ref)
  if not core.alive(ref) then
    core.post(watcher, "down", ref, reason_of(ref))
    return
  end
  local who = entry(watchers, ref)
  who[watcher] = (who[watcher] or 0) + 1
end

--- The running actor gets one message `down(ref, reason)` when the other one ends; at once when it is dead already.
-- @param ref an actor's reference
-- @return true
function M.monitor(ref)
  local me = current "monitor"
  check_ref(ref, "monitor")
  core.shield()
  M.watch(me, ref)
  core.unshield()
  return true
end

--- Takes one monitor back.
-- @return true when there was one
function M.demonitor(ref)
  local me, who = current "demonitor", watchers[check_ref(ref, "demonitor")]
  local count = who and who[me]
  if not count then return false end
  core.shield()
  who[me] = count > 1 and count - 1 or nil
  if not next(who) then watchers[ref] = nil end
  core.unshield()
  return true
end

-- An actor's link tells it of an end.
local function tell_linked(ref, from, reason)
  if core.is_remote(ref) or not core.alive(ref) then return end -- the other vm tells its own
  local self = core.look_into(ref)
  if self and self.trap_exit then
    core.post(ref, "exit", from, reason)
  elseif reason ~= "normal" then
    core.exit(ref, reason, false, true)
  end
end

-- An actor of another vm is told, and then that vm knows whom to tell in return.
function M.tie(a, b)
  core.note(b)
  if not core.alive(b) then
    tell_linked(a, b, reason_of(b))
    return
  end
  entry(links, a)[b], entry(links, b)[a] = true, true
  if core.is_remote(b) then
    M.interest(a, core.vm_address(b))
    core.control(b, "link", a)
  end
end

--- An actor of another vm has linked itself with one of this vm; it told us of itself and will tell of its end.
function M.tied(ref, other)
  core.expect(other)
  M.interest(ref, core.vm_address(other))
  entry(links, ref)[other], entry(links, other)[ref] = true, true
end

--- A vm is to be told of the end of an actor of this one.
function M.interest(ref, vm) entry(interested, ref)[vm] = true end

--- Links the running actor with another: when one ends for another reason than "normal", so does the other, for the
-- same reason; one that has trap_exit gets a message `exit(ref, reason)` instead, for every reason.
-- @param ref an actor's reference
-- @return true
function M.link(ref)
  local me = current "link"
  if check_ref(ref, "link") == me then return true end
  core.shield()
  M.tie(me, ref)
  core.unshield()
  return true
end

local function untie(a, b)
  local others = links[a]
  if not others then return end
  others[b] = nil
  if not next(others) then links[a] = nil end
end

-- Both sides.
function M.untie(a, b)
  untie(a, b)
  untie(b, a)
end

--- Takes the link back.
function M.unlink(ref)
  local me = current "unlink"
  check_ref(ref, "unlink")
  core.shield()
  M.untie(me, ref)
  core.unshield()
  if core.is_remote(ref) then core.control(ref, "unlink", me) end
  return true
end

-- ---- ends

--- Hook: a message that cannot be delivered.
function M.undelivered(...)
  log.debug "a message reached no live actor, or one without a handler for it"
  topic.dead_letter(...)
end

-- Those that lie unread in a dead actor's queue.
local function bury(ref, queue, head, tail)
  while queue and head <= tail do
    local kind = queue[head]
    if math.type(kind) ~= "integer" then
      M.undelivered(ref, kind)
      head = head + 2
    elseif kind == 0 then
      head = head + 4
    elseif kind > 0 then
      M.undelivered(ref, queue[head + 1], table.unpack(queue, head + 3, head + 2 + kind))
      head = head + 3 + kind
    else
      M.undelivered(ref, queue[head + 1], table.unpack(queue, head + 4, head + 2 - kind))
      head = head + 3 - kind
    end
  end
end

-- Messages that lie in a queue; orders of our own do not count.
function M.count(queue, head, tail)
  local count = 0
  while queue and head <= tail do
    local kind = queue[head]
    if math.type(kind) ~= "integer" then
      head, count = head + 2, count + 1
    elseif kind == 0 then
      head = head + 4
    else
      head, count = head + 3 + (kind > 0 and kind or -kind), count + 1
    end
  end
  return count
end

--- Hook: an actor is dead.
function M.ended(ref, reason, queue, head, tail)
  if loaded["troupe.registry"] then registry.forget(ref) end -- else it had no name
  bury(ref, queue, head, tail)
  local place, who, others, vms = waiting[ref], watchers[ref], links[ref], interested[ref]
  waiting[ref], watchers[ref], links[ref], interested[ref], M.children[ref] = nil, nil, nil, nil, nil
  if vms then
    for vm in pairs(vms) do core.obituary(vm, ref, reason) end
  end
  if who then
    for watcher, times in pairs(who) do
      for _ = 1, times do core.post(watcher, "down", ref, reason) end
    end
  end
  if others then
    for other in pairs(others) do untie(other, ref) end
    for other in pairs(others) do tell_linked(other, ref, reason) end
  end
  if place then wait.wake(place) end
end

--- Hook: the vm ends, and its actors with it.
function M.leave()
  for ref, vms in pairs(interested) do
    for vm in pairs(vms) do core.obituary(vm, ref, core.reason(ref) or "lost") end
  end
end

--- The place at which whoever waits for an actor's end waits.
function M.place(ref) return entry(waiting, ref) end

--- Whoever waits there looks again.
function M.wake(ref)
  if waiting[ref] then wait.wake(waiting[ref]) end
end

--- Waits for an actor's end.
-- @return true; nil, "timeout"
function M.await_end(ref, seconds)
  local function gone() return not core.alive(ref) and core.reason(ref) ~= nil and not core.look_into(ref) end
  if gone() then return true end
  if wait.wait(entry(waiting, ref), gone, seconds) then return true end
  return nil, "timeout"
end

--- The running actor starts that one again when it ends, and has done so so many times.
function M.supervise(ref, restarts)
  M.supervised[ref] = restarts
  if core.is_remote(ref) then core.control(ref, "supervised", restarts) end
end

--- How many actors an actor is linked with, and how many monitor it.
function M.counts(ref)
  local linked, monitors = 0, 0
  for _ in pairs(links[ref] or {}) do linked = linked + 1 end
  for _, times in pairs(watchers[ref] or {}) do monitors = monitors + times end
  return linked, monitors
end

return M
