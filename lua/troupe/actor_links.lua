-- actor_links.lua - monitors, links and supervision: which actors hear of an actor's end; and messages to the dead.
--
-- 1. Every table here has entries for live actors only: tell_bound takes them out.
-- 2. A bond is made between two turns of the actor it is about: there is no gap in which an end could pass unseen.
-- 3. A bond between actors of two vms is in both. The vm of the one that ends tells the other (bonds.interest), and
--    each tells its own actors. core.note of an actor of another vm makes sure that this one is told.

local core = require "troupe.actor.core"
local bonds = require "troupe.actor_bonds"
local later = require "troupe.later"

local log = later "troupe.log.core"
local topic = later "troupe.topic"

local entry = bonds.entry
local error, next, pairs, setmetatable, table, type = error, next, pairs, setmetatable, table, type

local M = {}

local watchers = {} -- actor -> { watcher -> how many times }
local links = {}    -- actor -> { other -> true }

-- Actors that another one starts again when they end -> how often it has, in their place.
M.supervised = setmetatable({}, { __mode = "k" })
-- Those that do so: actor -> fn() -> seconds that it may take to end its children.
M.supervisors = setmetatable({}, { __mode = "k" })

local function current(what)
  local ref = core.current()
  if not ref then error(what .. ": only in an actor", 3) end
  return ref
end

local function check_ref(ref, what)
  if not core.is(ref) then error(("%s: actor reference expected, got %s"):format(what, type(ref)), 3) end
  return ref
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
    bonds.interest(a, core.vm_address(b))
    core.control(b, "link", a)
  end
end

--- An actor of another vm has linked itself with one of this vm; it told us of itself and will tell of its end.
function M.tied(ref, other)
  core.expect(other)
  bonds.interest(ref, core.vm_address(other))
  entry(links, ref)[other], entry(links, other)[ref] = true, true
end

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

--- Those that lie unread in a dead actor's queue.
function M.bury(ref, queue, head, tail)
  while queue and head <= tail do
    local kind = queue[head]
    if type(kind) == "string" then
      M.undelivered(ref, kind)
      head = head + 1
    elseif type(kind) ~= "number" then
      head = head + 1
    elseif kind == 0 then
      head = head + 4
    elseif kind > 0 then
      M.undelivered(ref, queue[head + 1], table.unpack(queue, head + 2, head + 1 + kind))
      head = head + 2 + kind
    else
      M.undelivered(ref, queue[head + 1], table.unpack(queue, head + 3, head + 1 - kind))
      head = head + 2 - kind
    end
  end
end

--- An actor has ended: those that are bound to it hear of it.
function bonds.tell_bound(ref, reason)
  local who, others = watchers[ref], links[ref]
  watchers[ref], links[ref] = nil, nil
  if who then
    for watcher, times in pairs(who) do
      for _ = 1, times do core.post(watcher, "down", ref, reason) end
    end
  end
  if others then
    for other in pairs(others) do untie(other, ref) end
    for other in pairs(others) do tell_linked(other, ref, reason) end
  end
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
