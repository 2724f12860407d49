-- arguments.lua - options of a command, up to the first word that is none.

local math, table, tonumber = math, table, tonumber

local M = {}

local function integer(text)
  return math.tointeger(tonumber(text))
end

local units = { [""] = 1, K = 1 << 10, M = 1 << 20, G = 1 << 30 }

-- What the text of an option's value means; nil, what was expected.
local kinds = {
  text = function(text) return text end,
  integer = function(text) return integer(text), "an integer" end,
  count = function(text)
    local n = integer(text)
    return n and n >= 1 and n or nil, "an integer of at least 1"
  end,
  natural = function(text)
    local n = integer(text)
    return n and n >= 0 and n or nil, "an integer of at least 0"
  end,
  bytes = function(text)
    local number, unit = text:match "^(%d+)([KMG]?)$"
    local n = number and integer(number)
    return n and n >= 1 and n * units[unit] or nil, "a number of bytes, as 500000, 500K or 10M"
  end,
  list = function(text) return text end,
  seconds = function(text)
    local n = tonumber(text)
    return n and n > 0 and n or nil, "a number of seconds above 0"
  end,
}

-- A word that begins with a dash, split: the option's name, the value that is part of the word or nil, the letters
-- that follow a flag of one letter.
local function split(word, known)
  if word:sub(1, 2) == "--" then
    local name, value = word:match "^(%-%-[^=]+)=(.*)$"
    return name or word, value
  end
  local name, rest = word:sub(1, 2), word:sub(3)
  if rest == "" then return name end
  local option = known[name]
  if option and option.kind ~= "flag" then return name, rest end
  return name, nil, rest
end

local function value_of(name, option, text)
  if not text then return nil, ("option '%s' needs a value"):format(name) end
  local value, expected = kinds[option.kind](text)
  if value == nil then return nil, ("option '%s': %s expected, got '%s'"):format(name, expected, text) end
  return value
end

--- Reads options.
-- @param known table: "-x" or "--name" -> { key =, kind = "flag", "text", "integer", "count", "natural", "bytes",
--                "seconds" or "list" (may come more than once) }
-- @param args  sequence of words
-- @return table key -> value, index of the first word that is no option; or nil, message
function M.parse(known, args)
  local options, i = {}, 1
  while args[i] and args[i]:find "^%-." do
    local word = args[i]
    if word == "--" then return options, i + 1 end
    local name, text, letters = split(word, known)
    local option = known[name]
    if not option then return nil, ("unknown option '%s'"):format(name) end
    if option.kind == "flag" then
      if text then return nil, ("option '%s' takes no value"):format(name) end
      options[option.key] = true
    else
      if not text then
        i = i + 1
        text = args[i]
      end
      local value, message = value_of(name, option, text)
      if value == nil then return nil, message end
      if option.kind == "list" then
        options[option.key] = options[option.key] or {}
        table.insert(options[option.key], value)
      else
        options[option.key] = value
      end
    end
    if letters then args[i] = "-" .. letters else i = i + 1 end
  end
  return options, i
end

return M
