-- actor_behaviour.lua - behaviours: what a spawn names is loaded, and made into what the running of messages needs.
--
-- A class is made of a behaviour once, when it is first spawned:
--   handlers   name -> function, for messages; handlers[true] is the class itself
--   meta       the metatable of every self
--   init, terminate, otherwise, code_change    the behaviour's, or nil
--   run        for a behaviour that is a function
--   concurrent, trap_exit, name, path

local error, getmetatable, loadfile, next, package, pairs, rawget, setmetatable, string, tostring, type, xpcall =
  error, getmetatable, loadfile, next, package, pairs, rawget, setmetatable, string, tostring, type, xpcall
local io, traceback, _G = io, debug.traceback, _G

local M = {}

-- What self has in every actor, filled by actor.lua. It goes before what the behaviour calls by the same name.
M.base = {}

-- The search path that finds the library; nil: package.path.
M.library_path = nil

-- Not for messages.
local special = { init = true, terminate = true, otherwise = true, code_change = true }

local known = setmetatable({}, { __mode = "k" })

-- Everything a behaviour has, inherited fields first.
local function fields_of(behaviour, into)
  local meta = getmetatable(behaviour)
  local parent = type(meta) == "table" and rawget(meta, "__index")
  if type(parent) == "table" and parent ~= behaviour then fields_of(parent, into) end
  for key, value in next, behaviour do into[key] = value end
  return into
end

local function make(behaviour, name, path)
  local class = { name = name, path = path, handlers = {} }
  local index = fields_of(behaviour, {})
  for key, value in pairs(index) do
    if special[key] then
      class[key] = value
    elseif type(key) == "string" and type(value) == "function" then
      class.handlers[key] = value
    end
  end
  class.concurrent, class.trap_exit = index.concurrent, index.trap_exit
  for key, value in pairs(M.base) do index[key] = value end
  class.handlers[true] = class
  class.meta = { __index = index, __name = name }
  return class
end

--- The class of a table or function, made when it is first asked for.
function M.of(behaviour, name, path)
  local class = known[behaviour]
  if not class then
    class = make(type(behaviour) == "table" and behaviour or {}, name or tostring(behaviour), path)
    if type(behaviour) == "function" then class.run = behaviour end
    known[behaviour] = class
  end
  return class
end

-- Where the scripts lie that come with the library: beside its modules, in the tree and where it is installed.
local function crew_path(name)
  local here = name:find "^actors/" and package.searchpath("troupe.actor", M.library_path or package.path)
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
  return M.of(behaviour, name, path)
end

--- The class of whatever a spawn or become names.
-- @return the class; nil, error when a script does not load. Raises for other types
function M.find(behaviour, what)
  local kind = type(behaviour)
  if kind == "string" then return M.load(behaviour) end
  M.check(behaviour, what)
  return M.of(behaviour)
end

--- Raises for what is no behaviour.
function M.check(behaviour, what)
  local kind = type(behaviour)
  if kind ~= "string" and kind ~= "table" and kind ~= "function" then
    error(("%s: behaviour: path, module, table or function expected, got %s"):format(what, kind), 3)
  end
end

return M
