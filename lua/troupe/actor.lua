-- actor.lua - what programs call: spawn, and where the rest is found. Actors themselves are in actor_life.lua.

require "troupe"
local core = require "troupe.actor.core"
local behaviours = require "troupe.actor_behaviour"
local later = require "troupe.later"
local life = require "troupe.actor_life"

local light = later "troupe.actor_light"
local links = later "troupe.actor_links"
local options = later "troupe.options"
local registry = later "troupe.registry"
local shutdown = later "troupe.actor_shutdown"
local thread = later "troupe.actor_thread"
local topic = later "troupe.topic"

local error, ipairs, pairs, setmetatable, type = error, ipairs, pairs, setmetatable, type

local M = {}

M.from_address = life.from_address

local spawn_options = {
  isolation = "string", name = "string", link = "boolean", monitor = "boolean", mailbox_limit = "count",
  init_timeout = "seconds", memory_limit = "bytes", libs = "table", path = "string", cpath = "string",
  preload = "table", cwd = "string", env = "table", nice = "integer", uid = "index", gid = "index",
}

local plain = {}
-- Options that were checked: the table -> a copy of what it had then.
local checked = setmetatable({}, { __mode = "k" })

local only_apart = { "memory_limit", "libs", "path", "cpath", "preload" }
local only_process = { "cwd", "env", "nice", "uid", "gid" }

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
  for _, key in ipairs(isolation ~= "process" and only_process or {}) do
    if plan[key] ~= nil then error("spawn: option '" .. key .. "' needs isolation = \"process\"", 4) end
  end
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
--   init_timeout (seconds); for "thread" and "process" also, as for pools, memory_limit, libs, path, cpath, preload;
--   for "process" also, as for pools, cwd, env, nice, uid, gid
-- @param ... arguments for init(self, ...)
-- @return its reference, once init has returned; nil, error with its traceback, "name taken" or "timeout"
-- @usage local counter = troupe.spawn({ "counter.lua", isolation = "light" }, 10)
function M.spawn(what, ...)
  local ref, init, self = core.make(what, ...)
  if init then return life.begin_here(ref, init, self, ...) end
  if ref then return ref end
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
  if type(behaviour) == "table" then
    core.plan(behaviour, class.meta, class.handlers, class.terminate ~= nil, class.concurrent, class.init)
  end
  return life.spawn_here(class, opts, core.copy(...))
end

--- The actor whose handler runs.
-- @return its reference; nil outside of actors
M.current = core.current

-- Where the rest is found. `shutdown` ends the program's actors: what troupe.shutdown does before it ends pools.
local elsewhere = {
  register = registry, unregister = registry, whereis = registry, registered = registry,
  subscribe = topic, unsubscribe = topic, publish = topic, dead_letters = topic, shutdown = shutdown,
  monitor = links, demonitor = links, link = links, unlink = links,
}

return setmetatable(M, { __index = function(_, name) return elsewhere[name] and elsewhere[name][name] end })
