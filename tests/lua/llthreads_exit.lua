-- llthreads_exit.lua - the ends: handles collected, programs that end, in every state a thread can be in.

local t = require "harness"

local ipairs, pairs = ipairs, pairs

local head = [[
  local llthreads = require "llthreads"
  local function start(code, ...) return llthreads.new(code, ...):start() end
  local function collect() for _ = 1, 4 do collectgarbage() end end
  local loop = "while true do end"
]]

-- How often to try what goes wrong by chance: a sanitizer ends each program slowly, and sees more in each.
local function often(count)
  return t.slowdown == 1 and count or count // 10
end

-- A program of its own: status, output, errors.
local function program(code, ...)
  return t.script(head .. code, ...)
end

local function expect(code, status, out, err)
  local got_status, got_out, got_err = program(code)
  t.eq(got_status, status, got_err)
  t.eq(got_out, out or "")
  if err then t.match(got_err, err) else t.eq(got_err, "") end
end

t.test("loading the library starts no thread, opens no descriptor and takes no signal", function()
  expect([[
    local function count(what)
      local n = 0
      for _ in io.popen("ls /proc/" .. io.open("/proc/self/stat"):read("n") .. "/" .. what):lines() do n = n + 1 end
      return n
    end
    print(count("task")) ]], 0, "1\n")
end)

t.test("collecting the handle of a looping thread does not stop the program", function()
  for _, mode in ipairs { "", "false, false", "true", "true, true" } do
    expect("llthreads.new(loop):start(" .. mode .. [[) collect() print "went on" os.exit(0)]], 0, "went on\n")
  end
end)

t.test("a looping thread whose handle was collected does not keep the program from ending", function()
  expect([[start(loop) collect() print "last line"]], 0, "last line\n", "thread was interrupted")
  expect([[for _ = 1, 5 do start("while true do pcall(function() while true do end end) end") end collect()]], 0, "",
    "thread was interrupted")
end)

t.test("detached looping threads do not keep the program from ending", function()
  expect([[local threads = {}
    for i = 1, 5 do
      threads[2 * i] = llthreads.new(loop) threads[2 * i]:start(true)
      threads[2 * i + 1] = llthreads.new(loop) threads[2 * i + 1]:start(true, true)
    end]], 0)
end)

t.test("the work of an attached thread that nobody joined is done when the program ends", function()
  local code = [[io.popen("sleep 0.3"):close() io.write("done\n") io.flush()]]
  expect("thread = start[[" .. code .. "]]", 0, "done\n")
  expect("thread = llthreads.new[[" .. code .. "]] thread:start(false, false)", 0, "done\n")
  expect("start[[" .. code .. "]] collect()", 0, "done\n")
  expect("local keep = { start[[" .. code .. "]], start[[" .. code .. "]] } os.exit(0, true)", 0, "done\ndone\n")
end)

t.test("handles are collected in every state without harm", function()
  expect([[
    for i = 1, 500 do
      llthreads.new("return 1")
      start("return 1")
      start("return 1"):join()
      llthreads.new("return 1"):start(true)
      llthreads.new("return 1"):start(true, true)
      llthreads.new("return 1"):start(true, true):join()
      llthreads.new("return 1"):start(false, false)
      local thread = start("return 1")
      while thread:alive() do end
      if i % 50 == 0 then collect() end
    end ]], 0)
end)

t.test("handles of one thread in a cycle of garbage are collected", function()
  expect([[
    for i = 1, 100 do local a = { start("return 1") } a.b = { a, start("return 2") } a[2] = a end
    collect() print "collected"]], 0, "collected\n")
end)

-- A sanitizer keeps what is freed for a while, and looks for leaks itself.
t.test("the memory of dropped threads does not pile up", function()
  local status, out, err = program([[
    local allowed = tonumber((...))
    local function resident()
      return tonumber(io.open("/proc/self/status"):read("a"):match("VmRSS:%s*(%d+)"))
    end
    local function rounds(count)
      for i = 1, count do
        start("return ...", i)
        if i % 3 == 0 then start("return ...", i):join() end
        if i % 20 == 0 then collect() end
      end
    end
    rounds(1000)
    local before = resident()
    rounds(4000)
    local grown = resident() - before
    print(grown < allowed or grown)]], t.slowdown == 1 and 8000 or 500000)
  t.eq(status, 0, err)
  t.eq(out, "true\n")
end)

t.test("os.exit in a child ends the program with its status", function()
  for code, status in pairs { ["os.exit(3)"] = 3, ["os.exit(true)"] = 0, ["os.exit(false)"] = 1, ["os.exit()"] = 0,
    ["os.exit(4, true)"] = 4, ["coroutine.wrap(function() os.exit(5) end)()"] = 5 } do
    expect("start[[" .. code .. "]]:join()", status)
    expect("start[[" .. code .. "]] while true do end", status)
    expect("llthreads.new[[" .. code .. "]]:start(true) while true do end", status)
  end
end)

t.test("os.exit in a child flushes what was printed", function()
  expect([[io.write "parent, " start("io.write 'child' os.exit(0)"):join()]], 0, "parent, child")
end)

t.test("os.exit in a child ends the program while others loop, wait and start threads", function()
  for _ = 1, often(20) do
    expect([[
      for _ = 1, 3 do start(loop) llthreads.new(loop):start(true) end
      start("require 'llthreads'.new('while true do end'):start():join()")
      llthreads.new("while true do require 'llthreads'.new(''):start() end"):start(true)
      start("os.exit(7)")
      start(loop):join()]], 7)
  end
end)

t.test("concurrent exits end the program once", function()
  for _ = 1, often(20) do
    local status = program([[
      for i = 1, 8 do start("os.exit(9)") end
      if ... == "main" then os.exit(9) end
      start(loop):join()]], _ % 2 == 0 and "main" or "child")
    t.eq(status, 9)
  end
end)

t.test("the main program may end while detached threads run", function()
  for i = 1, often(100) do
    local status, _, err = program([[
      for i = 1, 4 do
        llthreads.new("local n = ... local s = {} while true do s[#s % 100 + 1] = ('x'):rep(n) end", i):start(true)
      end
      llthreads.new("while true do require 'llthreads'.new('return 1'):start():join() end"):start(true)
      llthreads.new("io.write('') while true do io.stderr:write('') end"):start(true)
      for i = 1, ... * 1000 do end
      if ... % 2 == 0 then os.exit(0, ... % 4 == 0) end]], i)
    t.eq(status, 0, err)
    t.eq(err, "")
  end
end)

t.test("a child's end awaits its own children as a program's does", function()
  expect([[
    print((start [=[
      kept = require "llthreads".new [==[io.popen("sleep 0.2"):close() io.write "inner " io.flush()]==]
      kept:start() ]=]:join()))]], 0, "inner true\n")
end)

t.test("a thread started by a finaliser at the end of the program is no harm", function()
  expect([[
    keep = setmetatable({}, { __gc = function() start("return 1"):join() start("return 1") end })]], 0)
end)

t.test("an error in the main program with threads running is reported as ever", function()
  local status, _, err = program([[llthreads.new(loop):start(true) error "main's"]])
  t.eq(status, 1)
  t.match(err, "main's")
end)

t.finish()
