-- actor_globals.lua - behaviours that come into a shared vm: copies, with globals of their own.
--
-- What a light actor reads as a global falls through to its vm's, what it writes is its own. Functions hold their
-- globals as an upvalue, so each actor has its own functions, unless they hold nothing else: then one class serves all
-- actors whose behaviour came as the same bytes, and its globals are looked up by whose handler runs, from the first
-- write on.

local core = require "troupe.actor.core"
local behaviours = require "troupe.actor_behaviour"
local troupe = require "troupe"
local decode, encode = troupe.decode, troupe.encode

local debug, getmetatable, next, rawequal, rawset, setmetatable, type =
  debug, getmetatable, next, rawequal, rawset, setmetatable, type
local _G = _G

local M = {}

-- Calls visit(function, number of the upvalue, value) for all upvalues that can be reached.
local function each_upvalue(value, visit, seen)
  local kind = type(value)
  if kind ~= "table" and kind ~= "function" or seen[value] or rawequal(value, _G) then return end
  seen[value] = true
  if kind == "table" then
    for key, item in next, value do
      each_upvalue(key, visit, seen)
      each_upvalue(item, visit, seen)
    end
    return each_upvalue(getmetatable(value), visit, seen)
  end
  for i = 1, 255 do
    local name, held = debug.getupvalue(value, i)
    if not name then return end
    visit(value, i, held)
    each_upvalue(held, visit, seen)
  end
end

local function holds_only_globals(fn)
  for i = 1, 255 do
    local name, held = debug.getupvalue(fn, i)
    if not name then return true end
    if not rawequal(held, _G) then return false end
  end
  return true
end

-- True when nothing in it could be changed by one actor and seen by another.
local function can_be_shared(behaviour)
  if type(behaviour) == "function" then return holds_only_globals(behaviour) end
  if getmetatable(behaviour) ~= nil then return false end
  for _, value in next, behaviour do
    local kind = type(value)
    if kind == "table" or kind == "userdata" then return false end
    if kind == "function" and not holds_only_globals(value) then return false end
  end
  return true
end

local function own_globals()
  local globals = setmetatable({}, { __index = _G })
  rawset(globals, "_G", globals)
  return globals
end

-- One table for many actors; empty, so that each write is seen.
local function shared_globals()
  local written = setmetatable({}, { __mode = "k" }) -- actor, or false: a dead one's task -> what it has written
  local meta = { __index = _G }
  local globals = setmetatable({}, meta)
  rawset(globals, "_G", globals)
  local function read(_, key)
    local own = written[core.owner() or false]
    local value = own and own[key]
    if value == nil then return _G[key] end
    return value
  end
  function meta.__newindex(_, key, value)
    local who = core.owner() or false
    written[who] = written[who] or {}
    written[who][key] = value
    meta.__index = read
  end
  return globals
end

local function settle(behaviour, globals)
  each_upvalue(behaviour, function(fn, i, held)
    if rawequal(held, _G) then debug.setupvalue(fn, i, globals) end
  end, {})
end

-- ---- where it is spawned

local encoded = setmetatable({}, { __mode = "k" }) -- behaviour that can be shared -> its fields then, and as bytes

local function is_same(behaviour, fields)
  if type(behaviour) == "function" then return true end
  for key, value in next, behaviour do
    if fields[key] ~= value then return false end
  end
  for key in next, fields do
    if behaviour[key] == nil then return false end
  end
  return true
end

--- A behaviour, a table or function, as bytes. Raises when it cannot cross.
function M.bytes_of(behaviour)
  local shared = can_be_shared(behaviour)
  local kept = shared and encoded[behaviour]
  if kept and is_same(behaviour, kept.fields) then return kept.bytes end
  local bytes = encode(behaviour)
  if not shared then return bytes end
  local fields = {}
  if type(behaviour) == "table" then
    for key, value in next, behaviour do fields[key] = value end
  end
  encoded[behaviour] = { fields = fields, bytes = bytes }
  return bytes
end

-- ---- where it shall live

local known = setmetatable({}, { __mode = "v" }) -- bytes -> class

--- The class of a behaviour, a table or function, that came as these bytes.
function M.class_of(bytes)
  local class = known[bytes]
  if class then return class end
  local behaviour = decode(bytes)
  local shared = can_be_shared(behaviour)
  settle(behaviour, shared and shared_globals() or own_globals())
  class = behaviours.of(behaviour)
  if shared then known[bytes] = class end
  return class
end

return M
