-- options.lua - tables of options: unknown keys and wrong types are errors that say what is known.

local error, getmetatable, math, next, pairs, table, tostring, type =
  error, getmetatable, math, next, pairs, table, tostring, type

local M = {}

local function known_keys(known)
  local keys = {}
  for key in pairs(known) do keys[#keys + 1] = key end
  table.sort(keys)
  return table.concat(keys, ", ")
end

local function is_actor(v)
  local meta = getmetatable(v)
  return type(v) == "userdata" and type(meta) == "table" and meta.__name == "troupe.actor"
end

local checks = {
  integer = function(v) return math.type(v) == "integer" end,
  count = function(v) return math.type(v) == "integer" and v >= 1 end,
  index = function(v) return math.type(v) == "integer" and v >= 0 end,
  bytes = function(v) return type(v) == "number" and v >= 0 and math.tointeger(v) ~= nil end,
  seconds = function(v) return type(v) == "number" and v >= 0 end,
  callable = function(v) return type(v) == "function" or type(v) == "string" end,
  listener = function(v) return type(v) == "function" or is_actor(v) end,
}

local names = {
  count = "integer of at least 1", index = "integer of at least 0", bytes = "integer of at least 0",
  seconds = "number of at least 0", callable = "function or string", listener = "function or actor reference",
}

--- Checks a table of options.
-- @param options table or nil
-- @param known   table: name -> type name, or one of integer, count, bytes, seconds, callable, listener, any
-- @param what    string: whose options they are, for the error
-- @param level   integer: who is to blame, as for error, counted from the caller
-- @return the options, or an empty table for nil
function M.check(options, known, what, level)
  level = (level or 1) + 1
  if options == nil then return {} end
  if type(options) ~= "table" then
    error(("%s: options: table expected, got %s"):format(what, type(options)), level)
  end
  for key, value in next, options do
    local want = known[key]
    if not want then
      error(("%s: unknown option '%s' (known: %s)"):format(what, tostring(key), known_keys(known)), level)
    end
    local check = checks[want]
    if want ~= "any" and not (check and check(value) or not check and type(value) == want) then
      error(("%s: option '%s': %s expected, got %s"):format(what, key, names[want] or want,
        check and type(value) == "number" and tostring(value) or type(value)), level)
    end
  end
  return options
end

return M
