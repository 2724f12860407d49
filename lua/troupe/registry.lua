-- registry.lua - names of actors, the same in all vms of the program. The names themselves are in C (src/registry.h).
--
-- 1. Only live actors have names and subscriptions: what ends an actor takes them away before it tells anybody.
-- 2. Whether an actor of another vm lives is not known here. So its vm is asked to tell of its end (core.note); when
--    that was before it got here what it has now, that is taken away again.

local core = require "troupe.actor.core"
local registry = require "troupe.registry.core"

local error, next, pairs, table, type = error, next, pairs, table, type

local M = {}

-- In a worker process, where the program would have to be asked: names given here, address -> { name -> true }.
local given = {}

-- Actors of other vms that got something here: kept, so that their ends are heard of.
local watched = {}

local function note(address, name)
  given[address] = given[address] or {}
  given[address][name] = true
end

local function unnote(name)
  for address, names in pairs(given) do
    names[name] = nil
    if not next(names) then given[address] = nil end
  end
end

--- An actor got a name or a subscription.
function M.watch(ref)
  if not core.is_remote(ref) then return end
  watched[ref] = true
  core.note(ref)
end

local function check(name, what)
  if type(name) ~= "string" then error(what .. ": name: string expected, got " .. type(name), 3) end
end

--- Gives an actor a name, by which whereis finds it in every vm of the program. An actor may have several.
-- @param name string
-- @param ref an actor's reference; nil: the running one
-- @return true; nil, "name taken" or "dead"
function M.register(name, ref)
  check(name, "register")
  if ref == nil then ref = core.current() or error("register: only in an actor", 2) end
  if not core.is(ref) then error("register: actor reference expected, got " .. type(ref), 2) end
  if registry.whereis(name) then return nil, "name taken" end
  if not core.alive(ref) then return nil, "dead" end
  local address = core.address(ref)
  local done = registry.register(name, address)
  if done == nil then error("not enough memory", 2) end
  if not done then return nil, "name taken" end
  if registry.is_away() then note(address, name) end
  M.watch(ref)
  return true
end

--- Frees a name.
-- @return true when it was taken
function M.unregister(name)
  check(name, "unregister")
  if registry.is_away() then unnote(name) end
  return registry.unregister(name)
end

--- The actor of that name.
-- @param name string
-- @return its reference; nil when there is none
function M.whereis(name)
  check(name, "whereis")
  local address = registry.whereis(name)
  return address and core.find(address) or nil
end

--- All names that are taken, sorted.
-- @return list of strings
function M.registered()
  local list = registry.registered() or error("not enough memory", 2)
  table.sort(list)
  return list
end

--- The first of an actor's names; nil when it has none. In a worker process only those given in this vm count.
function M.name(ref)
  local address = core.address(ref)
  if not registry.is_away() then return registry.name_of(address) end
  local first
  for name in pairs(given[address] or {}) do
    if not first or name < first then first = name end
  end
  return first
end

--- An actor has ended.
function M.forget(ref)
  given[core.address(ref)] = nil
  if watched[ref] then
    watched[ref] = nil
    registry.ended((core.address(ref)))
  end
end

return M
