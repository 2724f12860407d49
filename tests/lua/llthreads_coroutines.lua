-- llthreads_coroutines.lua - a vm's own coroutine.resume, wrap, close, os.exit, os.execute, io.popen and warn behave as
-- Lua's: each piece of code runs here, in the plain interpreter, and in a thread, and must say the same.

local t = require "harness"
local llthreads = require "llthreads"

local string, table = string, table
local assert, ipairs, load, select, tostring, type = assert, ipairs, load, select, tostring, type

local pieces = {
  "return coroutine.resume(coroutine.create(function(...) return select('#', ...), ... end), 1, nil, 3)",
  "return coroutine.resume(coroutine.create(function() coroutine.yield(1, nil) end))",
  "local co = coroutine.create(function() error 'oh' end) return coroutine.resume(co)",
  "local co = coroutine.create(function() error({ 1 }) end) return select('#', coroutine.resume(co))",
  "local co = coroutine.create(function() end) coroutine.resume(co) return coroutine.resume(co)",
  "local co = coroutine.create(error) coroutine.resume(co, 'x') return coroutine.resume(co)",
  "return coroutine.resume(coroutine.running())",
  "local co co = coroutine.create(function() return coroutine.resume(co) end) return coroutine.resume(co)",
  "local outer = coroutine.running() return coroutine.resume(coroutine.create(function() "
    .. "return coroutine.resume(outer) end))",
  "return pcall(coroutine.resume)",
  "return pcall(coroutine.resume, 5)",
  "return pcall(coroutine.resume, {})",
  "return pcall(function() coroutine.resume(print) end)",
  "return pcall(coroutine.wrap)",
  "return pcall(coroutine.wrap, 5)",
  "return pcall(coroutine.close)",
  "return pcall(coroutine.close, {})",
  "return pcall(coroutine.close, coroutine.running())",
  "return coroutine.wrap(function() return pcall(coroutine.close, coroutine.running()) end)()",
  "local co co = coroutine.create(function() return coroutine.resume(coroutine.create(function() "
    .. "return pcall(coroutine.close, co) end)) end) return coroutine.resume(co)",
  "return coroutine.close(coroutine.create(print))",
  "local co = coroutine.create(error) coroutine.resume(co, 'x') return coroutine.close(co)",
  "local co = coroutine.create(error) coroutine.resume(co, 'x') coroutine.close(co) return coroutine.close(co)",
  "local co = coroutine.create(function() coroutine.yield() end) coroutine.resume(co) "
    .. "return coroutine.close(co), coroutine.status(co), coroutine.resume(co)",
  "local log = {} local co = coroutine.create(function() local x <close> = setmetatable({}, { __close = "
    .. "function(_, e) log[#log + 1] = tostring(e) end }) coroutine.yield() end) coroutine.resume(co) "
    .. "return coroutine.close(co), log[1]",
  "local co = coroutine.create(function() local x <close> = setmetatable({}, { __close = "
    .. "function(_, e) error('closing', 0) end }) coroutine.yield() end) coroutine.resume(co) "
    .. "return coroutine.close(co)",
  "local f = coroutine.wrap(function() local x <close> = setmetatable({}, { __close = function(_, e) "
    .. "error('again ' .. e, 0) end }) error('first', 0) end) return pcall(f)",
  "local f = coroutine.wrap(function() local x <close> = setmetatable({}, { __close = function() "
    .. "closed = true end }) error({}) end) return select('#', pcall(f)), closed",
  "local f = coroutine.wrap(function(a) while true do a = coroutine.yield(a, nil) end end) return f(1), f(2), f(nil)",
  "local f = coroutine.wrap(function() error 'oh' end) return pcall(f)",
  "local f = coroutine.wrap(function() error('oh', 0) end) return pcall(function()\n f() end)",
  "local f = coroutine.wrap(function() error(42) end) return pcall(function()\n f() end)",
  "local f = coroutine.wrap(function() end) f() return pcall(f)",
  "local f f = coroutine.wrap(function() f() end) return pcall(f)",
  "local e = {} local f = coroutine.wrap(function() error(e) end) return select(2, pcall(f)) == e",
  "local f = coroutine.wrap(function() return table.unpack({}, 1, 200) end) return select('#', f())",
  "return coroutine.resume(coroutine.create(function(...) return select('#', ...) end), table.unpack({}, 1, 5000))",
  "local t = {} for x in coroutine.wrap(function() for i = 1, 5 do coroutine.yield(i) end end) do t[#t + 1] = x end "
    .. "return table.concat(t, ' ')",
  "return coroutine.isyieldable(), coroutine.wrap(function() return coroutine.isyieldable() end)()",
  "return select(2, coroutine.running()), coroutine.wrap(function() return select(2, coroutine.running()) end)()",
  "local co = coroutine.create(function() coroutine.yield() end) local a = coroutine.status(co) coroutine.resume(co) "
    .. "local b = coroutine.status(co) coroutine.resume(co) return a, b, coroutine.status(co)",
  "return coroutine.wrap(function() return pcall(function() return coroutine.yield(1) end) end)()",
  "local f = coroutine.wrap(function() return table.sort({ 3, 2, 1 }, function(a, b) coroutine.yield() end) end) "
    .. "return pcall(f)",
  "local function deep(n) if n == 0 then return 'bottom' end return coroutine.wrap(deep)(n - 1) end return deep(50)",
  "local function deep() return coroutine.wrap(deep)() end local ok, e = pcall(deep) "
    .. "return ok, e:match('C stack overflow')",
  "return coroutine.resume(coroutine.create(function() return string.rep('x', 1 << 40) end))",
  "return pcall(os.exit, {})",
  "return pcall(os.execute, {})",
  "return os.execute('exit 3')",
  "return os.execute('kill -9 $$')",
  "return os.execute()",
  "return pcall(io.popen)",
  "return pcall(io.popen, {})",
  "return pcall(io.popen, 'true', 'x')",
  "return pcall(io.popen, 'true', 'rw')",
  "return pcall(io.popen, 'true', {})",
  "local f = io.popen('echo hello; exit 4') return f:read('a'), f:close()",
  "local f = io.popen('cat >/dev/null', 'w') return f:write('x') == f, f:close()",
  "return debug.traceback('x', 1):match('stack traceback')",
  "local co = coroutine.create(function() local a = 1 coroutine.yield() end) coroutine.resume(co) "
    .. "return debug.traceback(co), debug.getlocal(co, 1, 1)",
  "return pcall(coroutine.wrap(function() local t = setmetatable({}, { __index = function(_, k) "
    .. "return coroutine.yield(k) end }) return t.field end))",
}

-- Addresses differ from run to run, and thread's pcall is called from C.
local function normal(...)
  local values = table.pack(...)
  for i = 1, values.n do
    local text = tostring(values[i])
    values[i] = type(values[i]) .. ":" .. text:gsub("0x%x+", "ADDRESS")
  end
  return table.concat(values, "\n")
end

for _, piece in ipairs(pieces) do
  t.test("the same here and in a thread: " .. piece:sub(1, 80), function()
    local here = normal(load(piece, "=piece")())
    t.eq(normal(select(2, assert(llthreads.new(string.dump(load(piece, "=piece"))):start():join()))), here)
  end)
end

t.test("warnings are written as in the plain interpreter", function()
  local code = [[
    warn "not seen"
    warn "@on"
    warn("seen ", "in ", "pieces")
    warn("@off", " is no control message")
    warn "@what"
    warn "@off"
    warn "not seen"
    warn "@on"
    warn "seen"]]
  local _, _, here = t.script("warn '@off'" .. code)
  local status, _, there = t.script("require 'llthreads'.new(...):start():join()", code)
  t.eq(status, 0)
  t.eq(there, here)
  t.match(there, "^Lua warning: seen in pieces\n")
end)

t.test("a thread's own debug hook works", function()
  local ok, count = llthreads.new([[
    local count = 0
    debug.sethook(function() count = count + 1 end, "l")
    for i = 1, 10 do
      local x = i
    end
    debug.sethook()
    return count ]]):start():join()
  t.ok(ok)
  t.ok(count > 10)
end)

t.finish()
