-- llthreads_ex.lua - the modules llthreads.ex and llthreads2.ex.

local t = require "harness"
local threads = require "llthreads.ex"

local io, os, string, table = io, os, string, table
local assert, getmetatable, load, select, tostring, type = assert, getmetatable, load, select, tostring, type

local function run(...)
  return threads.new(...):start():join()
end

local function with_file(text, body)
  local path = os.tmpname()
  local f = assert(io.open(path, "w"))
  f:write(text)
  f:close()
  body(path)
  os.remove(path)
end

t.test("both names are the same module", function()
  t.eq(require "llthreads2.ex", threads)
end)

t.test("source, bytecode and functions run with their arguments", function()
  t.deep({ run("return ...", 1, nil, "x") }, { true, 1, nil, "x" })
  t.deep({ run(string.dump(load("return ...")), 1, 2) }, { true, 1, 2 })
  t.deep({ run(function(...) return select("#", ...), ... end, nil, 2, nil) }, { true, 3, nil, 2, nil })
  t.deep({ run({ function() return 1 end }) }, { true, 1 })
  t.deep({ run({ source = "return 2" }) }, { true, 2 })
end)

t.test("a function keeps its upvalues and gets the child's globals", function()
  local factor, words = 3, { "a", "b" }
  local ok, product, last, globals = run(function(x) return x * factor, words[2], type(_G.package) end, 5)
  t.deep({ ok, product, last, globals }, { true, 15, "b", "table" })
end)

t.test("a file runs under its name", function()
  with_file("return arg[0], arg.n, arg[1], ...", function(path)
    t.deep({ run("@" .. path, "x") }, { true, path, 1, "x", "x" })
    t.deep({ run({ "@" .. path }, "x") }, { true, path, 1, "x", "x" })
  end)
end)

t.test("the global arg holds the arguments and the name", function()
  local ok, arg = run("return arg", 1, nil, 3, nil)
  t.ok(ok)
  t.deep(arg, { [0] = "=(loadstring)", n = 4, 1, nil, 3, nil })
end)

t.test("a prelude changes the arguments", function()
  local function main(...) return select("#", ...), ... end
  t.deep({ run({ main, prelude = function(...) return 1, nil, "hello", ... end }, nil, 2, nil) },
    { true, 6, 1, nil, "hello", nil, 2, nil })
  t.deep({ run({ main, prelude = "local a, b = ... return b, a" }, 1, 2) }, { true, 2, 2, 1 })
  t.deep({ run({ main, prelude = "" }, 1) }, { true, 1, 1 })
  with_file("return 'from file', ...", function(path)
    t.deep({ run({ main, prelude = "@" .. path }, 1) }, { true, 2, "from file", 1 })
  end)
end)

t.test("preludes of bytecode in source, as lzmq makes them, run", function()
  local one, two = string.dump(function(...) return 1, ... end), string.dump(function(...) return 2, ... end)
  local prelude = string.format([[
    local loadstring = loadstring or load
    local prelude1, prelude2 = loadstring(%q), loadstring(%q)
    return prelude1(prelude2(...)) ]], one, two)
  t.deep({ run({ function(...) return ... end, prelude = prelude }, 3, 4) }, { true, 1, 2, 3, 4 })
end)

t.test("the prelude runs before the code is loaded", function()
  t.deep({ run({ "return answer", prelude = "answer = 42" }) }, { true, 42 })
end)

t.test("lua_init runs first, unless it is false", function()
  local prelude = "prelude_saw = init"
  t.deep({ run({ "return init, prelude_saw", lua_init = "init = 1", prelude = prelude }) }, { true, 1, 1 })
  t.deep({ run({ "return init", lua_init = function() init = 2 end }) }, { true, 2 }) -- luacheck: ignore init
  t.deep({ run({ "return init", lua_init = false }) }, { true, nil })
  with_file("init = 'file'", function(path)
    t.deep({ run({ "return init", lua_init = "@" .. path }) }, { true, "file" })
  end)
end)

t.test("LUA_INIT_5_4, else LUA_INIT, runs first by itself", function()
  local code = [[
    local threads = require "llthreads.ex"
    print(select(2, threads.new("return who"):start():join()),
      select(2, threads.new({ "return who", lua_init = false }):start():join()),
      select(2, threads.new({ "return who", lua_init = "who = 'given'" }):start():join())) ]]
  with_file(code, function(path)
    local function output(environment)
      local words = {}
      for i = -1, -20, -1 do if arg[i] then table.insert(words, 1, "'" .. arg[i] .. "'") end end
      local f <close> = io.popen(environment .. " " .. table.concat(words, " ") .. " " .. path)
      return f:read("a")
    end
    t.eq(output("LUA_INIT='who = 1'"), "1\tnil\tgiven\n")
    t.eq(output("LUA_INIT_5_4='who = 54' LUA_INIT='who = 1'"), "54\tnil\tgiven\n")
    t.eq(output(""), "nil\tnil\tgiven\n")
    with_file("who = 'file'", function(init) t.eq(output("LUA_INIT=@" .. init), "file\tnil\tgiven\n") end)
  end)
end)

t.test("start returns the thread, and all methods are there", function()
  local thread = threads.new(function() return 1 end)
  t.deep({ thread:started(), thread:detached(), thread:joinable() }, { false, false, false })
  t.eq(thread:start(true, true), thread)
  t.deep({ thread:started(), thread:detached(), thread:joinable() }, { true, true, true })
  t.deep({ thread:start() }, { nil, "Thread already started." })
  t.deep({ thread:join() }, { true, 0 })
  t.ok(not thread:alive())
  thread:interrupt()
  t.match(tostring(thread), "^LLThread: ")
end)

t.test("a thread of a closed scope has been joined", function()
  local kept
  do
    local thread <close> = threads.new("return 1"):start()
    kept = thread
  end
  t.raises("thread expected", kept.join, kept)
  t.ok(getmetatable(kept))
end)

t.test("an interrupt reaches it", function()
  local thread = threads.new({ "require 'llthreads'.set_logger(function() end) while true do end" }):start()
  thread:interrupt(true)
  local ok, e = thread:join()
  t.eq(ok, false)
  t.match(e, "thread was interrupted")
end)

t.test("an argument that cannot cross is counted as the caller counts it", function()
  t.raises("un%-supported.*argument 2.*userdata", threads.new, "", 1, io.stdout)
  local file = io.stdout
  t.raises("un%-supported.*upvalue.*file", threads.new, function() return file end)
end)

t.test("what is no code is refused", function()
  t.raises("bad argument #1 to 'new' %(code: string or function or table expected, got nil%)", threads.new)
  t.raises("source: string or function expected, got nil", threads.new, {})
  t.raises("prelude: nil or string or function expected, got number", threads.new, { "", prelude = 5 })
  t.raises("lua_init: boolean or string or function expected, got number", threads.new, { "", lua_init = 5 })
end)

t.test("an error while loading is the thread's, with its place", function()
  local silent = { lua_init = "require 'llthreads'.set_logger(function() end)" }
  local ok, e = run({ "return +", lua_init = silent.lua_init })
  t.eq(ok, false)
  t.match(e, "^Error from child thread: .*unexpected symbol near '%+'")
  ok, e = run({ "@/no/such/file.lua", lua_init = silent.lua_init })
  t.eq(ok, false)
  t.match(e, "cannot open /no/such/file.lua")
end)

t.test("threads are named after their file, function or source", function()
  local code = "local f <close> = io.open('/proc/thread-self/comm') return f:read()"
  t.deep({ run(code) }, { true, "local f <close>" })
  with_file(code, function(path)
    t.deep({ run("@" .. path) }, { true, path:match("[^/]*$"):sub(1, 15) })
  end)
  local ok, name = run(function()
    local f <close> = io.open("/proc/thread-self/comm")
    return f:read()
  end)
  t.ok(ok)
  t.match(name, "^llthreads_ex")
end)

t.test("1,000 threads start from a thread", function()
  local ok, got = run(function(count, ...)
    local inner = require "llthreads.ex"
    local all = {}
    for i = 1, count do
      all[i] = assert(inner.new(function(...) return "hello", ... end, "number:", 1000 + i, nil, true):start())
    end
    for i = 1, count do
      local joined, hello, _, number = all[i]:join()
      assert(joined and hello == "hello" and number == 1000 + i)
    end
    return ...
  end, 1000, "back")
  t.ok(ok, got)
  t.eq(got, "back")
end)

t.finish()
