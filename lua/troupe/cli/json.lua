-- json.lua - values as JSON, on one line.
--
-- Bytes that are no UTF-8 become the lone surrogates \udc80 to \udcff, as Python's surrogateescape has them, so that
-- any string can be had back. NaN and the infinities, which JSON lacks, become null. Keys are sorted.

local error, math, next, table, tonumber, tostring, type, utf8 =
  error, math, next, table, tonumber, tostring, type, utf8

local M = {}

local short = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(char)
  return short[char] or ("\\u%04x"):format(char:byte())
end

local function escape_stray(byte)
  return ("\\udc%02x"):format(byte:byte())
end

local function quoted(text)
  return (text:gsub('[%c"\\\127]', escape))
end

--- A string, quoted.
function M.string(text)
  if utf8.len(text) then return '"' .. quoted(text) .. '"' end
  local parts, at = {}, 1
  while at <= #text do
    local length, stray = utf8.len(text, at)
    local last = length and #text or stray - 1
    parts[#parts + 1] = quoted(text:sub(at, last))
    if not length then
      parts[#parts + 1] = escape_stray(text:sub(stray, stray))
      last = stray
    end
    at = last + 1
  end
  return '"' .. table.concat(parts) .. '"'
end

local function number(value)
  if math.type(value) == "integer" then return ("%d"):format(value) end
  if value ~= value or value == math.huge or value == -math.huge then return "null" end
  for digits = 15, 17 do
    local text = ("%." .. digits .. "g"):format(value)
    if tonumber(text) == value then return text:find "[.e]" and text or text .. ".0" end
  end
  return nil
end

local encode

-- The length of a table that is a sequence and nothing else; nil for others, also for an empty one.
local function length_of(t)
  local n = #t
  if n == 0 then return nil end
  local count = 0
  for _ in next, t do count = count + 1 end
  return count == n and n or nil
end

local function key_of(key, place)
  if type(key) == "string" then return key end
  if math.type(key) == "integer" then return tostring(key) end
  error(("cannot be written as JSON: %s has a key that is a %s"):format(place, type(key)), 0)
end

local function array(t, n, seen, place)
  local parts = {}
  for i = 1, n do parts[i] = encode(t[i], seen, place .. "[" .. i .. "]") end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function object(t, seen, place)
  local parts = {}
  for key, value in next, t do
    local name = key_of(key, place)
    parts[#parts + 1] = M.string(name) .. ":" .. encode(value, seen, place .. "." .. name)
  end
  table.sort(parts)
  return "{" .. table.concat(parts, ",") .. "}"
end

local function container(t, seen, place)
  if seen[t] then error(("cannot be written as JSON: %s contains itself"):format(place), 0) end
  seen[t] = true
  local n = length_of(t)
  local text = n and array(t, n, seen, place) or object(t, seen, place)
  seen[t] = nil
  return text
end

local by_type = {
  ["nil"] = function() return "null" end,
  boolean = tostring,
  number = number,
  string = M.string,
  table = container,
}

function encode(value, seen, place)
  local write = by_type[type(value)]
  if not write then error(("cannot be written as JSON: %s is a %s"):format(place, type(value)), 0) end
  return write(value, seen, place)
end

--- A value as JSON. Raises, with the place called `place` inside, for what JSON has nothing for.
function M.encode(value, place)
  return encode(value, {}, place or "the value")
end

return M
