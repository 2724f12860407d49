-- actor_bundle.lua - the modules that every actor's vm needs, compiled once: reading their text would take longer than
-- all else that a spawn does.
--
-- A module that is missing here is found as any other is.

local M = {}

local names = {
  "troupe.actor", "troupe.actor_behaviour", "troupe.actor_bonds", "troupe.actor_control", "troupe.actor_future",
  "troupe.actor_host", "troupe.actor_receive", "troupe.actor_run", "troupe.actor_shutdown", "troupe.actor_thread",
  "troupe.actor_timer", "troupe.options", "troupe.registry", "troupe.timer_heap", "troupe.topic", "troupe.waiting",
}

local bundle

--- The modules as a table: name -> bytecode.
function M.get()
  if bundle then return bundle end
  bundle = {}
  for _, name in pairs(names) do
    local path = package.searchpath(name, package.path)
    local chunk = path and loadfile(path, "t")
    if chunk then bundle[name] = string.dump(chunk, true) end
  end
  return bundle
end

--- What the vm's job does first: makes the modules known, and calls the host (actor_host.lua) with the other arguments.
-- It crosses, so it has no upvalues.
function M.run(code, ...)
  require "troupe"
  for name, bytes in pairs(code) do package.preload[name] = load(bytes, "=" .. name, "b") end
  local host = require "troupe.actor_host"
  for name in pairs(code) do package.preload[name] = nil end
  return host.run(...)
end

return M
