-- actor_script.lua - behaviours that are scripts: found, and loaded with globals of their own.

local behaviours = require "troupe.actor_behaviour"

local loadfile, package, setmetatable, string, tostring, type, xpcall =
  loadfile, package, setmetatable, string, tostring, type, xpcall
local io, traceback, _G = io, debug.traceback, _G

local M = {}

-- Where the scripts lie that come with the library: beside its modules, in the tree and where it is installed.
local function crew_path(name)
  local here = name:find "^actors/" and package.searchpath("troupe.actor", behaviours.library_path or package.path)
  if not here then return nil end
  local tree = here:match "^(.*)lua/troupe/actor%.lua$"
  local installed = here:match "^(.*)lua/5%.4/troupe/actor%.lua$"
  return tree and tree .. name or installed and installed .. "troupe/" .. name
end

local function opens(path)
  local file = path and io.open(path)
  if file then file:close() end
  return file and path
end

--- Where a script lies.
-- @param name string: as for load
-- @return its path; nil, error
function M.path(name)
  if not (name:find("/", 1, true) or name:find "%.lua$") then return package.searchpath(name, package.path) end
  local path = opens(name) or opens(crew_path(name))
  if path then return path end
  return nil, "cannot open " .. name
end
local file_of = M.path

--- Where the script is that a spawn names.
-- @return its path; nil, error
function M.find_file(name)
  local path, why = file_of(name)
  if path then return path end
  return nil, "no such behaviour: " .. (why:gsub("^%s+", ""))
end

--- Loads a script, with globals of its own: what it sets, also by _G, nobody else sees; what it does not set is the
-- vm's.
-- @param name string: a path, with a slash or ending in .lua; else a module's name
-- @param path string: where that is, if it has been found; nil: it is looked for
-- @return a class; nil, error with its traceback
function M.load(name, path)
  local why
  if not path then path, why = M.find_file(name) end
  if not path then return nil, why end
  local globals = setmetatable({}, { __index = _G })
  globals._G = globals
  local chunk
  chunk, why = loadfile(path, "bt", globals)
  if not chunk then return nil, why end
  local ok, behaviour = xpcall(chunk, function(e) return traceback(tostring(e), 2) end, name, path)
  if not ok then return nil, behaviour end
  if type(behaviour) ~= "table" and type(behaviour) ~= "function" then
    return nil, string.format("%s: a behaviour must return a table or a function, it returned a %s", path,
      type(behaviour))
  end
  return behaviours.of(behaviour, name, path)
end

return M
