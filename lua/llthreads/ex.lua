--- Threads from source, bytecode, functions or files, with a prelude and LUA_INIT.
--
-- A drop-in for lua-llthreads2's module of this name; `llthreads2.ex` is the same.
--
--     local threads = require "llthreads.ex"
--     local ok, sum = threads.new(function(a, b) return a + b end, 1, 2):start():join()
--
-- What the child runs first is `bootstrap`. Its own three arguments come behind the user's, so that a message about
-- an argument that cannot cross counts it as the user does.
--
-- @module llthreads.ex

-- Before all locals: it has no upvalue but the child's globals.
local bootstrap = string.dump(function(...)
  local count = select("#", ...) - 3
  local init, prelude, code = select(count + 1, ...)

  -- Source, bytecode, "@file" or a function, as a function and its name.
  local function resolve(chunk)
    if type(chunk) == "function" then return chunk, "=(loadstring)" end
    local file = chunk:match("^@(.*)")
    if file then return assert(loadfile(file)), file end
    return assert(load(chunk)), "=(loadstring)"
  end

  local function is_given(chunk)
    return chunk and chunk ~= ""
  end

  if is_given(init) then resolve(init)() end
  local args = { n = count, table.unpack({ ... }, 1, count) }
  if is_given(prelude) then args = table.pack(resolve(prelude)(table.unpack(args, 1, count))) end
  local main
  main, args[0] = resolve(code)
  _G.arg = args
  return main(table.unpack(args, 1, args.n))
end)

local debug, string, table = debug, string, table
local error, getenv, getmetatable, select, setmetatable, tostring, type =
  error, os.getenv, getmetatable, select, setmetatable, tostring, type
local llthreads = require "llthreads"

local M = {}

--- A thread, as `new` returns it. Its methods are those of `llthreads` threads.
-- @type thread
local thread = { __name = "llthreads.ex thread" }
thread.__index = thread

--- Starts it.
-- @tparam[opt=false] boolean detached
-- @tparam[opt=not detached] boolean joinable
-- @return itself; or nil and a message
function thread:start(...)
  local ok, message = self.thread:start(...)
  if not ok then return nil, message end
  return self
end

--- Awaits its end.
-- @tparam[opt] number timeout milliseconds; negative: for ever
-- @return true and what it returned; false and its error; nil and "timeout" or a message
function thread:join(...)
  return self.thread:join(...)
end

--- Whether it runs: true or false; nil and a message when that cannot be asked.
function thread:alive()
  return self.thread:alive()
end

--- Whether it was started.
function thread:started()
  return self.thread:started()
end

--- Whether it was started detached.
function thread:detached()
  return self.thread:detached()
end

--- Whether it was started joinable.
function thread:joinable()
  return self.thread:joinable()
end

--- Makes its code raise `llthreads.interrupted_error`: nil once, true until unset, false unset.
function thread:interrupt(...)
  return self.thread:interrupt(...)
end

--- Waits for an attached thread.
function thread:__close()
  getmetatable(self.thread).__close(self.thread)
end

function thread:__tostring()
  return tostring(self.thread)
end

local function default_init()
  return getenv("LUA_INIT_5_4") or getenv("LUA_INIT")
end

local function check(value, what, ...)
  for i = 1, select("#", ...) do
    if type(value) == select(i, ...) then return value end
  end
  error(string.format("bad argument #1 to 'new' (%s: %s expected, got %s)", what,
    table.concat({ ... }, " or "), type(value)), 3)
end

-- What the OS calls the thread: the file or function, else the first words of the source.
local function name_of(source)
  if type(source) == "function" then
    local where = debug.getinfo(source, "S")
    return where.short_src:match("[^/]*$") .. ":" .. where.linedefined
  end
  return source:match("^@.-([^/]*)$") or source:match("^\27") and "bytecode" or source:match("%S[^\r\n]*") or ""
end

--- A new thread, not started.
-- @tparam string|function|table code source, bytecode, "@file" or a function, whose upvalues cross by value; or
--   `{ code, prelude = , lua_init = }`: the prelude gets the arguments and returns those that `code` gets; lua_init
--   runs first and is what LUA_INIT_5_4, else LUA_INIT, says, unless given (false: nothing)
-- @param ... its arguments
-- @treturn thread the thread; raises what the arguments' copy raises
-- @usage threads.new({ "@work.lua", prelude = function(n) return tonumber(n) end }, "12"):start()
function M.new(code, ...)
  local init, prelude = default_init(), nil
  local source = check(code, "code", "string", "function", "table")
  if type(code) == "table" then
    source = check(code.source or code[1], "source", "string", "function")
    prelude = check(code.prelude, "prelude", "nil", "string", "function")
    if code.lua_init ~= nil then init = check(code.lua_init, "lua_init", "boolean", "string", "function") end
  end
  local args = table.pack(...)
  args[args.n + 1], args[args.n + 2], args[args.n + 3] = init, prelude, source
  local handle = llthreads.new(bootstrap, table.unpack(args, 1, args.n + 3))
  return setmetatable({ thread = handle:name(name_of(source)) }, thread)
end

return M
