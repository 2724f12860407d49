-- later.lua - modules that are loaded when something of them is first used: most vms never need most of them.
--
-- For modules whose fields, once loaded, stay as they are.

local require, setmetatable = require, setmetatable

--- A table to use in place of a module.
-- @param name string: as for require
-- @return table: its fields are the module's
return function(name)
  return setmetatable({}, {
    __index = function(self, key)
      local value = require(name)[key]
      self[key] = value
      return value
    end,
  })
end
