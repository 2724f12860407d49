-- options.lua - what a new vm has: the options of pools and of actors that say so, checked.

local debug, error, ipairs, pairs, table, tostring, type = debug, error, ipairs, pairs, table, tostring, type

local M = {}

local known_libs = {
  coroutine = true, table = true, io = true, os = true, string = true, math = true, utf8 = true, debug = true,
  package = true,
}

--- The standard libraries that an option asks for.
-- @param libs  table: a list of names; nil for all
-- @param what  string: whose option it is, for the error
-- @param level integer: who is to blame, as for error
-- @return string: the names, comma-separated; nil for all
function M.libs(libs, what, level)
  if not libs then return nil end
  for i, name in ipairs(libs) do
    if not known_libs[name] then
      error(("%s: libs: name of a standard library expected at [%d], got %s"):format(what, i, tostring(name)),
        level + 1)
    end
  end
  return table.concat(libs, ",")
end

--- The C functions that an option wants preloaded, by name.
function M.preload(preload, what, level)
  for name, fn in pairs(preload or {}) do
    local plain = type(fn) == "function" and debug.getinfo(fn, "S").what == "C" and not debug.getupvalue(fn, 1)
    if type(name) ~= "string" or not plain then
      error(("%s: preload: C function without upvalues expected at [%s], got %s"):format(what, tostring(name),
        type(fn)), level + 1)
    end
  end
  return preload
end

return M
