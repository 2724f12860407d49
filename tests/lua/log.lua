-- log.lua - troupe.log: what is said, by whom, with what, and where it ends up.

local t = require "harness"

local troupe = require "troupe"
local llthreads = require "llthreads"
local log = require "troupe.log"
local fixture = require "log_fixture"

local levels = { "emerg", "alert", "fatal", "error", "warning", "notice", "info", "debug", "trace" }

local await, lines_of, read, with_directory = fixture.await, fixture.lines_of, fixture.read, fixture.with_directory

-- What body says, as records.
local function heard(body, ...)
  local records = {}
  assert(log.to(function(record) records[#records + 1] = record end))
  local ok, err = pcall(body, ...)
  assert(log.to "stderr")
  if not ok then error(err, 0) end
  return records
end

t.test("a level lets pass what is as urgent or more", function()
  for i, name in ipairs(levels) do
    local records = heard(function()
      log.set_level(name)
      t.eq(log.level(), name)
      for _, other in ipairs(levels) do log[other]("at " .. other) end
    end)
    t.eq(#records, i)
    t.eq(records[i].level, name)
    t.eq(records[i].message, "at " .. name)
  end
  t.eq(#heard(function() log.set_level "off" log.emerg "never" end), 0)
  log.set_level_all "warning"
end)

t.test("all vms' level reaches vms that run, and those to come", function()
  local records = heard(function()
    local pool <close> = troupe.pool { workers = 1 }
    local function levels_there(set)
      local there = require "troupe.log"
      if set then there.set_level(set) end
      return there.level()
    end
    t.eq(pool:submit(levels_there):await(), "warning")
    t.eq(pool:submit(levels_there, "error"):await(), "error")
    log.set_level "alert"
    t.eq(pool:submit(levels_there):await(), "error")
    log.set_level_all "debug"
    t.eq(log.level(), "debug")
    t.eq(pool:submit(levels_there):await(), "debug")
    t.eq(select(2, llthreads.new "return require 'troupe.log'.level()":start():join()), "debug")
    log.set_level_all "warning"
    t.eq(pool:submit(levels_there):await(), "warning")
  end)
  t.eq(#records, 0)
end)

t.test("a record says what, when, who and where", function()
  local before = os.time()
  local records = heard(function()
    log.error("%s has %d", "x", 3)
    local id = troupe.task.spawn(function() log.warning "from a task" end)
    log.warning("%d", id)
  end)
  local r = records[1]
  t.eq(r.message, "x has 3")
  t.eq(r.level, "error")
  t.ok(r.time >= before and r.time < before + 1000 * t.slowdown)
  t.match(r.process, "^%d+$")
  t.ok(r.vm >= 1)
  t.match(r.source, "log%.lua:%d+$")
  t.eq(r.job, nil)
  t.eq(r.task, nil)
  t.eq(records[2].task, math.tointeger(tonumber(records[3].message)))
end)

t.test("a record from a job says which, and from which vm", function()
  local job
  local records = heard(function()
    local pool <close> = troupe.pool { workers = 1 }
    job = pool:submit(function() require "troupe.log".warning "inside" end)
    job:await()
    log.flush()
    log.warning "outside" -- whatever has come by now is taken first
  end)
  t.eq(records[1].message, "inside")
  t.ok(records[1].job > 0)
  t.ok(records[1].vm ~= records[2].vm)
  t.eq(records[2].job, nil)
end)

t.test("a record from an actor's handler says which", function()
  local ref
  local records = heard(function()
    ref = troupe.spawn { { speak = function() log.warning "from an actor" end }, isolation = "local" }
    ref:call "speak"
  end)
  t.eq(records[1].message, "from an actor")
  t.match(tostring(ref), ("%x$"):format(records[1].actor))
  t.eq(records[1].task, nil)
end)

t.test("one value is said as it is, and a format as string.format has it", function()
  local records = heard(function()
    log.error "100%"
    log.error(nil)
    log.error(12)
    log.error(setmetatable({}, { __tostring = function() return "sour" end }))
    log.error("%d%%", 5)
    log.error("zero\0byte")
    log.say("ERROR", "a %s", "b")
  end)
  local said = {}
  for i, record in ipairs(records) do said[i] = record.message end
  t.deep(said, { "100%", "nil", "12", "sour", "5%", "zero\0byte", "a b" })
end)

t.test("a table is fields, and its element 1 the message", function()
  local circle = {}
  circle.circle = circle
  local records = heard(function()
    log.error { "served", path = "/x", n = 3, f = 1.5, list = { 1, "two", { a = true } }, no = false, [7] = "seven",
      min = math.mininteger, fn = print }
    log.error { a = 1 }
    log.error {}
    log.error { "circle", c = circle }
  end)
  t.eq(records[1].message, "served")
  local fields = records[1].fields
  t.match(fields.fn, "^builtin: %x+$" and "^function: ")
  fields.fn = nil
  t.deep(fields, { path = "/x", n = 3, f = 1.5, list = { 1, "two", { a = true } }, no = false, ["7"] = "seven",
    min = math.mininteger })
  t.eq(records[2].message, "")
  t.deep(records[2].fields, { a = 1 })
  t.eq(records[3].fields, nil)
  t.ok(records[4].fields.c.circle.circle)
end)

t.test("misuse raises, naming what is wrong", function()
  t.raises("no level 'loud' %(known: off, emerg, .*trace%)", log.set_level, "loud")
  t.raises("level: string expected, got nil", log.set_level)
  t.raises("no level 'loud'", log.set_level_all, "loud")
  t.raises("no level 'loud'", log.say, "loud", "x")
  t.raises("a record has a level", log.say, "off", "x")
  t.raises("value expected", log.error)
  t.raises("number expected", log.error, "%d", "x")
  t.raises("destination: path, endpoint or function expected, got nil", log.to)
  t.raises("unknown option 'rotat' %(known: json, keep, queue, rotate%)", log.to, "/tmp/x", { rotat = 1 })
  t.raises("unknown option 'json' %(known: queue%)", log.to, print, { json = true })
  t.raises("unknown option 'rotate' %(known: json%)", log.to, "stderr", { rotate = 1 })
  t.raises("option 'socket': push or pub expected", log.to, "tcp://127.0.0.1:1", { socket = "req" })
  t.raises("option 'cert' needs option 'server_cert'", log.to, "tcp://127.0.0.1:1", { cert = "x" })
  t.raises("a timeout is not negative", log.flush, -1)
end)

t.test("a destination that cannot be had changes nothing", function()
  local records = heard(function()
    local ok, message = log.to "/no/such/directory/x.log"
    t.eq(ok, nil)
    t.eq(message, "/no/such/directory/x.log: No such file or directory")
    ok, message = log.to "tcp://nowhere"
    t.eq(ok, nil)
    t.match(message, "^tcp://nowhere: Invalid argument")
    log.error "still here"
  end)
  t.eq(records[1].message, "still here")
end)

-- ---- standard error

t.test("by default warnings and worse go to standard error, a line each", function()
  local status, out, err = t.script [[
    local log = require "troupe.log"
    log.warning "first"
    log.notice "never"
    log.error { "second", path = "a b", n = 1, s = 'q"' } ]]
  t.eq(status .. out, "0")
  local lines = lines_of(err)
  t.match(lines[1], "^%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d%.%d%d%d%d%d%d %[WARNING%] %d+%.1 [^ ]+:2: first$")
  t.match(lines[2], ' %[ERROR%] %d+%.1 [^ ]+:4: second n=1 path="a b" s="q\\""$')
  t.eq(#lines, 2)
end)

t.test("lines of many threads do not mix", function()
  local threads, each = 8, 400 // t.slowdown
  local status, _, err = t.script([[
    local llthreads = require "llthreads"
    local threads = {}
    for i = 1, tonumber(arg[1]) do
      threads[i] = llthreads.new([=[
        local log, i, each = require "troupe.log", ...
        for n = 1, each do log.error("%d %d %s", i, n, ("x"):rep(n)) end ]=], i, tonumber(arg[2])):start()
    end
    for i = 1, #threads do threads[i]:join() end ]], threads, each)
  t.eq(status, 0)
  local next_of, count = {}, 0
  for i = 1, threads do next_of[i] = 1 end
  for _, line in ipairs(lines_of(err)) do
    local i, n, xs = line:match "^%d%d%d%d%-[^[]* %[ERROR%] %d+%.%d+ .*:2: (%d+) (%d+) (x+)$"
    i = tonumber(i)
    t.eq(tonumber(n), next_of[i])
    t.eq(#xs, next_of[i])
    next_of[i] = next_of[i] + 1
    count = count + 1
  end
  t.eq(count, threads * each)
end)

t.test("what could play with a terminal is written as what it is", function()
  local _, _, err = t.script [[
    local log = require "troupe.log"
    log.error "\27[2Jred\r\b\0"
    log.error { a = "\27" } ]]
  t.match(err, "\\x1b%[2Jred\\r\\x08\\x00\n.*: a=\"\\u001b\"\n$")
end)

t.test("colours are for a terminal only", function()
  local code = [[import os, pty, sys
pid, fd = pty.fork()
if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
text = b''
try:
    while True:
        more = os.read(fd, 4096)
        if not more: break
        text += more
except OSError: pass
os.waitpid(pid, 0)
sys.stdout.buffer.write(text)]]
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write "require 'troupe.log'.error 'red'"
  file:close()
  local lua = t.interpreter()
  local status, out, err = t.run { os.getenv "PYTHON", "-c", code, lua, path }
  t.eq(err, "")
  t.eq(status, 0)
  t.match(out, "%[\27%[31mERROR\27%[0m%] .*: red\r\n")
  t.ok(not select(3, t.run { lua, path }):find "\27")
  t.ok(not select(2, t.run { "env", "NO_COLOR=1", os.getenv "PYTHON", "-c", code, lua, path }):find "\27")
  os.remove(path)
end)

t.test("JSON is JSON, whatever the bytes", function()
  local status, _, err = t.script [[
    local log = require "troupe.log"
    log.to("stderr", { json = true })
    log.error 'quote " backslash \\ control \1\n\127 bytes \xff\xc3 umlaut \xc3\xa4'
    log.error { "fields", n = 1, f = 0.5, inf = math.huge, t = { [1] = 1, [3] = { x = "y" } }, [true] = 1 } ]]
  t.eq(status, 0)
  local judge = [[import json, sys
for line in sys.stdin.buffer.read().decode('utf-8').splitlines():
    r = json.loads(line)
    print(sorted(r))
    print(ascii(r['message']))
    print(json.dumps(r.get('fields'), sort_keys=True))]]
  local out
  status, out, err = t.run({ os.getenv "PYTHON", "-c", judge }, err)
  t.eq(err, "")
  t.eq(status, 0)
  t.eq(out, [[
['level', 'message', 'process', 'source', 'time', 'vm']
'quote " backslash \\ control \x01\n\x7f bytes \udcff\udcc3 umlaut \xe4'
null
['fields', 'level', 'message', 'process', 'source', 'time', 'vm']
'fields'
{"f": 0.5, "inf": null, "n": 1, "t": {"1": 1, "3": {"x": "y"}}, "true": 1}
]])
end)

-- ---- files

t.test("a file gets everything, however the program ends", function()
  with_directory(function(dir)
    for how, status in pairs { [""] = 0, ["os.exit(3)"] = 3, ["os.exit(4, true)"] = 4, ["error 'no'"] = 1 } do
      local path = dir .. "/" .. status .. ".log"
      t.eq(t.script([[
        local log = require "troupe.log"
        assert(log.to(arg[1]))
        for i = 1, 1000 do log.error("line %d", i) end
        load(arg[2])() ]], path, how), status)
      local lines = lines_of(read(path))
      t.eq(#lines, 1000, how)
      for i, line in ipairs(lines) do t.match(line, ": line " .. i .. "$") end
    end
  end)
end)

t.test("what threads say goes to the file too, and a record is a line", function()
  with_directory(function(dir)
    local path = dir .. "/x.log"
    assert(log.to(path))
    llthreads.new "require 'troupe.log'.error('two\\nlines')":start():join()
    assert(log.flush())
    t.match(read(path), "^[^\n]*: two\\nlines\n$")
    assert(log.to "stderr")
  end)
end)

t.test("a file is rotated at its size, and so many are kept", function()
  with_directory(function(dir)
    local path = dir .. "/x.log"
    assert(log.to(path, { rotate = 2000, keep = 2 }))
    for i = 1, 100 do log.error("line %d", i) end
    assert(log.to "stderr")
    local all = read(path .. ".2") .. read(path .. ".1") .. read(path)
    t.eq(io.open(path .. ".3"), nil)
    for _, name in ipairs { path, path .. ".1", path .. ".2" } do t.ok(#read(name) <= 2000) end
    local lines = lines_of(all)
    for i, line in ipairs(lines) do t.match(line, ": line " .. 100 - #lines + i .. "$") end
    t.ok(#lines > 10)
  end)
end)

t.test("a file that was moved away is begun anew", function()
  with_directory(function(dir)
    local status, _, err = t.script([[
      local log, dir = require "troupe.log", arg[1]
      log.to(dir .. "/x.log")
      log.error "first"
      log.flush()
      os.rename(dir .. "/x.log", dir .. "/y.log")
      local file
      repeat
        log.error "again"
        log.flush()
        require "troupe".task.sleep(0.05)
        file = io.open(dir .. "/x.log")
      until file ]], dir)
    t.eq(status, 0)
    t.match(err, "somebody moved the file away")
    t.eq(#lines_of(err), 1)
    t.match(read(dir .. "/y.log"), ": first\n")
    t.match(read(dir .. "/x.log"), ": again\n")
  end)
end)

t.test("a full disk is told once, recovered from, and told again then", function()
  with_directory(function(dir)
    local status, _, err = t.script([[
      local log, path = require "troupe.log", arg[1] .. "/x.log"
      os.execute("ln -s /dev/full '" .. path .. "'")
      assert(log.to(path))
      for i = 1, 10 do
        log.error("line %d", i)
        log.flush()
      end
      os.execute("ln -sfn real.log '" .. path .. "'") -- there is room again
      local file, text
      repeat
        require "troupe".task.sleep(0.05)
        file = io.open(path)
        text = file and file:read "a" or ""
      until text:find "written again" ]], dir)
    t.eq(status, 0)
    local lines = lines_of(err)
    t.match(lines[1], "x%.log: cannot write: No space left on device$")
    t.match(lines[#lines], "x%.log: written again, 0 records were lost$")
    local text = read(dir .. "/real.log")
    for i = 1, 10 do t.match(text, ": line " .. i .. "\n") end
  end)
end)

t.test("records of many threads survive every change of destination, once each and in order", function()
  with_directory(function(dir)
    local threads, running, each = {}, 4, 3000 // t.slowdown
    local names = { dir .. "/1.log", dir .. "/2.log", dir .. "/3.log" }
    assert(log.to(names[1]))
    for i = 1, running do
      threads[i] = llthreads.new([[
        local log, i, each = require "troupe.log", ...
        for n = 1, each do log.error("%d %d", i, n) end ]], i, each):start()
    end
    local at = 1
    for i = 1, running do
      repeat
        at = at % 3 + 1
        assert(log.to(names[at]))
      until not threads[i]:alive()
      threads[i]:join()
    end
    assert(log.to "stderr")
    local seen, count = {}, 0
    for _, name in ipairs(names) do
      local last = {}
      for _, line in ipairs(lines_of(read(name))) do
        local i, n = line:match ": (%d+) (%d+)$"
        t.ok(not seen[i .. " " .. n], line)
        t.ok(not last[i] or tonumber(n) > last[i], line)
        seen[i .. " " .. n], last[i] = true, tonumber(n)
        count = count + 1
      end
    end
    t.eq(count, running * each)
  end)
end)

t.test("without descriptors a destination is refused, and is there again with them", function()
  local status, out, err = t.script [[
    local log, files = require "troupe.log", {}
    local name = os.tmpname()
    repeat files[#files + 1] = io.open "/dev/null" until not io.open "/dev/null"
    print(log.to(name))
    print(log.to "tcp://127.0.0.1:1")
    log.error "said nevertheless"
    for _, file in ipairs(files) do file:close() end
    print(log.to(name))
    log.error "to the file"
    print(log.to "stderr", io.open(name):read "a":match "to the file")
    os.remove(name) ]]
  t.eq(status, 0)
  t.match(err, ": said nevertheless\n$")
  t.match(out, "^nil\t[^\n]+\nnil\t[^\n]+\ntrue\ntrue\tto the file\n$")
end)

-- ---- what does not fit, and what nobody takes

t.test("a sink that is absent blocks nobody, and what does not fit is counted", function()
  local status, out, err = t.script [[
    local log = require "troupe.log"
    assert(log.to("ipc:///tmp/troupe-nobody-listens-" .. tostring {}:match "0x(%x+)", { queue = 20000 }))
    for i = 1, 5000 do log.error("line %d", i) end
    local counts = log.counts()
    print(counts.said, counts.dropped > 4000, log.flush(0.01))
    assert(log.to "stderr") ]]
  t.eq(status, 0)
  t.eq(out, "5000\ttrue\tnil\ttimeout\n")
  t.match(err, "records could not be delivered\n")
  t.match(err, "%d+ records were dropped: the log's queue was full\n")
end)

t.test("a function that fails takes nothing with it", function()
  local status, _, err = t.script [[
    local log = require "troupe.log"
    log.to(function() error("sour", 0) end)
    log.error "kept" ]]
  t.eq(status, 0)
  t.match(err, ": kept\n.*the log's function failed: sour\n$")
end)

t.test("a function's queue is bounded, and its vm gets what other vms said while it was busy", function()
  local records = {}
  assert(log.to(function(record) records[#records + 1] = record.message end, { queue = 10000 }))
  llthreads.new "local log = require 'troupe.log' for i = 1, 1000 do log.error('%d', i) end":start():join()
  await("the records", function() return #records > 0 end)
  assert(log.to "stderr")
  for i = 1, #records - 1 do t.eq(records[i], tostring(i)) end
  t.match(records[#records], "^%d+ records were dropped: the log's queue was full$")
  t.eq(tonumber(records[#records]:match "%d+") + #records - 1, 1000)
end)

t.test("what came last reaches the function before its vm is closed", function()
  local status, out, err = t.script [[
    local log = require "troupe.log"
    log.to(function(record) print(record.message) end)
    require "llthreads".new "require 'troupe.log'.error 'from the thread'":start():join() ]]
  t.eq(err, "")
  t.eq(out, "from the thread\n")
  t.eq(status, 0)
end)

t.test("flush in a task lets others run", function()
  with_directory(function(dir)
    assert(log.to(dir .. "/x.log"))
    local task = troupe.task
    local flushed = task.spawn(function()
      log.error "x"
      return log.flush(60)
    end)
    local ok, result = task.join(flushed)
    t.eq(ok, true)
    t.eq(result, true)
    assert(log.to "stderr")
    t.match(read(dir .. "/x.log"), ": x\n$")
  end)
end)

t.finish()
