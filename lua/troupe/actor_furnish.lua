-- actor_furnish.lua - what spawn's options say of an actor's vm: its libraries and its search paths.

local behaviours = require "troupe.actor_behaviour"
local bundle = require "troupe.actor_bundle"

local searchpath = package.searchpath
local _G, assert, loadfile, package, pairs, table = _G, assert, loadfile, package, pairs, table

local M = {}

-- Libraries that the option `libs` left out.
local function take_away(libs)
  local wanted = { _G = true }
  for _, name in pairs(libs) do wanted[name] = true end
  for _, name in pairs { "coroutine", "table", "io", "os", "string", "math", "utf8", "debug", "package" } do
    if not wanted[name] then _G[name], package.loaded[name] = nil, nil end
  end
  if not wanted.package then _G.require = nil end
end

-- The library's own modules are found where the spawning vm finds them, whatever path the actor has.
local function search_own(path)
  return function(name)
    local file = name:find "^troupe%f[.\0]" and searchpath(name, path)
    if not file then return nil end
    return assert(loadfile(file, "t")), file
  end
end

--- Before the behaviour is loaded.
-- @param opts table: libs, path, cpath, memory_limit, as for spawn
function M.furnish(opts)
  if opts.path then
    behaviours.library_path = package.path
    table.insert(package.searchers, search_own(package.path))
    package.path = opts.path
  end
  if opts.cpath then package.cpath = opts.cpath end
  -- What is loaded later would find libraries gone, or no memory left.
  if opts.libs or opts.memory_limit then bundle.load_all() end
  if opts.libs then take_away(opts.libs) end
end

return M
