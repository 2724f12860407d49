-- process.lua - the options of pools, and of actors, about workers that are processes: checked and made ready for C
-- (src/lua_order.c).

local core = require "troupe.core"

local error, io, ipairs, math, pairs, setmetatable, table, tostring, type =
  error, io, ipairs, math, pairs, setmetatable, table, tostring, type

local M = {}

--- What troupe.pool takes beside its other options.
M.known = {
  isolation = "string", nice = "integer", env = "table", cwd = "string", uid = "index",
  gid = "index", stdout = "function", stderr = "function", cpu_limit = "seconds",
}

local only = { "nice", "env", "cwd", "uid", "gid", "stdout", "stderr", "cpu_limit" }

-- What C modules, threads' stacks and the library itself may map beside the values of Lua.
local headroom = 1 << 29

-- The largest number of a user or group: the next one means none.
local LARGEST_ID = (1 << 32) - 2

-- Changes of the environment, as strings: NAME=value sets, NAME unsets.
local function changes(env, what, level)
  local list = {}
  for name, value in pairs(env) do
    if type(name) ~= "string" or name == "" or name:find "[=\0]" then
      error(what .. ": option 'env': names expected as keys", level + 1)
    elseif value == false then
      list[#list + 1] = name
    elseif (type(value) ~= "string" and type(value) ~= "number") or tostring(value):find "\0" then
      error(("%s: option 'env': %s: string, number or false expected"):format(what, name), level + 1)
    else
      list[#list + 1] = name .. "=" .. value
    end
  end
  table.sort(list)
  return list
end

local function check(opts, what, level)
  if opts.nice and math.abs(opts.nice) > 40 then
    error(what .. ": option 'nice': integer from -40 to 40 expected", level + 1)
  end
  if opts.cpu_limit == 0 then error(what .. ": option 'cpu_limit': more than 0 seconds expected", level + 1) end
  if opts.cwd and (opts.cwd == "" or opts.cwd:find "\0") then
    error(what .. ": option 'cwd': path of a directory expected", level + 1)
  end
  for _, name in ipairs { "uid", "gid" } do
    if opts[name] and opts[name] > LARGEST_ID then
      error(("%s: option '%s': integer of at most %d expected"):format(what, name, LARGEST_ID), level + 1)
    end
  end
end

--- Refuses what only processes understand, where there is none.
-- @param opts  table: options, their types checked
-- @param what  string: whose they are, for errors
-- @param level integer: who is to blame, as for error
function M.refuse(opts, what, level)
  for _, name in ipairs(only) do
    if opts[name] ~= nil then error(("%s: option '%s' needs isolation = \"process\""):format(what, name), level + 1) end
  end
end

--- Adds to a pool's order what the options say of processes.
-- @param order table: lua_order.c's
-- @param opts  table: options, their types checked
-- @param what  string: whose they are, for errors
-- @param level integer: who is to blame, as for error
function M.add(order, opts, what, level)
  check(opts, what, level + 1)
  order.process = true
  order.cpu_limit = opts.cpu_limit
  order.nice, order.cwd = opts.nice, opts.cwd
  order.uid, order.gid = opts.uid or -1, opts.gid or -1
  order.env = opts.env and changes(opts.env, what, level + 1)
  order.listens = opts.stdout ~= nil or opts.stderr ~= nil
  local limit = opts.memory_limit or 0
  order.address_space = limit > 0 and limit + headroom or nil
end

--- The same for a pool, whose isolation the options name.
function M.add_to_pool(order, opts, level)
  local isolation = opts.isolation or "thread"
  if isolation ~= "thread" and isolation ~= "process" then
    error(("troupe.pool: option 'isolation': \"thread\" or \"process\" expected, got %q"):format(isolation), level + 1)
  end
  if isolation == "thread" then M.refuse(opts, "troupe.pool", level + 1)
  else M.add(order, opts, "troupe.pool", level + 1) end
end

-- By their numbers, who gets the lines of pools; held by what the pools were made with.
local listeners = setmetatable({}, { __mode = "v" })

local function on_output(id, stream, line)
  local listener = listeners[id]
  local call = listener and listener[stream]
  if call then call(line) else (stream == 1 and io.stdout or io.stderr):write(line, "\n") end
end

--- From now on the pool's lines go where its options say.
-- @return what must live as long as the pool; nil when nobody listens
function M.listen(pool, opts)
  if not opts.stdout and not opts.stderr then return nil end
  local listener = { opts.stdout or false, opts.stderr or false }
  listeners[core.id(pool)] = listener
  core.on_output(on_output)
  return listener
end

return M
