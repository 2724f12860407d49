-- actor_behaviour.lua - behaviours: what a spawn names is made into what the running of messages needs. Scripts are
-- loaded by actor_script.lua.
--
-- A class is made of a behaviour once, when it is first spawned:
--   handlers   name -> function, for messages; handlers[true] is the class itself
--   meta       the metatable of every self
--   init, terminate, otherwise, code_change    the behaviour's, or nil
--   run        for a behaviour that is a function
--   concurrent, trap_exit, name, path

local script = require "troupe.later" "troupe.actor_script"

local error, getmetatable, next, pairs, rawget, setmetatable, tostring, type =
  error, getmetatable, next, pairs, rawget, setmetatable, tostring, type

local M = {}

-- What self has in every actor, filled by actor_life.lua. It goes before what the behaviour calls by the same name.
M.base = {}

-- The search path that finds the library; false: package.path.
M.library_path = false

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

--- The class of whatever a spawn or become names.
-- @return the class; nil, error when a script does not load. Raises for other types
function M.find(behaviour, what)
  local kind = type(behaviour)
  if kind == "string" then return script.load(behaviour) end
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
