-- llthreads_interrupt.lua - thread:interrupt(), in every place where code can be.

local t = require "harness"
local llthreads = require "llthreads"

local io, os = io, os
local assert, ipairs, pairs, select = assert, ipairs, pairs, select
local interrupted = llthreads.interrupted_error

local silent = "require 'llthreads'.set_logger(function() end) "

-- Starts code that says through a pipe when it has come to ready(); returns the thread once it has.
local function start_ready(code, ...)
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute("mkfifo " .. path))
  local pipe <close> = assert(io.open(path, "r+"))
  local thread = llthreads.new("local path = ... " .. silent .. [[
    local function ready() local f <close> = io.open(path, "w") f:write("ready\n") end ]] .. code, path, ...):start()
  t.eq(pipe:read(), "ready")
  os.remove(path)
  return thread
end

local function expect_interrupted(thread)
  local ok, e = thread:join()
  t.eq(ok, false)
  t.match(e, "^Error from child thread: .*" .. interrupted)
end

local loops = {
  ["a tight loop"] = "ready() while true do end",
  ["a coroutine"] = "coroutine.wrap(function() ready() while true do end end)()",
  ["nested coroutines"] = [[
    coroutine.wrap(function() coroutine.wrap(function() ready() while true do end end)() end)()]],
  ["coroutines made all the time"] = [[
    ready() while true do coroutine.wrap(function() for i = 1, 10 do coroutine.yield() end end)() end]],
  ["a callback of a C function"] = "ready() table.sort({ 1, 2, 3 }, function() while true do end end)",
  ["a metamethod"] = "local p = setmetatable({}, { __index = function() ready() while true do end end }) local x = p.x",
  ["a blocking read"] = [[
    local name = os.tmpname()
    os.remove(name)
    os.execute("mkfifo " .. name)
    local f = io.open(name, "r+")
    os.remove(name)
    ready()
    f:read() ]],
}

for place, code in pairs(loops) do
  t.test("an interrupt breaks into " .. place, function()
    local thread = start_ready(code)
    thread:interrupt()
    expect_interrupted(thread)
  end)
end

t.test("one interrupt is one error, which code may catch", function()
  local thread = start_ready([[
    local ok, e = pcall(function() ready() while true do end end)
    for i = 1, 1e5 do pcall(error) end
    return ok, e ]])
  thread:interrupt()
  local ok, caught, e = thread:join()
  t.eq(ok, true)
  t.eq(caught, false)
  t.match(e, interrupted)
end)

t.test("a second interrupt is a second error", function()
  local thread = start_ready([[
    local count = 0
    repeat
      local ok = pcall(function() ready() while true do end end)
      if not ok then count = count + 1 end
    until count == 1
    pcall(function() while true do end end)
    return "both" ]])
  thread:interrupt()
  repeat thread:interrupt() until not thread:alive()
  local ok, e = thread:join()
  t.ok(ok and e == "both" or not ok and e:find(interrupted, 1, true))
end)

t.test("a permanent interrupt outlasts every pcall", function()
  for _, code in ipairs {
    "ready() while true do pcall(function() while true do end end) end",
    "ready() while true do xpcall(function() while true do end end, function(e) return e end) end",
    "ready() while true do pcall(coroutine.wrap(function() while true do end end)) end",
    "ready() while true do coroutine.resume(coroutine.create(function() while true do pcall(error) end end)) end",
    "ready() while true do pcall(string.rep) pcall(pcall, error) pcall(load, 'return') end",
  } do
    local thread = start_ready(code)
    thread:interrupt(true)
    expect_interrupted(thread)
  end
end)

t.test("an interrupt before the start meets the first instruction", function()
  for _, how in ipairs { false, true } do
    local thread = llthreads.new("return 1")
    if how then thread:interrupt(true) else thread:interrupt() end
    t.ok(thread:start())
    local ok, e = thread:join()
    t.eq(ok, false)
    t.match(e, interrupted)
  end
end)

t.test("interrupt(false) takes an interrupt back", function()
  local thread = llthreads.new("return 1")
  thread:interrupt(true)
  thread:interrupt(false)
  t.deep({ thread:start():join() }, { true, 1 })
end)

t.test("interrupting a thread that has ended, was joined or never ran does nothing", function()
  local thread = llthreads.new("return 1")
  t.eq(select("#", thread:interrupt()), 0)
  thread:interrupt(false)
  thread:start()
  while thread:alive() do end
  for _ = 1, 100 do thread:interrupt() thread:interrupt(true) end
  t.deep({ thread:join() }, { true, 1 })
  for _ = 1, 100 do thread:interrupt() thread:interrupt(true) thread:interrupt(false) end
end)

t.test("threads that end and are interrupted at the same moment are not harmed", function()
  local status, out = t.script([[ -- apart, for what the interrupted ones write to stderr
    local llthreads, count = require "llthreads", ...
    local ran, stopped = 0, 0
    for i = 1, count do
      local thread = llthreads.new("for i = 1, ... do end return 'ran'", i % 300):start()
      for _ = 1, i % 7 do thread:interrupt(i % 2 == 0) end
      local ok, e = thread:join()
      if ok and e == "ran" then ran = ran + 1
      elseif not ok and e:find(llthreads.interrupted_error, 1, true) then stopped = stopped + 1 end
    end
    print(ran + stopped, ran > 0) ]], 3000 // t.slowdown)
  t.eq(status, 0)
  t.eq(out, 3000 // t.slowdown .. "\ttrue\n")
end)

t.test("handles of detached threads interrupt, too", function()
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute("mkfifo " .. path))
  local pipe <close> = assert(io.open(path, "r+"))
  local thread = llthreads.new([[
    local pipe = io.open(..., "w") -- not <close>: the logger comes after the code's own end
    pipe:setvbuf("no")
    require "llthreads".set_logger(function(e) pipe:write((e:gsub("\n.*", "")), "\n") end)
    pipe:write("ready\n")
    while true do end ]], path):start(true)
  t.eq(pipe:read(), "ready")
  thread:interrupt()
  t.match(pipe:read(), "^Error from thread: .*" .. interrupted)
  os.remove(path)
end)

t.test("a parent that waits in join can be interrupted, and its child goes on", function()
  local thread = start_ready([[
    local child = require "llthreads".new("while true do end"):start(true, true)
    local ok, e = pcall(function() ready() child:join() end)
    return ok, e, child:alive() ]])
  thread:interrupt()
  local _, ok, e, alive = thread:join()
  t.eq(ok, false)
  t.match(e, interrupted)
  t.eq(alive, true)
end)

t.test("an interrupted logger does not bring the program down", function()
  local thread = start_ready([[
    require "llthreads".set_logger(function() while true do end end)
    ready() while true do end ]])
  thread:interrupt(true)
  while thread:alive() do thread:interrupt(true) end
  t.eq((thread:join()), false)
end)

t.test("the chosen signal is taken with the first thread, and no other", function()
  local function script(code)
    local status, out, err = t.script([[
      local function caught() return io.open("/proc/self/status"):read("a"):match("SigCgt:%s*(%x+)") end
      local before = caught()
      local llthreads = require "llthreads"
      local loaded = caught()
      llthreads.new(""):start():join()
      print(before == loaded, before == caught()) ]] .. (code or ""))
    t.eq(status, 0, err)
    return out
  end
  t.eq(script(), "true\tfalse\n")
end)

t.test("a choice that is no signal is warned about, once", function()
  local code = [[
    local llthreads = require "llthreads"
    for i = 1, 3 do print(llthreads.new("return " .. i):start():join()) end
    print(require("troupe").pool { workers = 1 }:submit("return 4"):await()) ]]
  for _, case in ipairs { { "SIGRTMAX+1", true }, { "9", true }, { "SIGRTMAX-1", false }, { "", false } } do
    local path = os.tmpname()
    local file <close> = assert(io.open(path, "w"))
    file:write(code)
    file:close()
    local status, out, err = t.run { "env", "TROUPE_SIGNAL=" .. case[1], t.interpreter(), path }
    os.remove(path)
    t.eq(status, 0, err)
    t.eq(out, "true\t1\ntrue\t2\ntrue\t3\n4\n")
    local _, warnings = err:gsub("TROUPE_SIGNAL names no real%-time signal: '" .. case[1]:gsub("%p", "%%%0") .. "'", "")
    t.eq(warnings, case[2] and 1 or 0, err)
  end
end)

t.finish()
