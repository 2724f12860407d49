-- actor_ref.lua - the methods of references beside messages: to ask, to end, to look at. Loaded when one of them is
-- first called, they are put beside the others (actor_life.lua).

local core = require "troupe.actor.core"
local task_core = require "troupe.task.core"
local bonds = require "troupe.actor_bonds"
local later = require "troupe.later"

local control = later "troupe.actor_control"
local future = later "troupe.actor_future"
local links = later "troupe.actor_links"
local options = later "troupe.options"
local registry = later "troupe.registry"
local script = later "troupe.actor_script"
local thread = later "troupe.actor_thread"

local collectgarbage, error, math, setmetatable, tostring, type =
  collectgarbage, error, math, setmetatable, tostring, type

local M = {}

local Ref = core.metatable

--- As text: with its name, if it has one.
function M.text(ref)
  local name = registry.name(ref)
  return ("troupe.actor: %s%x"):format(name and name .. " " or "", core.address(ref))
end

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
    control.stop_in_turn(self, reason)
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

-- How an actor of this vm was spawned.
local function isolation_of(ref) return bonds.hosted[ref] or core.is_placed(ref) and "light" or "local" end

-- Bytes that Lua has in the vm of an actor of this one; nil where that is not the actor's own.
local function memory(ref)
  if not bonds.hosted[ref] then return nil end
  return math.tointeger(collectgarbage "count" * 1024)
end

-- Messages that lie in a queue; orders of our own do not count.
local function count(queue, head, tail)
  local number = 0
  while queue and head <= tail do
    local kind = queue[head]
    if type(kind) == "string" then
      head, number = head + 1, number + 1
    elseif type(kind) ~= "number" then
      head = head + 1
    elseif kind == 0 then
      head = head + 4
    else
      head, number = head + 2 + (kind > 0 and kind or -kind), number + 1
    end
  end
  return number
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
  local linked, monitors = links.counts(self)
  local message = at > 0 and queue and queue[at]
  if math.type(message) == "integer" then message = queue[at + 1] end
  return {
    name = registry.name(self), behaviour = handlers[true].name, isolation = isolation_of(self), state = state,
    mailbox = count(queue, head, tail), handler = type(message) == "string" and message or nil,
    since = at > 0 and since or nil, uptime = uptime, memory = memory(self),
    restarts = links.supervised[self] or 0, links = linked, monitors = monitors,
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
  local class, why = script.load(was.name)
  if not class then return nil, why end
  if was.maker or class.run then return nil, was.name .. " returns a function, which runs already", true end
  core.order(self, swap, class, nil)
  return true
end

--- Hook: says once that an actor failed.
function M.crashed(ref, reason)
  require "troupe.log.core".say("error", ("%s failed: %s"):format(tostring(ref), tostring(reason)))
end

return M
