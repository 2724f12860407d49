-- actor.lua - actors: spawned and addressed. How a message is handled is in actor_run.lua, what runs that in the rooms
-- of src/lua_actor.h.

require "troupe"
local core = require "troupe.actor.core"
local task_core = require "troupe.task.core"
local behaviours = require "troupe.actor_behaviour"
local bonds = require "troupe.actor_bonds"
local later = require "troupe.later"
local run = require "troupe.actor_run"
local wait = require "troupe.waiting"

local control = later "troupe.actor_control"
local future = later "troupe.actor_future"
local light = later "troupe.actor_light"
local timer = later "troupe.actor_timer"
local options = later "troupe.options"
local receive = later "troupe.actor_receive"
local registry = later "troupe.registry"
local shutdown = later "troupe.actor_shutdown"
local thread = later "troupe.actor_thread"
local topic = later "troupe.topic"

local error, ipairs, math, pairs, setmetatable, tostring, type =
  error, ipairs, math, pairs, setmetatable, tostring, type

local M = {}

-- ---- references

local Ref = core.metatable
Ref.__index = Ref
Ref.__name = "troupe.actor"
Ref.__eq = core.equal

--- What a reference crosses as: the address, with its mailbox_limit if it has one.
function Ref.__troupe_pack(ref)
  local address, limit = core.address(ref)
  return limit and { address, limit } or address, "troupe.actor:from_address"
end

function M.from_address(packed)
  if type(packed) == "table" then return core.find(packed[1], packed[2]) end
  return core.find(packed)
end

function Ref:__tostring()
  local name = registry.name(self)
  return ("troupe.actor: %s%x"):format(name and name .. " " or "", core.address(self))
end

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

--- ref:ask(name, ...): asks, and goes on.
-- @return a future with await(seconds), join(seconds) and status()
function Ref:ask(name, ...)
  if type(name) ~= "string" then error("ask: name of a message expected, got " .. type(name), 2) end
  return future.ask(self, name, ...)
end

--- True while it lives; of one in another vm, while that vm has told nothing else.
function Ref:alive()
  if core.is_remote(self) then return core.note(self) end
  return core.alive(self)
end

local call_options = { timeout = "seconds" }

--- As call, with options.
-- @param opts table: timeout (seconds, default 5)
function Ref:call_with(opts, name, ...)
  local seconds = options.check(opts, call_options, "call_with", 2).timeout or 5
  if not core.is(self) then error("call_with: actor reference expected, got " .. type(self), 2) end
  if type(name) ~= "string" then error("call_with: name of a message expected, got " .. type(name), 2) end
  if task_core.may_park() then return core.call_for(seconds, self, name, ...) end
  return future.call_outside(seconds, self, name, ...)
end

-- An order: met by receive, it ends the handler that waits there.
local function stop_now(_, reason, _, ref, receiving)
  if receiving then core.exit(ref, reason, false) else core.stop(ref, reason) end
end

function M.stop_in_turn(ref, reason) core.order(ref, stop_now, core.copy(reason), nil) end

--- Ends the actor after the messages it has, by way of its terminate(reason).
-- @param reason any value that crosses, default "normal"
-- @param seconds number: how long to wait for its end, default 5
-- @return true when it has ended; nil, "timeout"
function Ref:stop(reason, seconds)
  if reason == nil then reason = "normal" end
  if core.current() == self then
    core.stop(self, reason)
    return true
  end
  if core.is_remote(self) then
    core.note(self)
    core.control(self, "stop", reason)
  else
    M.stop_in_turn(self, reason)
  end
  return bonds.await_end(self, seconds or 5)
end

--- Ends the actor at once: a handler that waits is closed where it is, terminate is not called.
-- @return true when it lived
function Ref:kill()
  local alive = core.alive(self)
  if core.is_remote(self) then thread.kill(self) else core.exit(self, "killed", true) end
  return alive
end

--- What is known of the actor.
-- @return table: name, behaviour, isolation, state ("idle", "ready", "busy", "waiting"), mailbox (messages waiting),
--   handler (of which message, while one runs), since (seconds it has run), uptime (seconds), memory (bytes that Lua
--   has in the actor's vm; nil for one that shares its vm, where nobody knows whose they are), restarts (how often a
--   supervisor or router has started it again), links, monitors; for a dead one state and reason. nil, "timeout" when
--   its vm does not answer
function Ref:info()
  if core.is_remote(self) then return control.info(self) end
  local own, handlers, state, uptime, since, queue, head, tail, at = core.look_into(self)
  if not own then return { state = "dead", reason = core.reason(self) } end
  local linked, monitors = bonds.counts(self)
  local message = at > 0 and queue and queue[at]
  if math.type(message) == "integer" then message = queue[at + 1] end
  return {
    name = registry.name(self), behaviour = handlers[true].name, isolation = bonds.isolation_of(self), state = state,
    mailbox = bonds.count(queue, head, tail), handler = type(message) == "string" and message or nil,
    since = at > 0 and since or nil, uptime = uptime, memory = bonds.memory(self),
    restarts = bonds.supervised[self] or 0, links = linked, monitors = monitors,
  }
end

local function swap(self, class, _, ref)
  core.become(ref, class.handlers, class.terminate ~= nil, class.concurrent)
  setmetatable(self, class.meta)
  if class.code_change then class.code_change(self) end
end

--- Loads its script anew and swaps the handlers between two messages; what it keeps in self stays, and
-- code_change(self) is called if there is one.
-- @return true; nil, error when the script does not load: then nothing changes; nil, error, true when the script
--   returns a function: what that has begun goes on, and only a new actor would be of the new script
function Ref:reload()
  if core.is_remote(self) then return control.reload(self) end
  local own, handlers = core.look_into(self)
  if not own then return nil, "dead" end
  local was = handlers[true]
  if not (was.path or was.maker) then return nil, "its behaviour was not loaded from a script" end
  local class, why = behaviours.load(was.name)
  if not class then return nil, why end
  if was.maker or class.run then return nil, was.name .. " returns a function, which runs already", true end
  core.order(self, swap, class, nil)
  return true
end

-- ---- what self has

local Base = behaviours.base

function Base:send_after(...) return timer.send_after(self, ...) end

function Base:every(...) return timer.every(self, ...) end

function Base:receive(...) return receive.receive(self, ...) end

--- self:stop([reason]): the actor ends when the handler returns.
function Base:stop(reason)
  if reason == nil then reason = "normal" end
  core.stop(self.ref, reason)
end

--- self:become(behaviour): from the next message on, another behaviour handles them; self stays, init is not called.
-- @return true; nil, error when a script does not load
function Base:become(behaviour)
  local class, why = behaviours.find(behaviour, "become")
  if not class then return nil, why end
  core.become(self.ref, class.handlers, class.terminate ~= nil, class.concurrent)
  setmetatable(self, class.meta)
  return true
end

--- self:hibernate(): gives back what memory it can.
function Base:hibernate() core.order(self.ref, function(_, _, _, ref) core.shrink(ref) end) end

local Token = {}
Token.__index = Token
Token.__name = "troupe.actor.token"

--- What a token crosses as: the call's number, and the vm of the actor that was called.
function Token.__troupe_pack(token) return { token.id, token.vm or core.own_address() }, "troupe.actor:token" end

function M.token(packed)
  return setmetatable({ id = packed[1], vm = packed[2] ~= core.own_address() and packed[2] or nil }, Token)
end

local function answer(token, ...)
  if token.vm then return core.send_reply(token.id, token.vm, ...) end
  return core.reply_late(token.id, ...)
end

--- token:reply(...): the results of the call. The first reply counts.
-- @return true when it was the first, and the actor lives; in another vm than the actor's: when that vm lives
function Token:reply(...) return answer(self, true, ...) end

--- token:fail(error): the call fails.
function Token:fail(err) return answer(self, false, err) end

--- self:defer(): the call being handled is answered later, by the token; the handler's results are ignored.
-- @return token with reply(...) and fail(error); nil when the message is no call
function Base:defer() -- luacheck: ignore 212
  local id = core.defer()
  return id and setmetatable({ id = id }, Token)
end

-- ---- spawning

local spawn_options = {
  isolation = "string", name = "string", link = "boolean", monitor = "boolean", mailbox_limit = "count",
  init_timeout = "seconds", memory_limit = "bytes", libs = "table", path = "string", cpath = "string",
  preload = "table",
}

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

-- Makes an actor in this vm and begins with its init. `opts.vm`: the address of a vm that hears of its end
-- (`opts.interested`), and of its birth, as call `opts.born`; `opts.spawner`: the actor there that is linked with it.
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
  if opts.interested then bonds.interest(ref, opts.vm) end
  if opts.spawner then bonds.tie(ref, opts.spawner) end
  local spawner = (opts.link or opts.monitor) and core.current()
  if spawner and opts.link then bonds.tie(spawner, ref) end
  if spawner and opts.monitor then bonds.watch(spawner, ref) end
  local init = class.run or class.init
  if not init then
    core.started(ref)
    core.unshield()
    return ref
  end
  if not core.begin(ref, class.run and run_function or run_init, ref, init, self, ...) then
    if not class.run or making[ref] then return ref, nil, true end
    core.started(ref) -- it waits for the first time
    return ref
  end
  if not core.alive(ref) and core.reason(ref) ~= "normal" then return failed(ref) end
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

local function spawn_here(class, opts, ...)
  local ref, why, unfinished = launch(class, opts, ...)
  if unfinished then return await_start(ref, opts.init_timeout) end
  return ref, why
end

--- What a thread actor's vm does: see actor_host.lua.
M.spawn_here = spawn_here

local plain = {}
-- Options that were checked: the table -> a copy of what it had then.
local checked = setmetatable({}, { __mode = "k" })

local only_apart = { "memory_limit", "libs", "path", "cpath", "preload" }

local function same(a, b)
  for key, value in pairs(a) do
    if b[key] ~= value then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

local function check_isolation(plan)
  local isolation = plan.isolation or "thread"
  if isolation == "thread" or isolation == "process" then return end
  if isolation ~= "light" and isolation ~= "local" then
    error("spawn: option 'isolation': 'thread', 'process', 'light' or 'local' expected, got '" .. isolation .. "'", 4)
  end
  for _, key in ipairs(only_apart) do
    if plan[key] ~= nil then
      error(("spawn: option '%s' is for isolation 'thread' and 'process'"):format(key), 4)
    end
  end
end

local function check_options(opts)
  local plan = checked[opts]
  if plan and same(plan, opts) then return plan end
  plan = {}
  for key, value in pairs(opts) do plan[key] = value end
  plan[1] = nil
  options.check(plan, spawn_options, "spawn", 3)
  check_isolation(plan)
  plan[1] = opts[1]
  checked[opts] = plan
  return plan
end

--- Makes an actor.
-- @param what the behaviour: a path, a module's name, a table of handlers, or a function fn(self, ...), which receives
--   for itself or returns a table of handlers; or { behaviour, option = value, ... } with isolation ("thread", the
--   default: a vm of its own, on a thread of its own; "process": in a process of its own; "light": in one of the
--   vms that light actors share, one for each core, with globals of its own; "local": in this vm, with its globals and
--   upvalues, where an endless loop is this vm's own), name (registered before spawn returns), link, monitor
--   (booleans: by the spawning actor, without a gap), mailbox_limit (messages: a full one makes send wait),
--   init_timeout (seconds); for "thread" and "process" also, as for pools, memory_limit, libs, path, cpath, preload
-- @param ... arguments for init(self, ...)
-- @return its reference, once init has returned; nil, error with its traceback, "name taken" or "timeout"
-- @usage local counter = troupe.spawn({ "counter.lua", isolation = "light" }, 10)
function M.spawn(what, ...)
  local opts, behaviour = plain, what
  if type(what) == "table" and what[1] ~= nil then opts, behaviour = check_options(what), what[1] end
  if (opts.link or opts.monitor) and not core.current() then
    error("spawn: options 'link' and 'monitor' are for actors that spawn", 2)
  end
  behaviours.check(behaviour, "spawn")
  if opts.isolation == "light" then return light.spawn(behaviour, opts, ...) end
  if opts.isolation ~= "local" then return thread.spawn(behaviour, opts, ...) end
  local class, why = behaviours.find(behaviour, "spawn")
  if not class then return nil, why end
  return spawn_here(class, opts, core.copy(...))
end

-- Says once that an actor failed.
local function crashed(ref, reason)
  require "troupe.log.core".say("error", ("%s failed: %s"):format(tostring(ref), tostring(reason)))
end

core.set_up(run.drain, {
  ended = bonds.ended, crashed = crashed, undelivered = bonds.undelivered, leave = bonds.leave,
  tick = function(...) return timer.tick(...) end, answered = function(...) return future.answered(...) end,
  call_outside = function(...) return future.call_outside(...) end,
  control = function(...) return control.control(...) end,
})

--- The actor whose handler runs.
-- @return its reference; nil outside of actors
M.current = core.current

require "troupe.registry.core".settle(core.own_address())

-- The vm of a program that is not troupe's tells nobody that it ends, but this. What is made later is finalised
-- earlier: of the library, all that this needs is there still.
if core.is_programs() then
  M.closer = setmetatable({}, { __gc = function() shutdown.close(core.is_alone()) end })
end

M.monitor, M.demonitor, M.link, M.unlink = bonds.monitor, bonds.demonitor, bonds.link, bonds.unlink

-- Where the rest is found. `shutdown` ends the program's actors: what troupe.shutdown does before it ends pools.
local elsewhere = {
  register = registry, unregister = registry, whereis = registry, registered = registry,
  subscribe = topic, unsubscribe = topic, publish = topic, dead_letters = topic, shutdown = shutdown,
}

return setmetatable(M, { __index = function(_, name) return elsewhere[name] and elsewhere[name][name] end })
