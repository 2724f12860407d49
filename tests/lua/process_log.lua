-- process_log.lua - what worker processes say in the log is the program's: as records, where its own go, whatever
-- becomes of the process; and the level of all vms is that of theirs too.

local t = require "harness"
local troupe = require "troupe"
local log = require "troupe.log"
local fixture = require "log_fixture"

local patience = t.script_deadline
local test, eq, ok, match, deep = t.test, t.eq, t.ok, t.match, t.deep

local function pool_of(n)
  return troupe.pool { workers = n, isolation = "process" }
end

local function pid()
  return io.open "/proc/self/stat":read "a":match "^%d+"
end

-- body(said): the records that the program is given meanwhile, in order.
local function with_records(body)
  local said = {}
  assert(log.to(function(record) said[#said + 1] = record end))
  local good, err = pcall(body, said)
  assert(log.to "stderr")
  log.set_level_all "warning"
  if not good then error(err, 0) end
end

local function await_count(said, count)
  fixture.await(count .. " records", function() return #said >= count end)
end

test("a record of a worker process is the program's, with the process's number and the job's", function()
  with_records(function(said)
    local pool <close> = pool_of(1)
    local id = pool:submit(pid):await(patience)
    local job = pool:submit(function()
      local say = require "troupe.log"
      say.error("number %d", 7)
      say.warning { a = 1, b = "x" }
      say.info "below the level"
    end)
    job:await(patience)
    await_count(said, 2)
    eq(#said, 2)
    local one, two = said[1], said[2]
    deep({ one.level, one.message, one.process, one.job }, { "error", "number 7", id, two.job })
    eq(math.type(one.job), "integer")
    match(one.source, "process_log%.lua:%d+$")
    ok(one.vm >= 1)
    ok(math.abs(one.time - os.time()) < 10 + patience)
    deep({ two.level, two.fields, two.process }, { "warning", { a = 1, b = "x" }, id })
  end)
end)

test("what is said stands before the outcome, and in order", function()
  with_records(function(said)
    local pool <close> = pool_of(1)
    local count = 2000 // t.slowdown
    pool:submit(function(n)
      local say = require "troupe.log"
      for i = 1, n do say.error("%d", i) end
    end, count):await(patience)
    log.error "after it"
    await_count(said, count + 1)
    for i = 1, count do eq(said[i].message, tostring(i)) end
    eq(said[count + 1].message, "after it")
    eq(said[count + 1].process, pid())
  end)
end)

test("what was said right before a process dies arrives, however large", function()
  with_records(function(said)
    local pool <close> = pool_of(1)
    for _, how in ipairs { "os.exit(3)", "os.execute 'kill -9 $PPID'", "require 'troupe.log' os.exit(0, true)" } do
      local before = #said
      local large = ("x"):rep(300000)
      local good = pool:submit("local text = ... require 'troupe.log'.error(text) " .. how, large):join(patience)
      eq(good, false)
      await_count(said, before + 2)
      eq(said[before + 1].message, large)
      match(said[before + 2].message, "is lost") -- the node's own word, behind it
    end
  end)
end)

test("many jobs in many processes speak at once, and every record arrives whole", function()
  with_records(function(said)
    local pool <close> = pool_of(3)
    local jobs, each = {}, 100 // t.slowdown + 1
    for i = 1, 12 do
      jobs[i] = pool:submit(function(me, n)
        local say = require "troupe.log"
        for k = 1, n do say.error { me = me, k = k } end
      end, i, each)
    end
    for _, job in ipairs(jobs) do job:await(patience) end
    await_count(said, 12 * each)
    local next_of = {}
    for _, record in ipairs(said) do
      local me = record.fields.me
      eq(record.fields.k, (next_of[me] or 0) + 1)
      next_of[me] = record.fields.k
    end
    eq(#said, 12 * each)
  end)
end)

test("the level of all vms is that of vms in processes: new ones, and those that run a job", function()
  with_records(function()
    log.set_level_all "info"
    local pool <close> = pool_of(1)
    local function level() return (require "troupe.log".level()) end
    eq(pool:submit(level):await(patience), "info")
    log.set_level_all "debug"
    eq(pool:submit(level):await(patience), "debug")
    local job = pool:submit(function()
      troupe = require "troupe" -- luacheck: ignore
      troupe.emit "here"
      while require "troupe.log".level() ~= "trace" do troupe.task.sleep(0.001) end -- luacheck: ignore
      return true
    end)
    eq(job:stream()(), "here")
    log.set_level_all "trace"
    eq(job:await(patience), true)
  end)
end)

test("a job sets the level of all vms, in the program and in its other processes", function()
  with_records(function()
    local pool <close> = pool_of(1)
    local other <close> = pool_of(1)
    local function level() return (require "troupe.log".level()) end
    eq(other:submit(level):await(patience), "warning")
    pool:submit(function() require "troupe.log".set_level_all "notice" end):await(patience)
    eq(log.level(), "notice")
    eq(other:submit(level):await(patience), "notice")
    eq(pool:submit(level):await(patience), "notice")
  end)
end)

test("the level of all vms, set again as it is, is that of a job that had set its own", function()
  with_records(function()
    local pool <close> = pool_of(1)
    local function level() return (require "troupe.log".level()) end
    eq(pool:submit(function()
      require "troupe.log".set_level "trace"
      return (require "troupe.log".level())
    end):await(patience), "trace")
    eq(pool:submit(level):await(patience), "trace")
    log.set_level_all "warning"
    eq(pool:submit(level):await(patience), "warning")
  end)
end)

test("a program and its processes that set the level at one moment agree in the end", function()
  with_records(function()
    local task = require "troupe.task"
    local pools <const> = { pool_of(1), pool_of(1) }
    local function level() return (require "troupe.log".level()) end
    local function set(mine)
      local troupe_ = require "troupe"
      troupe_.emit "ready"
      repeat troupe_.task.sleep(0) until require "troupe.log".level() ~= "warning"
      require "troupe.log".set_level_all(mine)
    end
    for round = 1, 60 // t.slowdown + 5 do
      log.set_level_all "warning"
      local a, b = pools[1]:submit(set, "error"), pools[2]:submit(set, "info")
      eq(a:stream()(), "ready")
      eq(b:stream()(), "ready")
      log.set_level_all "notice"
      local spun = os.clock() + round * 7 % 60 * 1e-5 -- about as long as it takes them to hear of it
      repeat task.sleep(0) until os.clock() >= spun
      log.set_level_all "debug"
      a:await(patience)
      b:await(patience)
      local agreed = log.level()
      for _, pool in ipairs(pools) do eq(pool:submit(level):await(patience), agreed, "round " .. round) end
    end
    for _, pool in ipairs(pools) do pool:shutdown() end
  end)
end)

test("a process that says where its log goes means its own records", function()
  with_records(function(said)
    local path = os.tmpname()
    local pool <close> = pool_of(1)
    pool:submit(function(file)
      local say = require "troupe.log"
      say.error "to the program"
      assert(say.to(file))
      say.error "to the file"
      say.flush(60)
    end, path):await(patience)
    log.error "of the program"
    await_count(said, 2)
    deep({ said[1].message, said[2].message }, { "to the program", "of the program" })
    local lines = fixture.lines_of(fixture.read(path))
    eq(#lines, 1)
    match(lines[1], "to the file$")
    os.remove(path)
  end)
end)

test("records of a process that a job started are the program's, with their own process's number", function()
  with_records(function(said)
    local pool <close> = pool_of(1)
    local id = pool:submit(function()
      local inner <close> = require "troupe".pool { workers = 1, isolation = "process" }
      return inner:submit(function()
        require "troupe.log".error "from below"
        return (io.open "/proc/self/stat":read "a":match "^%d+")
      end):await()
    end):await(patience)
    await_count(said, 1)
    deep({ said[1].message, said[1].process }, { "from below", id })
  end)
end)

test("in a file and at a sink they are records of their process", function()
  fixture.with_directory(function(dir)
    local path = dir .. "/log"
    local pool <close> = pool_of(1)
    local id = pool:submit(pid):await(patience)
    assert(log.to(path))
    log.error "here"
    pool:submit(function() require "troupe.log".error "there" end):await(patience)
    log.error "here again"
    ok(log.flush(patience))
    local lines = fixture.lines_of(fixture.read(path))
    eq(#lines, 3)
    match(lines[1], "%[ERROR%] " .. pid() .. "%.%d+ .*: here$")
    match(lines[2], "%[ERROR%] " .. id .. "%.%d+ .*: there$")
    match(lines[3], "%[ERROR%] " .. pid() .. "%.%d+ .*: here again$")

    local sunk = dir .. "/sunk"
    local sink <close> = assert(require "troupe.log_sink".open { pull = "ipc://" .. dir .. "/sink", file = sunk })
    assert(log.to("ipc://" .. dir .. "/sink"))
    log.error "here"
    pool:submit(function()
      require "troupe.log".error "there"
      require "troupe.log".error "there again"
    end):await(patience)
    log.error "here again"
    fixture.await("four records", function() return sink:counts().records >= 4 end)
    assert(log.to "stderr")
    sink:close()
    local who = {}
    for i, line in ipairs(fixture.lines_of(fixture.read(sunk))) do who[i] = line:match "%[ERROR%] [^ ]-:(%d+)%." end
    deep(who, { pid(), id, id, pid() })
  end)
end)

test("to standard error they go as the program's do, and what a job writes there stays a line", function()
  local script, out = os.tmpname(), os.tmpname()
  local file = assert(io.open(script, "w"))
  file:write [[
    local pool <close> = require "troupe".pool { workers = 1, isolation = "process" }
    pool:submit(function()
      io.stderr:write "a line\n"
      require "troupe.log".error "a record"
    end):await()
  ]]
  file:close()
  ok(os.execute(("%s %s 2>%s"):format(arg[-1], script, out)))
  local lines = fixture.lines_of(fixture.read(out))
  table.sort(lines, function(a, b) return #a < #b end)
  eq(#lines, 2)
  eq(lines[1], "a line")
  match(lines[2], "^%d%d%d%d%-.* %[ERROR%] .*: a record$")
  os.remove(script)
  os.remove(out)
end)

test("a program that a worker starts inherits neither socket nor log", function()
  local pool <close> = pool_of(1)
  eq(pool:submit(function()
    local list = io.popen "readlink /proc/self/fd/3 /proc/self/fd/4":read "a"
    return (list:match "socket:" or list:match "pipe:") or "neither"
  end):await(patience), "neither")
end)

t.finish()
