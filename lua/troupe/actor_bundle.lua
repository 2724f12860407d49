-- actor_bundle.lua - the modules that actors' vms need, compiled once: reading their text would take longer than all
-- else that a spawn does.
--
-- A module that is missing here is found as any other is.

local loadfile, next, package, pairs, require, string = loadfile, next, package, pairs, require, string

local M = {}

local names = {
  "troupe.actor", "troupe.actor_behaviour", "troupe.actor_bonds", "troupe.actor_bundle", "troupe.actor_control",
  "troupe.actor_furnish", "troupe.actor_future", "troupe.actor_globals", "troupe.actor_host", "troupe.actor_life",
  "troupe.actor_light", "troupe.actor_links", "troupe.actor_receive", "troupe.actor_ref",
  "troupe.actor_script", "troupe.actor_self", "troupe.actor_shutdown", "troupe.actor_thread", "troupe.actor_timer",
  "troupe.later", "troupe.options", "troupe.registry", "troupe.timer_heap", "troupe.topic", "troupe.waiting",
}

-- The modules as a table: name -> bytecode.
local function compile()
  local bundle = {}
  for _, name in pairs(names) do
    local path = package.searchpath(name, package.path)
    local chunk = path and loadfile(path, "t")
    if chunk then bundle[name] = string.dump(chunk, true) end
  end
  return bundle
end

local kept

-- The first vm of the process that spawns such an actor keeps them for all.
local function keep()
  local core = require "troupe.core"
  if not next(core.kept_modules()) then core.keep_modules(compile()) end
  kept = core.kept_modules
end

-- The two first functions of a vm's job cross, so they have no upvalues.

local function run_here(_, ...)
  collectgarbage "stop" -- all that is loaded stays; the host goes on
  require "troupe"
  return require "troupe.actor_host".run(...)
end

local function run_there(code, ...)
  require "troupe"
  require "troupe.core".keep_modules(code)
  code = nil -- luacheck: ignore
  return require "troupe.actor_host".run(...)
end

--- What the job of an actor's vm does: calls the host (actor_host.lua) with what it gets behind the first argument.
-- Vms of this process load the modules from where they are kept; another process is sent them.
-- @param process boolean: it is another one
-- @return the job's function, and its first argument
function M.job(process)
  if not kept then keep() end
  if process then return run_there, kept() end
  return run_here, false
end

--- Loads all of them.
function M.load_all()
  for _, name in pairs(names) do require(name) end
end

return M
