-- actor_life.lua - what every vm with actors in it needs: references, and how an actor begins. All else is loaded when
-- it is first used, since a vm of its own is all that most actors have. How messages are
-- sent and handled is in the rooms of src/lua_actor.h.

require "troupe"
local core = require "troupe.actor.core"
local behaviours = require "troupe.actor_behaviour"
local bonds = require "troupe.actor_bonds"
local later = require "troupe.later"
local wait = require "troupe.waiting"

local rest = later "troupe.actor_ref"
local own = later "troupe.actor_self"
local receive = later "troupe.actor_receive"
local registry = later "troupe.registry"
local timer = later "troupe.actor_timer"

local pairs, rawget, require, setmetatable, type = pairs, rawget, require, setmetatable, type

local M = {}

-- ---- references

local Ref = core.metatable
Ref.__index = Ref
Ref.__name = "troupe.actor"
Ref.__eq = core.equal

--- What a reference crosses as: the address, with its mailbox_limit if it has one.
function Ref.__troupe_pack(ref)
  local address, limit = core.address(ref)
  return limit and { address, limit } or address, "troupe.actor_life:from_address"
end

function M.from_address(packed)
  if type(packed) == "table" then return core.find(packed[1], packed[2]) end
  return core.find(packed)
end

function Ref.__tostring(ref) return rest.text(ref) end

--- ref:send(name, ...): a message, handled when its turn comes. With mailbox_limit it waits for room.
-- @return true; nil, "dead"
Ref.send = core.send

--- ref:try_send(name, ...): the same, but does not wait.
-- @return true; nil, "dead" or "full"
Ref.try_send = core.try_send

--- ref:call(name, ...): asks and waits for the answer, 5 seconds at most.
-- @return the handler's results; nil, "timeout". Raises the handler's error; when the actor ends first, why it did;
--   "dead" when it was gone before
Ref.call = core.call

-- Its other methods come when one of them is called.
setmetatable(Ref, { __index = function(_, key)
  require "troupe.actor_ref"
  return rawget(Ref, key)
end })

-- ---- what self has

for name, module in pairs {
  send_after = timer, every = timer, receive = receive, become = own, hibernate = own, defer = own,
} do
  behaviours.base[name] = function(...) return module[name](...) end
end

--- self:stop([reason]): the actor ends when the handler returns.
behaviours.base.stop = core.stop_self

-- ---- how it begins

local function run_init(_, ref, init, self, ...)
  init(self, ...)
  core.started(ref)
  bonds.wake(ref)
end

-- Actors made by functions whose init runs.
local making = setmetatable({}, { __mode = "k" })

-- A function behaviour: what it returns is a behaviour to go on with, or else its end.
local function run_function(_, ref, fn, self, ...)
  local made = fn(self, ...)
  if type(made) ~= "table" then
    core.finish(ref, "normal")
    return
  end
  local _, handlers = core.look_into(ref)
  local class = behaviours.of(made, handlers[true].name)
  class.maker = handlers[true].path
  core.become(ref, class.handlers, class.terminate ~= nil, class.concurrent)
  setmetatable(self, class.meta)
  if class.init then
    making[ref] = true
    run_init(nil, ref, class.init, self, ...)
  else
    core.started(ref)
  end
end

local function failed(ref)
  if core.alive(ref) then
    core.exit(ref, "init_timeout", true)
    return nil, "timeout"
  end
  return nil, core.reason(ref)
end

-- The init of an actor begins -> its reference, nil, whether the init still runs; nil, error.
local function begin(ref, is_function, init, self, ...)
  if not core.begin(ref, is_function and run_function or run_init, ref, init, self, ...) then
    if not is_function or making[ref] then return ref, nil, true end
    core.started(ref) -- it waits for the first time
    return ref
  end
  if not core.alive(ref) and core.reason(ref) ~= "normal" then return failed(ref) end
  return ref
end

-- Makes an actor in this vm and begins with its init. `opts.vm`: the address of a vm that hears of its end
-- (`opts.interested`), and of its birth, as call `opts.born`; `opts.spawner`: the actor there that is linked with it.
-- `opts.maker`: the vm that spawned a light one, which hears of its end for less.
-- Returns the reference, nil, whether the init still runs; nil, error.
local function launch(class, opts, ...)
  core.shield()
  local self = setmetatable({}, class.meta)
  local ref = core.new(self, class.handlers, class.terminate ~= nil, class.concurrent, opts.mailbox_limit)
  self.ref = ref
  if opts.placed then core.settle(ref, opts.guest) end
  if opts.hosted then bonds.hosted[ref] = opts.hosted end
  if opts.name then
    local ok, why = registry.register(opts.name, ref)
    if not ok then
      core.exit(ref, why, true)
      core.unshield()
      return nil, why
    end
  end
  if opts.born then core.send_reply(opts.born, opts.vm, true, ref) end
  if opts.maker then core.set_maker(ref, opts.maker) end
  if opts.interested then bonds.interest(ref, opts.vm) end
  if opts.spawner then bonds.tie(ref, opts.spawner) end
  local spawner = (opts.link or opts.monitor) and core.current()
  if spawner and opts.link then bonds.tie(spawner, ref) end
  if spawner and opts.monitor then bonds.watch(spawner, ref) end
  local init = class.run or class.init
  if init then return begin(ref, class.run, init, self, ...) end
  core.started(ref)
  core.unshield()
  return ref
end

-- Waits for an init that still runs -> the reference; nil, error or "timeout".
local function await_start(ref, seconds)
  wait.wait(bonds.place(ref), function() return not core.starting(ref) end, seconds)
  if core.starting(ref) or not core.alive(ref) and core.reason(ref) ~= "normal" then return failed(ref) end
  return ref
end

--- What actor_light.lua does in the actor's vm.
M.launch, M.await_start = launch, await_start

-- What launch and begin return -> what spawn does.
local function settle(seconds, ref, why, unfinished)
  if unfinished then return await_start(ref, seconds) end
  return ref, why
end

--- What a thread actor's vm does: see actor_host.lua.
function M.spawn_here(class, opts, ...) return settle(opts.init_timeout, launch(class, opts, ...)) end

--- The way of an actor that core.make has made: its init begins.
function M.begin_here(ref, init, self, ...) return settle(nil, begin(ref, nil, init, self, ...)) end

-- ---- what C calls

local hooks = { ended = bonds.ended, leave = bonds.leave }

-- Where the others are, which few actors need.
local elsewhere = {
  crashed = "troupe.actor_ref", tick = "troupe.actor_timer", answered = "troupe.actor_future",
  call_outside = "troupe.actor_future", control = "troupe.actor_control", undelivered = "troupe.actor_links",
}

core.set_up(setmetatable(hooks, { __index = function(_, name) return require(elsewhere[name])[name] end }))

require "troupe.registry.core".settle(core.own_address())

-- The vm of a program that is not troupe's tells nobody that it ends, but this. What is made later is finalised
-- earlier: of the library, all that this needs is there still.
if core.is_programs() then
  M.closer = setmetatable({}, { __gc = function() require "troupe.actor_shutdown".close(core.is_alone()) end })
end

return M
