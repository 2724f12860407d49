-- later.lua - modules that are loaded when something of them is first used: most vms never need most of them.
--
-- For modules whose fields, once loaded, stay as they are.

local require, setmetatable = require, setmetatable

local names = {} -- table that stands for a module -> the module's name

local function load(self, key)
  local value = require(names[self])[key]
  self[key] = value
  return value
end

local meta = { __index = load }

--- A table to use in place of a module.
-- @param name string: as for require
-- @return table: its fields are the module's
return function(name)
  local stand_in = setmetatable({}, meta)
  names[stand_in] = name
  return stand_in
end
