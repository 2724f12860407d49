-- llthreads_basics.lua - the drop-in's threads: new, start, join, what crosses, modes, errors.

local t = require "harness"
local llthreads = require "llthreads"

local coroutine, io, math, os, package, string, table = coroutine, io, math, os, package, string, table
local assert, getmetatable, ipairs, load, print, select, tostring, type =
  assert, getmetatable, ipairs, load, print, select, tostring, type

-- What code returns, run in a thread.
local function run(code, ...)
  return llthreads.new(code, ...):start():join()
end

local function quiet(code, ...)
  return run("require 'llthreads'.set_logger(function() end) " .. code, ...)
end

-- A pipe as a gate: a child that calls gate() waits for one of the bytes that open(count) writes.
local gate_code = [[
  local path = ...
  local function gate()
    local f <close> = assert(io.open(path))
    f:setvbuf("no")
    f:read(1)
  end ]]

local function with_gate(body)
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute("mkfifo " .. path))
  local pipe <close> = assert(io.open(path, "r+"))
  body(path, function(count)
    pipe:write(("x"):rep(count or 1))
    pipe:flush()
  end)
  os.remove(path)
end

t.test("the module says which version it stands in for", function()
  t.eq(table.concat({ llthreads.version() }, "."), "0.1.7")
  t.eq(llthreads._VERSION, "0.1.7")
  t.eq(llthreads.interrupted_error, "llthreads: thread was interrupted")
end)

t.test("both names give the same kind of thread", function()
  local two = require "llthreads2"
  t.eq(two._VERSION, llthreads._VERSION)
  local thread = two.new("return 1")
  t.ok(llthreads.new("").start(thread))
  t.deep({ thread:join() }, { true, 1 })
end)

t.test("arguments come back as results, nil holes and subtypes kept", function()
  local got = table.pack(run("return select('#', ...), ...", 1, nil, 2.0, "x\0y", false, nil))
  t.eq(got.n, 8)
  t.deep(got, { n = 8, true, 6, 1, nil, 2.0, "x\0y", false, nil })
end)

t.test("more than 250 arguments and results cross", function()
  local args = {}
  for i = 1, 5000 do args[i] = i end
  local got = table.pack(run("return ...", table.unpack(args)))
  t.eq(got.n, 5001)
  t.eq(got[1], true)
  t.eq(got[5001], 5000)
end)

t.test("no result is one true", function()
  t.eq(select("#", run("")), 1)
  t.eq(select("#", run("return nil")), 2)
end)

t.test("tables cross deeply, cycles and sharing included", function()
  local a = { "a" }
  local top = { list = { a, a }, [a] = "key", [1.5] = true }
  top.top = top
  local ok, got = run("return ...", top)
  t.ok(ok)
  t.eq(got.top, got)
  t.eq(got.list[1], got.list[2])
  t.eq(got[got.list[1]], "key")
  t.eq(got[1.5], true)
end)

t.test("functions cross with their upvalues, C functions and light userdata too", function()
  local factor = 3
  local function times(x) return x * factor end
  t.deep({ run("return (...)(14)", times) }, { true, 42 })
  t.deep({ run("local f = ... return f == string.rep, f('x', 3)", string.rep) }, { true, true, "xxx" })
  local ok, pointer = run("return io.stdout and ...", package.preload.none)
  t.ok(ok)
  t.eq(pointer, nil)
end)

t.test("preloading works as documented", function()
  package.preload["host.logger"] = function() return { name = "host" } end
  local preload = { ["host.logger"] = package.preload["host.logger"] }
  t.deep({ run([[ local p = ... for k, f in pairs(p) do package.preload[k] = f end
    return require "host.logger".name ]], preload) }, { true, "host" })
end)

t.test("a child finds the library and the parent's search paths", function()
  local path, cpath = package.path, package.cpath
  package.path = path .. ";/nowhere/?.lua"
  local ok, a, b, c, d, e, f = run([[
    return package.path, package.cpath, type(package.preload.llthreads), type(package.preload.llthreads2),
      type(package.preload.troupe), require "llthreads"._VERSION ]])
  package.path = path
  t.ok(ok)
  t.eq(a, path .. ";/nowhere/?.lua")
  t.eq(b, cpath)
  t.deep({ c, d, e, f }, { "function", "function", "function", "0.1.7" })
end)

t.test("a parent without search paths has children with Lua's own", function()
  local path = package.path
  package.path = nil
  local thread = llthreads.new("return type(package.path)")
  package.path = path
  t.deep({ thread:start():join() }, { true, "string" })
end)

t.test("a child has all standard libraries and no upvalue of the parent", function()
  local names = "coroutine table io os string math utf8 debug package"
  t.deep({ run("for name in (...):gmatch('%w+') do assert(type(_G[name]) == 'table', name) end return arg", names) },
    { true })
end)

t.test("bytecode runs as source does", function()
  t.deep({ run(string.dump(load("local a, b = ... return a + b")), 1, 2) }, { true, 3 })
  t.deep({ run(string.dump(load("return ..."), true), 7) }, { true, 7 })
end)

t.test("a syntax error raises at once, as the compiler says it", function()
  t.raises("^%[string \"return %+\"%]:1: unexpected symbol near '%+'$", llthreads.new, "return +")
  t.raises("bad argument #1 to .*new.* %(string expected, got table%)", llthreads.new, {})
  t.raises("string expected, got no value", llthreads.new)
  t.raises("truncated", llthreads.new, string.dump(load("return 1")):sub(1, 30))
end)

t.test("an argument that cannot cross raises, with its place", function()
  local message = "function/userdata/thread types un%-supported%."
  t.raises(message .. ".*argument 1.*userdata", llthreads.new, "", io.stdout)
  t.raises(message .. ".*argument 2.*thread", llthreads.new, "", 1, coroutine.create(print))
  t.raises(message .. ".*argument 1.*db.*socket.*userdata", llthreads.new, "", { db = { socket = io.stdout } })
end)

t.test("nesting over 30 raises", function()
  local function nest(levels)
    local outer = {}
    for _ = 2, levels do outer = { outer } end
    return outer
  end
  t.raises("Hit maximum copy depth", llthreads.new, "", nest(31))
  t.raises("Hit maximum copy depth", llthreads.new, "", nest(5000))
  local ok, got = run("return ...", nest(30))
  t.ok(ok)
  t.deep(got, nest(30))
end)

t.test("a result that cannot cross arrives as a string that says so", function()
  local ok, a, b, c, d = run([[
    local deep = { list = { 1, io.stdout, 3 }, f = print }
    deep.self = deep
    return io.stdout, 2, coroutine.create(print), deep ]])
  t.ok(ok)
  t.match(a, "^Un%-supported value: userdata: ")
  t.eq(b, 2)
  t.match(c, "^Un%-supported value: thread: ")
  t.eq(d.list[1], 1)
  t.match(d.list[2], "^Un%-supported value: userdata: ")
  t.eq(d.list[3], 3)
  t.eq(d.f, print)
  t.eq(d.self, d)
end)

t.test("results nested too deeply arrive cut off, not lost", function()
  local ok, got, last = run("local outer = {} for _ = 1, 1000 do outer = { outer } end return outer, 'last'")
  t.ok(ok)
  local depth = 0
  while type(got) == "table" do got, depth = got[1], depth + 1 end
  t.match(got, "^Un%-supported value: table: ")
  t.ok(depth >= 30, depth)
  t.eq(last, "last")
end)

t.test("start returns the thread, and says when it was started already", function()
  local thread = llthreads.new("return 1")
  t.eq(thread:start(), thread)
  t.deep({ thread:start() }, { nil, "Thread already started." })
  thread:join()
  t.deep({ thread:start() }, { nil, "Thread already started." })
end)

t.test("join and alive say why a thread cannot be joined", function()
  local thread = llthreads.new("return 1")
  t.deep({ thread:join() }, { nil, "Can't join a thread that hasn't be started." })
  t.deep({ thread:alive() }, { nil, "Can't join a thread that hasn't be started." })
  thread:start()
  t.deep({ thread:join() }, { true, 1 })
  t.deep({ thread:join() }, { nil, "Can't join a thread that has already been joined." })
  t.deep({ thread:alive() }, { nil, "Can't join a thread that has already been joined." })
  thread = llthreads.new(""):start(true)
  t.deep({ thread:join() }, { nil, "Can't join a thread that has been detached." })
  t.deep({ thread:alive() }, { nil, "Can't join a thread that has been detached." })
end)

t.test("the modes give what their table says", function()
  local function modes(...)
    local thread = llthreads.new("return 'value'"):start(...)
    local detached, joinable = thread:detached(), thread:joinable()
    return detached, joinable, thread:join()
  end
  t.deep({ modes() }, { false, true, true, "value" })
  t.deep({ modes(false) }, { false, true, true, "value" })
  t.deep({ modes(false, true) }, { false, true, true, "value" })
  t.deep({ modes(false, false) }, { false, false, true, 0 })
  t.deep({ modes(false, nil) }, { false, false, true, 0 })
  t.deep({ modes(true) }, { true, false, nil, "Can't join a thread that has been detached." })
  t.deep({ modes(true, false) }, { true, false, nil, "Can't join a thread that has been detached." })
  t.deep({ modes(true, true) }, { true, true, true, 0 })
end)

t.test("a thread not started is neither started, detached nor joinable", function()
  local thread = llthreads.new("")
  t.deep({ thread:started(), thread:detached(), thread:joinable() }, { false, false, false })
end)

t.test("join gives up after its timeout and gets the values later", function()
  with_gate(function(path, open)
    local thread = llthreads.new(gate_code .. "gate() return 'late'", path):start()
    t.deep({ thread:join(0) }, { nil, "timeout" })
    t.deep({ thread:join(1) }, { nil, "timeout" })
    t.deep({ thread:join(0.5) }, { nil, "timeout" })
    t.eq(thread:alive(), true)
    open()
    t.deep({ thread:join(-1) }, { true, "late" })
  end)
end)

t.test("join(0) and alive know an ended thread", function()
  local thread = llthreads.new("return 'done'"):start()
  while thread:alive() do end
  t.eq(thread:alive(), false)
  t.deep({ thread:join(0) }, { true, "done" })
  thread = llthreads.new(""):start(true, true)
  while thread:alive() do end
  t.deep({ thread:join(0) }, { true, 0 })
end)

t.test("a joiner with any timeout gets what a thread returns in time", function()
  t.deep({ llthreads.new("return 5"):start():join(60000) }, { true, 5 })
  t.deep({ llthreads.new("return 5"):start():join(1e12) }, { true, 5 })
  t.deep({ llthreads.new("return 5"):start():join(math.huge) }, { true, 5 })
  t.raises("milliseconds expected", function() llthreads.new(""):start():join(0 / 0) end)
  t.raises("number expected, got string", function() llthreads.new(""):start():join("soon") end)
end)

t.test("files a child left open are complete when join returns", function()
  local path = os.tmpname()
  for _, mode in ipairs { { false, true }, { false, false }, { true, true } } do
    t.ok(llthreads.new("f = io.open(..., 'w') f:write('all of it')", path):start(table.unpack(mode)):join())
    local f <close> = io.open(path)
    t.eq(f:read("a"), "all of it")
  end
  os.remove(path)
end)

t.test("an error arrives with its traceback", function()
  local ok, e = quiet("local function f() error 'oh' end f()")
  t.eq(ok, false)
  t.match(e, "^Error from child thread: .*:1: oh\nstack traceback:\n.*in local 'f'")
end)

t.test("an error object arrives as its tostring, else as its type", function()
  local ok, e = quiet("error {}")
  t.eq(ok, false)
  t.match(e, "^Error from child thread: .*table")
  ok, e = quiet("error(setmetatable({}, { __tostring = function() return 'told' end }))")
  t.eq(ok, false)
  t.match(e, "^Error from child thread: told")
  ok, e = quiet("error()")
  t.eq(ok, false)
  t.match(e, "^Error from child thread: .*nil")
  ok, e = quiet("error(12)")
  t.eq(ok, false)
  t.match(e, "^Error from child thread: 12")
  ok, e = quiet("error('zero\\0byte', 0)")
  t.eq(ok, false)
  t.match(e, "^Error from child thread: zero\0byte")
end)

t.test("a failing thread writes to stderr, once, however it was started", function()
  for _, mode in ipairs { "", "false, false", "true, true" } do
    local status, out, err = t.script("local ll = require 'llthreads' local th = ll.new [[error 'oh']] th:start("
      .. mode .. ") print((th:join()))")
    t.eq(status, 0)
    t.eq(out, mode == "" and "false\n" or "true\n")
    t.match(err, "^Error from thread: %[string \"error 'oh'\"%]:1: oh\nstack traceback:")
    t.eq(select(2, err:gsub("Error from thread", "")), 1)
  end
end)

t.test("the logger of the failing thread's own vm gets the text instead", function()
  local path = os.tmpname()
  local status, _, err = t.script([[
    local ll = require "llthreads"
    ll.set_logger(function() error "the parent's is not asked" end)
    ll.new([=[
      local path = ...
      require "llthreads2".set_logger(function(...)
        local f <close> = io.open(path, "w")
        f:write(select("#", ...), (...))
      end)
      error "oh" ]=], ...):start():join() ]], path)
  t.eq(status, 0)
  t.eq(err, "")
  local f <close> = io.open(path)
  os.remove(path)
  t.match(f:read("a"), "^1Error from thread: .*:6: oh\nstack traceback:")
end)

t.test("a logger that fails itself does not swallow the text", function()
  local status, _, err = t.script([[
    require "llthreads".new([=[
      require "llthreads".set_logger(function() error "in the logger" end)
      error "oh" ]=]):start():join() ]])
  t.eq(status, 0)
  t.match(err, "^Error from thread: .*oh")
  t.raises("function expected", llthreads.set_logger, 5)
  t.raises("function expected", llthreads.set_logger)
end)

t.test("a child starts children of its own", function()
  local ok, sum = run([[
    local llthreads = require "llthreads"
    local threads, sum = {}, 0
    for i = 1, 100 do threads[i] = llthreads.new("return ...", i):start() end
    for i = 1, 100 do sum = sum + select(2, threads[i]:join()) end
    return sum ]])
  t.ok(ok)
  t.eq(sum, 5050)
end)

t.test("a child may be given the library's own function", function()
  t.deep({ run("local new = ... return new('return 9'):start():join()", llthreads.new) }, { true, true, 9 })
end)

t.test("1,000 threads are alive at once", function()
  with_gate(function(path, open)
    local threads, sum = {}, 0
    for i = 1, 1000 do threads[i] = t.ok(llthreads.new(gate_code .. "gate() return 1", path):start()) end
    for i = 1, 1000 do t.eq(threads[i]:alive(), true) end
    open(1000)
    for i = 1, 1000 do sum = sum + select(2, threads[i]:join()) end
    t.eq(sum, 1000)
  end)
end)

t.test("a thread is named after its chunk", function()
  local name = "local f <close> = io.open('/proc/thread-self/comm') return f:read()"
  t.deep({ run(name) }, { true, "local f <close>" })
  t.deep({ run("\n  " .. name) }, { true, "local f <close>" })
  t.deep({ run(string.dump(load(name, "=short"))) }, { true, "short" })
  t.deep({ run(string.dump(load(name, "@/a/path/file.lua"))) }, { true, "file.lua" })
  t.deep({ llthreads.new(name):name("given"):start():join() }, { true, "given" })
end)

t.test("a handle says what it is and is checked", function()
  local thread = llthreads.new("")
  t.match(tostring(thread), "^LLThread: ")
  t.raises("LLThread expected, got table", thread.join, {})
  t.raises("LLThread expected, got no value", thread.start)
end)

t.test("a handle of a closed scope has been joined", function()
  local path = os.tmpname()
  do
    local thread <close> = llthreads.new("local f = io.open(..., 'w') f:write('done') f:close()", path):start()
    t.ok(thread:started())
  end
  local f <close> = io.open(path)
  os.remove(path)
  t.eq(f:read("a"), "done")
  local thread = llthreads.new("")
  getmetatable(thread).__close(thread)
  getmetatable(thread).__close(thread)
  t.raises("thread expected", thread.start, thread)
end)

t.test("processes that a thread starts have the program's signal mask", function()
  t.deep({ run([[
    local f <close> = io.popen("grep SigBlk /proc/self/status")
    return f:read("a"):match("%x%x+"), os.execute("kill -TERM $$") ]]) },
    { true, "0000000000000000", nil, "signal", 15 })
end)

t.finish()
