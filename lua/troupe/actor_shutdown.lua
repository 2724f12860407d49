-- actor_shutdown.lua - the end of all actors, in order: those of this vm first, then those of the others, the vm that
-- had actors last first.
--
-- 1. A vm ends those that have vms of their own and were spawned here, then its own; the latest first. One that has a
--    supervisor, in whatever vm, is ended by it, before it ends itself.
-- 2. No vm is waited for that reads no mail: its pool or thread breaks into it, later on.
-- 3. A program that ends without a word does the same (close), as long as all end in time: from the first on that does
--    not, nobody is waited for.

local core = require "troupe.actor.core"
local bonds = require "troupe.actor_bonds"
local future = require "troupe.actor_future"
local registry = require "troupe.registry.core"

local error, ipairs, pairs, pcall, select, table = error, ipairs, pairs, pcall, select, table

local M = {}

-- Seconds that an actor has for its terminate.
local TERMINATE = 5

-- Seconds within which a vm that is not stuck has answered.
M.answer_seconds = 5

-- The program ends, and somebody has taken too long for it.
local hurried = false
local closing = false

local function too_late()
  hurried = closing
  return nil
end

-- Waits for the answer.
-- @return what join does; nothing when it does not come
local function await(answer)
  local function came(ok, ...)
    if ok == nil then return too_late() end
    return ok, ...
  end
  return came(answer:join(hurried and 0 or M.answer_seconds))
end

local function stop(ref)
  if ref:stop("shutdown", hurried and 0 or M.seconds(ref)) then return end
  too_late()
  ref:kill()
end

--- How long a child may take to end: as its supervisor was told, or else 5 seconds, or what its own children may take.
-- @return number of seconds
function M.seconds(ref, told)
  if told == "kill" then return 0 end
  if told then return told end
  local of = bonds.supervisors[ref]
  return of and of() + TERMINATE or TERMINATE
end

local function ask(ref, operation, ...)
  local id = core.inquire(ref, operation, ...)
  return id and future.of(id)
end

--- True when the actor keeps the log: it says so by a field of its self, `ends_last`.
function M.keeps_log(ref)
  if core.is_remote(ref) then
    local answer = ask(ref, "keeps_log")
    return answer and select(2, await(answer)) == true or false
  end
  local self = core.look_into(ref)
  return self and self.ends_last and true or false
end

-- Ends those of the set (actor -> anything) that nobody else does, the greatest by `order` first.
local function end_each(set, order, last)
  local left, me = {}, core.current()
  for ref in pairs(set) do
    if ref ~= me and not bonds.supervised[ref] and core.alive(ref) then left[#left + 1] = ref end
  end
  table.sort(left, function(a, b) return order(a) > order(b) end)
  for _, ref in ipairs(left) do
    if M.keeps_log(ref) == last then stop(ref) end
  end
end

--- Ends the actors of this vm and those that were spawned in it, each by way of its terminate("shutdown").
-- @param last boolean: those that keep the log; else all others
function M.end_own(last)
  local here, numbers = {}, {}
  for ref, number in pairs(bonds.children) do numbers[ref] = number end
  end_each(numbers, function(ref) return numbers[ref] end, last or false)
  for _, ref in ipairs(core.all()) do here[ref] = true end
  end_each(here, function(ref) return (core.address(ref)) end, last or false)
end

local function is_there(vm)
  local answer = ask(vm, "here")
  return answer and await(answer)
end

-- Another vm ends its actors.
local function end_theirs(address, last)
  local vm = core.find(address)
  local answer = ask(vm, "shutdown", last)
  while answer and await(answer) == nil and not hurried and is_there(vm) do end
end

--- Ends all actors of the program, but for the one that asks for it and, without `last`, those that keep the log.
-- @param last boolean: those that keep the log
function M.shutdown(last)
  M.end_own(last)
  local vms, own = registry.vms() or error("not enough memory", 2), core.own_address()
  for i = #vms, 1, -1 do
    if vms[i] & 0xffffffff == 0 and vms[i] ~= own then end_theirs(vms[i], last) end
  end
end

--- The program's own vm is closed. All actors end in order, those that keep the log last; with a second vm of that
-- kind, those of this one.
-- @param alone boolean: there is no second one
function M.close(alone)
  closing = true
  local finish = alone and M.shutdown or M.end_own
  for _, last in ipairs { false, true } do pcall(finish, last) end
end

return M
