-- actor_bonds.lua - who hears of an actor's end: other vms, and who waits for it. Monitors and links, and what else few
-- actors have to do with, are in actor_links.lua: what is not found here is taken from there.
--
-- 1. Every table here has entries for live actors only: hook `ended` takes them out.

local core = require "troupe.actor.core"
local later = require "troupe.later"
local wait = require "troupe.waiting"

local pairs, setmetatable = pairs, setmetatable
local loaded = package.loaded

local M = setmetatable({}, { __index = later "troupe.actor_links" })

local waiting = {}  -- actor -> place of those who wait for its end
local interested = {} -- actor -> { address of a vm that is to be told of its end -> true }

-- The actor that has this vm for itself -> "thread" or "process".
M.hosted = setmetatable({}, { __mode = "k" })

-- Live actors of vms of their own that were spawned here -> which it was.
M.children = {}

-- What actor_links.lua makes of an end, once it is loaded.
M.tell_bound = false

--- What a table has for an actor: a table, made when it is first asked for; then the end of that actor is heard of.
function M.entry(room, key)
  local found = room[key]
  if not found then
    core.note(key)
    found = {}
    room[key] = found
  end
  return found
end
local entry = M.entry

--- A vm is to be told of the end of an actor of this one.
function M.interest(ref, vm) entry(interested, ref)[vm] = true end

--- Hook: an actor is dead.
function M.ended(ref, reason, queue, head, tail)
  if loaded["troupe.registry"] then loaded["troupe.registry"].forget(ref) end -- else it had no name
  if queue and head <= tail then M.bury(ref, queue, head, tail) end
  local place, vms = waiting[ref], interested[ref]
  waiting[ref], interested[ref], M.children[ref] = nil, nil, nil
  if vms then
    for vm in pairs(vms) do core.obituary(vm, ref, reason) end
  end
  core.tell_maker(ref, reason)
  if M.tell_bound then M.tell_bound(ref, reason) end
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

return M
