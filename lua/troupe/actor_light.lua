-- actor_light.lua - light actors: in vms that they share with others, one for each core, and moved nowhere later.
--
--     a vm: none --chosen for the first time--> starting --> up (actor_host.lua's serve) --the program ends--> none
--
-- Which vm it is, src/placement.h decides. The maker asks that vm by mail, or makes the actor itself when it lives
-- there.
-- What an endless loop means to the others, and how it is broken: src/pool_doom.c.
--
-- 1. core.place counts an actor; core.settle makes that the count of one that lives; who makes none calls core.unplace.

local core = require "troupe.actor.core"
local bonds = require "troupe.actor_bonds"
local control = require "troupe.actor_control"
local future = require "troupe.actor_future"
local globals = require "troupe.actor_globals"
local life = require "troupe.actor_life"
local script = require "troupe.actor_script"
local task_core = require "troupe.task.core"
local thread = require "troupe.actor_thread"
local wait = require "troupe.waiting"

local error, pcall, tostring, type = error, pcall, tostring, type

local M = {}

-- Seconds within which a vm has come up that somebody else starts.
local START = 60
-- Seconds for which an actor is waited for whose init was given up before the vm had begun with it.
local BORN = 600

-- ---- in the vm that it shall live in

local function class_of(kind, what, path)
  if kind == "script" then return script.load(what, path) end
  return globals.class_of(what)
end

-- -> reference, nil, whether its init still runs; nil, error
local function make(kind, what, path, opts, ...)
  local ok, class, why = pcall(class_of, kind, what, path)
  if not ok or not class then
    if not opts.guest then core.unplace(core.own_address()) end
    return nil, why or class
  end
  return life.launch(class, opts, ...)
end

-- Tells who spawned it. What was told of an end before there was a reference was told of a stranger.
local function tell_born(call, ref, why)
  core.reply_late(call, true, ref, why)
  if ref and not core.look_into(ref) then core.tell_maker(ref, core.reason(ref)) end
end

function control.works.spawn(call, kind, what, path, opts, ...)
  local ref, why, unfinished = make(kind, what, path, opts, ...)
  if not unfinished then return tell_born(call, ref, why) end
  task_core.spawn(function() tell_born(call, life.await_start(ref)) end)
end

-- ---- where it is spawned

local function tell(waiters, ...)
  for i = 1, #waiters, 2 do
    if waiters[i + 1] == core.own_address() then
      core.reply_late(waiters[i], ...)
    else
      core.send_reply(waiters[i], waiters[i + 1], ...)
    end
  end
end

local place

-- Starts the vm of a place -> its address; nil, error.
local function start(at)
  local number = core.await_reply()
  local up = future.of(number)
  local ok, vm = pcall(thread.start_shared, number, at)
  if ok then ok, vm = up:join() end
  if ok and vm then return vm end
  if ok then -- somebody else's was there first
    core.withdraw(at)
    return place()
  end
  tell(core.place_failed(at), false, vm)
  return nil, vm
end

-- Who is not told in time is counted no more.
local function await_up(up, at, number)
  local ok, vm = up:join(START)
  if ok == nil and not core.withdraw(at, number) then ok, vm = up:join(START) end
  if ok then return vm end
  return nil, vm
end

-- In a worker process: the one of the program's vms that was chosen for actors from here.
local chosen

-- A vm of the program, made for this, chooses as if the actor were its own.
local function place_away()
  if chosen then return chosen end
  local number = core.await_reply()
  local told = future.of(number)
  local ok, vm, why = pcall(thread.start_shared, number, false)
  if ok then ok, vm, why = told:join() end
  chosen = ok and vm or nil
  return chosen, why or vm
end

-- -> the address of the vm for the next actor, which is counted there; nil, error.
function place()
  local how, at = core.place()
  if how == "away" then return place_away() end
  if how == "there" then return at elseif how == "start" then return start(at) end
  local number = core.await_reply()
  local up = future.of(number)
  how, at = core.place(number)
  if how == "wait" then return await_up(up, at, number) end
  core.reply_late(number, false)
  if how == "there" then return at end
  return start(at)
end

--- Chooses a vm for actors of a worker process.
-- @return its address; nil, error
function M.choose()
  local vm, why = place()
  if vm then core.unplace(vm) end
  return vm, why
end

local function description(behaviour)
  if type(behaviour) ~= "string" then return "value", globals.bytes_of(behaviour) end
  local path, why = script.find_file(behaviour)
  if not path then return nil, why end
  return "script", behaviour, path
end

local function spawn_here(kind, what, path, opts, ...)
  local ref, why, unfinished = make(kind, what, path, {
    placed = true, name = opts.name, link = opts.link, monitor = opts.monitor, mailbox_limit = opts.mailbox_limit,
  }, ...)
  if unfinished then return life.await_start(ref, opts.init_timeout) end
  return ref, why
end

-- (whether they could be copied, arguments of init or the error) -> as M.spawn
local function spawn_copied(kind, what, path, opts, ok, ...)
  if ok then return spawn_here(kind, what, path, opts, ...) end
  core.unplace(core.own_address())
  error((...), 0)
end

-- Its init takes too long: it ends as soon as it is known.
local function give_up(born)
  task_core.spawn(function()
    local ok, ref = born:join(BORN)
    if ok and ref then ref:kill() end
  end)
  return nil, "timeout"
end

local function outcome(opts, born, ok, ref, why)
  if ok == nil then return give_up(born) end
  if not ok then
    chosen = nil
    return nil, ref
  end
  if not ref then return nil, why end
  core.expect(ref)
  if opts.monitor then bonds.watch(core.current(), ref) end
  return ref
end

local function spawn_there(vm, kind, what, path, opts, ...)
  local born = opts.init_timeout and core.await_reply()
  local early = born and future.of(born)
  local ok, number, why = pcall(core.inquire, core.find(vm), "spawn", kind, what, path or false, {
    placed = true, guest = chosen and true or nil, name = opts.name, mailbox_limit = opts.mailbox_limit,
    born = born or nil, vm = born and core.own_address() or nil, maker = core.own_address(),
    spawner = opts.link and core.current() or nil,
  }, ...)
  if not ok or not number then
    core.unplace(vm)
    chosen = nil
    if not ok then error(number, 4) end
    return nil, why
  end
  return outcome(opts, early, future.of(number):join(opts.init_timeout))
end

--- Spawns a light actor.
-- @param behaviour path, module, table or function; what is no text must be able to cross
-- @param opts table: spawn's options, checked
-- @param ... arguments of init
-- @return its reference; nil, error
function M.spawn(behaviour, opts, ...)
  local kind, what, path = description(behaviour)
  if not kind then return nil, what end
  local vm, why = place()
  if not vm then return nil, tostring(why) end
  if vm ~= core.own_address() then return spawn_there(vm, kind, what, path, opts, ...) end
  return spawn_copied(kind, what, path, opts, pcall(core.copy, ...))
end

-- ---- in a vm that actor_host.lua starts

--- A vm that light actors share: it is told of by address, and lasts until it is killed.
-- @param number integer: the call that waits for the address, of vm `opts.vm`
-- @param opts   table: vm, place
function M.serve(number, opts)
  require "troupe.actor_bundle".load_all() -- loading a module is nothing to be broken into
  local waiters = core.host_many(opts.place)
  local own = waiters and core.own_address()
  core.send_reply(number, opts.vm, true, own or nil)
  if not own then return end -- there is one for that place already
  tell(waiters, true, own)
  wait.wait({}, function() return false end)
end

return M
