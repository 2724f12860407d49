-- worker.lua - the worker's side of `troupe map`: loads the function, calls it, makes lines of what it returns.
--
-- Lives in each worker's vm. What goes wrong while the function is loaded is said in a line or two, for it is what
-- people meet first: a missing file, a module that is not found, a file that returns something else.

local error, getmetatable, io, load, loadfile, package, pcall, require, select, table, tostring, type =
  error, getmetatable, io, load, loadfile, package, pcall, require, select, table, tostring, type

require "troupe" -- knows troupe.core
local core = require "troupe.core"
local json = require "troupe.cli.json"

local M = {}

local NAME_MOST = 200

-- A block that takes longer than so many seconds is given back for what is left of it: its items turned out slower than
-- those it was measured by, and other workers may be idle.
local BLOCK_SECONDS = 0.05

local fn, limited_calls, fault, tell, every, delimiter, most_seconds

-- The C library's own os.execute makes the whole program deaf to Ctrl-C while a child runs. Here a child's input is
-- empty besides, so that it does not take the items.
local function execute(command)
  if command == nil then return true end
  local child, message, code = io.popen(command, "w")
  if not child then return nil, message, code end
  return child:close()
end

-- ---- loading

local function is_callable(value)
  if type(value) == "function" then return true end
  local meta = getmetatable(value)
  return type(meta) == "table" and type(meta.__call) == "function"
end

local function check_callable(value, what)
  if not is_callable(value) then error(("%s is a %s, not a function"):format(what, type(value)), 0) end
  return value
end

local function load_code(text)
  local chunk, message = load(text, "=(command line)", "t")
  if not chunk then error(message, 0) end
  return chunk
end

-- Runs a chunk or require, keeping to the place of an error in one line.
local function in_one_line(what, call, ...)
  local ok, value = pcall(call, ...)
  if not ok then error(("%s: %s"):format(what, (tostring(value):gsub("\n.*", ""))), 0) end
  return value
end

local function load_file(path)
  local chunk, message = loadfile(path)
  if not chunk then error(message, 0) end
  return check_callable(in_one_line("while loading " .. path, chunk, path), "what " .. path .. " returns")
end

local function load_module(text)
  local name, field = text:match "^([^:]+):(.+)$"
  if not package.loaded[name] and not package.preload[name] and not package.searchpath(name, package.path)
    and not package.searchpath(name, package.cpath) then
    error(("module '%s' is not found\npackage.path of the worker: %s"):format(name, package.path), 0)
  end
  local module = in_one_line("while loading module " .. name, require, name)
  if type(module) ~= "table" then error(("module '%s' is a %s, not a table"):format(name, type(module)), 0) end
  return check_callable(module[field], ("'%s' of module '%s'"):format(field, name))
end

local loaders = { code = load_code, file = load_file, module = load_module }

--- What the WORKER word of the command line means: { kind = "file" or "module", text = word }.
function M.describe(word)
  local file = io.open(word)
  if file then
    file:close()
  elseif word:find "^[%w_%.%-/]+:[%w_%.]+$" then
    return { kind = "module", text = word }
  end
  return { kind = "file", text = word }
end

-- ---- telling

-- Text from outside as it may stand in a message: one line, not too long.
local function name_of(item)
  local name = item:gsub("%c", function(char) return ("\\x%02X"):format(char:byte()) end)
  if #name > NAME_MOST then name = name:sub(1, NAME_MOST) .. "..." end
  return name
end

local function text_of_error(err)
  local meta = getmetatable(err)
  if type(err) ~= "string" and not (type(meta) == "table" and meta.__tostring) and type(err) ~= "number" then
    return ("(error object is a %s value)"):format(type(err))
  end
  return tostring(err)
end

--- The message about a failed item.
function M.complaint(item, err, traceback)
  local text = ("troupe map: item '%s': %s"):format(name_of(item), text_of_error(err))
  return traceback ~= "" and text .. "\n" .. traceback or text
end

local function class_name(value)
  local meta = getmetatable(value)
  local name = type(meta) == "table" and meta.__name
  return type(name) == "string" and ("%s (%s)"):format(type(value), name) or type(value)
end

--- A result as text.
function M.text(value, place)
  local kind = type(value)
  if kind == "nil" then return "" end
  if kind == "table" then
    local meta = getmetatable(value)
    if type(meta) == "table" and meta.__tostring then return tostring(value) end
    return json.encode(value, place)
  end
  if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
    error(("%s is a %s, which has no text"):format(place, class_name(value)), 0)
  end
  return tostring(value)
end

local function tell_text(ok, item, _, ...)
  if not ok then return nil, M.complaint(item, ...) end
  local words = table.pack(...)
  for i = 1, words.n do words[i] = M.text(words[i], "result " .. i) end
  return table.concat(words, "\t")
end

local function result_json(...)
  local n = select("#", ...)
  if n <= 1 then return json.encode((...), "the result") end
  local parts = table.pack(...)
  for i = 1, n do parts[i] = json.encode(parts[i], "result " .. i) end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function tell_json(ok, item, seconds, ...)
  local line = '{"item":' .. json.string(item) .. ',"ok":' .. tostring(ok) .. ',"result":'
  local rest = (',"seconds":%.6f}'):format(seconds)
  if ok then return line .. result_json(...) .. rest end
  return line .. 'null,"error":' .. json.string(text_of_error((...))) .. rest, M.complaint(item, ...)
end

-- ---- calling

-- Each call of its own is broken into when it takes too long.
local function limited(call, seconds)
  return function(item) return core.within(seconds, call, item) end
end

-- Fails only when the last of its calls does, and with that one's traceback.
local function retrying(call, retries)
  local function judge(left, item, ok, ...)
    if ok then return ... end
    if left == 0 then return call(item) end
    return judge(left - 1, item, pcall(call, item))
  end
  return function(item) return judge(retries - 1, item, pcall(call, item)) end
end

--- Initialises the worker's vm. What is wrong with the function is kept until somebody asks for it.
-- @param _    the worker's number
-- @param plan table: kind, text (what to load), delimiter, json, retries, timeout, chunk
function M.open(_, plan)
  package.loaded.os.execute = execute
  local ok, loaded = pcall(loaders[plan.kind], plan.text)
  if ok then fn = loaded else fault = loaded end
  if ok and plan.timeout then fn, limited_calls = limited(fn, plan.timeout), true end
  if ok and plan.retries and plan.retries > 0 then fn = retrying(fn, plan.retries) end
  tell, every, delimiter = plan.json and tell_json or tell_text, plan.json, plan.delimiter
  most_seconds = not plan.chunk and BLOCK_SECONDS or nil
end

--- What is wrong with the function; nil: nothing.
function M.fault() return fault end

--- Calls the function for each item of a block.
-- @return lines, how many calls were made, how many of them failed, complaints or nil, where the rest begins or nil
function M.run(block)
  if fault then error(fault, 0) end
  return core.run_items(fn, block, delimiter, tell, every, most_seconds)
end

--- What a call says that was not made because the program stops.
M.stopped = "troupe map: stopped"

local function pass(...) return ... end

-- As `call`, with the traceback of an error behind its text, for it has been cut off from where it came from.
local function call_limited(item)
  local results = table.pack(pcall(fn, item))
  if results[1] then return table.unpack(results, 2, results.n) end
  local err = results[2]
  if type(err) == "table" and core.is_limited(err) then err = text_of_error(err[1]) .. "\n" .. err[2] end
  error(err, 0)
end

--- Calls the function for one item, its results to be had as they are.
function M.call(item)
  if core.is_stopped() or fault then error(fault or M.stopped, 0) end
  if limited_calls then return call_limited(item) end
  return pass(fn(item)) -- no tail call: tracebacks are cut at this frame
end

--- A traceback without the frames of `call` and below; nothing when the error brings its own.
function M.trim(traceback, err)
  if type(err) == "string" and err:find("\nstack traceback:\n", 1, true) then return "" end
  return (traceback:gsub("\n[^\n]*troupe/cli/worker%.lua.*$", ""))
end

return M
