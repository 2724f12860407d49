-- process.lua - workers that are processes: the same pool, and what it buys.

local t = require "harness"
local troupe = require "troupe"

local test, eq, ok, match, raises, deep = t.test, t.eq, t.ok, t.match, t.raises, t.deep

local patience = t.script_deadline

local function pool_of(n, options)
  options = options or {}
  options.workers, options.isolation = n, "process"
  return troupe.pool(options)
end

local function pid()
  return math.tointeger(tonumber(io.open "/proc/self/stat":read "a":match "^%d+"))
end

local function is_alive(id)
  local file = io.open(("/proc/%d/stat"):format(id))
  if not file then return false end
  local state = file:read "a":match "%) (%a)"
  file:close()
  return state ~= "Z"
end

-- Waits until the condition holds.
local function await(what, condition)
  local deadline = os.time() + patience
  while not condition() do
    if os.time() > deadline then error(what .. ": not in time", 2) end
    require "troupe.task".sleep(0.005)
  end
end

-- Those that lead to other processes; posts to boxes that are gone are closed when others need the place.
local function descriptors()
  local count = 0
  collectgarbage()
  local list = io.popen("readlink /proc/" .. pid() .. "/fd/*")
  for line in list:lines() do
    if line:find "socket:" or line:find "pidfd" or line:find "pipe:" then count = count + 1 end
  end
  list:close()
  return count
end

test("jobs run in processes of their own", function()
  local pool <close> = pool_of(2)
  local job = pool:submit(pid)
  ok(job:await(patience) ~= pid())
  eq(pool:submit(function(a, b) return a + b end, 1, 2):await(patience), 3)
  ok(pool:shutdown { timeout = patience })
end)

test("values, errors and their tracebacks come back whole", function()
  local pool <close> = pool_of(1)
  local function add(v)
    v.more = { v.list[2], 1.5, "x\0y" }
    return v
  end
  deep(pool:submit(add, { list = { 1, 2, 3 } }):await(patience), { list = { 1, 2, 3 }, more = { 2, 1.5, "x\0y" } })
  local good, e = pool:submit(function() error { code = 7 } end):join(patience)
  eq(good, false)
  deep(e, { code = 7 })
  good, e = pool:submit(function() error "plain" end):join(patience)
  eq(good, false)
  match(e, "plain")
  local large = ("0123456789abcdef"):rep(1 << 17)
  eq(pool:submit(function(s) return s .. "!" end, large):await(patience), large .. "!")
end)

test("map, and many jobs", function()
  local pool <close> = pool_of(2)
  local list = {}
  for i = 1, 5000 // t.slowdown do list[i] = i end
  local got = pool:map(function(i) return i * i end, list)
  for i in ipairs(list) do eq(got[i], i * i) end
  local jobs = {}
  for i = 1, 2000 // t.slowdown do jobs[i] = pool:submit(function(n) return n end, i) end
  for i, job in ipairs(jobs) do eq(job:await(patience), i) end
end)

test("light userdata and pointers of C functions are refused, with their place", function()
  local pool <close> = pool_of(1)
  local pointer = require "troupe.core".null or nil
  raises("unknown option", function() troupe.pool { isolations = 1 } end)
  local good, e = pool:submit(function() return io.stdout end):join(patience)
  eq(good, false)
  match(e, "result")
  if pointer then raises("argument 1", function() pool:submit(print, pointer) end) end
  eq(pool:submit(function(f) return f == string.rep end, string.rep):await(patience), true)
end)

test("a process that ends costs its job only, and the next one has a new process", function()
  local pool <close> = pool_of(1)
  local first = pool:submit(pid):await(patience)
  local good, e = pool:submit(function() os.exit(3) end):join(patience)
  eq(good, false)
  match(e, "lost.*exit status 3")
  local other = pool:submit(pid):await(patience)
  ok(other ~= first)
  good, e = pool:submit(function(id) os.execute("kill -9 " .. id) end, other):join(patience)
  eq(good, false)
  match(e, "lost.*killed by signal 9")
  eq(pool:submit(function() return 1 end):await(patience), 1)
  eq(pool:stats().lost, 2)
end)

test("a job with retries runs again when its process is killed", function()
  local pool <close> = pool_of(2)
  local mark = os.tmpname()
  local function once(path, id)
    local file = io.open(path, "r+")
    local seen = file:read "a"
    file:write "x"
    file:close()
    if seen == "" then os.execute("kill -9 " .. id()) end
    return #seen
  end
  eq(pool:submit({ once, retries = 3 }, mark, pid):await(patience), 1)
  os.remove(mark)
end)

test("what had not begun in a killed process runs elsewhere", function()
  local pool <close> = pool_of(1)
  local id = pool:submit(pid):await(patience)
  local long = pool:submit(function() while true do end end)
  await("the job runs", function() return long:status() == "running" end)
  local rest = {}
  for i = 1, 20 do rest[i] = pool:submit(function(n) return n end, i) end
  os.execute("kill -9 " .. id)
  local good, e = long:join(patience)
  eq(good, false)
  match(e, "lost")
  for i, job in ipairs(rest) do eq(job:await(patience), i) end
end)

test("kill ends Lua code, and C code that nothing else reaches", function()
  local pool <close> = pool_of(1)
  local id = pool:submit(pid):await(patience)
  local job = pool:submit(function() while true do pcall(function() while true do end end) end end)
  await("the job runs", function() return job:status() == "running" end)
  ok(job:kill(0))
  local good, e = job:join(patience)
  eq(good, false)
  eq(e, "killed")
  if t.slowdown == 1 then eq(pool:submit(pid):await(patience), id, "the process lives on") end
  job = pool:submit(function() return ("a"):rep(1000):find((".-"):rep(30) .. "b") end)
  await("the job runs", function() return job:status() == "running" end)
  ok(job:kill(0))
  good, e = job:join(patience)
  eq(good, false)
  eq(e, "killed")
  eq(pool:submit(function() return 2 end):await(patience), 2)
end)

test("a job that runs longer than its timeout is ended", function()
  local pool <close> = pool_of(1)
  local good, e = pool:submit({ function() while true do end end, timeout = 0.05 }):join(patience)
  eq(good, false)
  eq(e, "timeout")
end)

test("a job that takes too much processor time is ended, however it spends it; waiting costs nothing", function()
  local pool <close> = pool_of(1, { cpu_limit = 0.2 })
  local id = pool:submit(pid):await(patience)
  local function spin() while true do pcall(function() while true do end end) end end
  local function asked() while require "troupe".checkin() do end return "asked" end
  local function stuck() return ("a"):rep(1000):find((".-"):rep(30) .. "b") end
  local function turns() -- in many stretches, with rests between them
    while true do
      for _ = 1, 10000 do end -- luacheck: ignore
      require "troupe.task".sleep(0)
    end
  end
  for _, spend in ipairs { spin, asked, turns } do
    deep({ pool:submit(spend):join(patience) }, { false, "cpu limit" })
  end
  if t.slowdown == 1 then eq(pool:submit(pid):await(patience), id, "the process lives on") end
  deep({ pool:submit(stuck):join(patience) }, { false, "cpu limit" })
  eq(pool:submit(function() require "troupe.task".sleep(0.5) return 1 end):await(patience), 1)
  deep({ pool:submit({ spin, retries = 1 }):join(patience) }, { false, "cpu limit" })
  eq(pool:stats().retried, 1)
  raises("option 'cpu_limit' needs isolation", function() troupe.pool { cpu_limit = 1 } end)
  raises("option 'cpu_limit': more than 0", function() pool_of(1, { cpu_limit = 0 }) end)
end)

test("a job that was handed and has not begun is cancelled, and never runs", function()
  local pool <close> = pool_of(1)
  local gate = os.tmpname()
  pool:map(function(i) return i end, { 1, 2, 3, 4 }, { chunk = 1 }) -- short ones: more are handed in advance
  local first = pool:submit(function(path) while io.open(path) do end return true end, gate)
  local jobs = {}
  for i = 1, 10 do jobs[i] = pool:submit(function(n) return n end, i) end
  await("the job runs", function() return first:status() == "running" end)
  for i = 1, 10, 2 do eq(jobs[i]:cancel(), true) end
  eq(first:cancel(), false)
  os.remove(gate)
  eq(first:await(patience), true)
  for i = 1, 10 do
    local good, e = jobs[i]:join(patience)
    eq(good, i % 2 == 0)
    eq(e, i % 2 == 0 and i or "cancelled")
  end
end)

test("a job may submit jobs to a pool of its own, and wait for them", function()
  local pool <close> = pool_of(2)
  local sum = pool:submit(function()
    local inner <close> = require "troupe".pool { workers = 1 }
    local total = 0
    for _, v in ipairs(inner:map(function(i) return i * 10 end, { 1, 2, 3 })) do total = total + v end
    return total
  end)
  eq(sum:await(patience), 60)
end)

test("tasks are notified from a process, and in one", function()
  local task = require "troupe.task"
  local pool <close> = pool_of(1)
  local got
  local here = task.spawn(function() got = { task.wait("go", patience) } end)
  local job = pool:submit(function(id)
    local t_ = require "troupe.task"
    return t_.notify(id, "go", "from afar")
  end, here)
  eq(job:await(patience), true)
  await("the task is told", function() return got end)
  match(table.concat(got, " "), "from afar")
end)

test("what a job sends on its way arrives in order", function()
  local pool <close> = pool_of(1)
  local job = pool:submit(function(n)
    for i = 1, n do require "troupe".emit(i, "of " .. n) end
    return "done"
  end, 100)
  local got = {}
  for i, text in job:stream(8) do got[#got + 1] = i .. " " .. text end
  eq(#got, 100)
  eq(got[100], "100 of 100")
  eq(job:await(patience), "done")
end)

test("init runs in each process, and its failure is the jobs' error", function()
  local pool <close> = pool_of(2, { init = function(worker, word) said = word .. worker end, init_args = { "w" } }) -- luacheck: ignore
  match(pool:submit(function() return said end):await(patience), "^w[12]$") -- luacheck: ignore
  local bad <close> = pool_of(1, { init = function() error "no such thing" end })
  local good, e = bad:submit(function() end):join(patience)
  eq(good, false)
  match(e, "no such thing")
end)

test("a process that dies again and again at its start is given up, with the reason", function()
  local pool <close> = pool_of(1, { init = function() os.exit(5) end })
  local good, e = pool:submit(function() end):join(patience)
  eq(good, false)
  match(e, "does not come up, 5 times in a row: exit status 5")
end)

test("a program that is no troupe, or another version, is refused", function()
  local code = [[
    local troupe = require "troupe"
    local pool = troupe.pool { workers = 1, isolation = "process" }
    print(select(2, pool:submit(function() end):join(50)))
    pool:close()
  ]]
  local script, source = os.tmpname(), os.tmpname()
  local function try(program)
    local file = io.open(script, "w")
    file:write("#!/bin/sh\n", program, "\n")
    file:close()
    os.execute("chmod +x " .. script)
    file = io.open(source, "w")
    file:write(code)
    file:close()
    local _, out = t.run { "env", "TROUPE=" .. script, arg[-1], source }
    return out
  end
  match(try "exit 9", "does not come up, 5 times in a row: exit status 9")
  match(try [[printf 'troupe.\0009.8.7%035d%016d' 0 0 >&3; sleep 1]], "version 9%.8%.7.*this is version %d")
  os.remove(script)
  local _, out = t.run { "env", "TROUPE=" .. script, arg[-1], source }
  match(out, "TROUPE may name it")
  match(out, script, "where it looked")
  os.remove(source)
end)

test("options: environment, directory, niceness", function()
  local pool <close> = pool_of(1, { env = { TROUPE_TEST = "yes", HOME = false }, cwd = "/", nice = 3 })
  deep({ pool:submit(function()
    return os.getenv "TROUPE_TEST", os.getenv "HOME" or false, io.popen "pwd":read "l", io.popen "nice":read "l"
  end):await(patience) }, { "yes", false, "/", io.popen "nice -n 3 nice":read "l" })
  if io.popen "id -u":read "l" == "0" then
    local other <close> = pool_of(1, { uid = 12345, gid = 54321 })
    deep({ other:submit(function()
      return io.popen "id -u":read "l", io.popen "id -g":read "l", io.popen "id -G":read "l"
    end):await(patience) }, { "12345", "54321", "54321" })
  else
    local other <close> = pool_of(1, { uid = 0 })
    match(select(2, other:submit(function() end):join(patience)), "options 'uid' and 'gid'.*not permitted")
  end
  local bad <close> = pool_of(1, { cwd = "/no/such/place" })
  match(select(2, bad:submit(function() end):join(patience)), "option 'cwd'.*No such file")
  raises("needs isolation", function() troupe.pool { cwd = "/" } end)
  raises("\"thread\" or \"process\" expected", function() troupe.pool { isolation = "fork" } end)
  raises("option 'env'", function() pool_of(1, { env = { "x" } }) end)
  raises("option 'env'", function() pool_of(1, { env = { ["A=B"] = "x" } }) end)
  raises("option 'env': A: string", function() pool_of(1, { env = { A = {} } }) end)
  raises("option 'cwd': path", function() pool_of(1, { cwd = "" }) end)
  raises("option 'cwd': path", function() pool_of(1, { cwd = "a\0b" }) end)
  raises("option 'uid': integer of at least 0", function() pool_of(1, { uid = -1 }) end)
  raises("option 'uid': integer of at most 4294967294", function() pool_of(1, { uid = 1 << 32 }) end)
  raises("option 'gid': integer of at most 4294967294", function() pool_of(1, { gid = (1 << 32) - 1 }) end)
  raises("option 'nice': integer from", function() pool_of(1, { nice = 41 }) end)
end)

test("libs are chosen in a process as in a thread; preload is refused", function()
  local pool <close> = pool_of(1, { libs = { "string", "package" } })
  deep({ pool:submit(function() return type(string), type(os) end):await(patience) }, { "table", "nil" })
  raises("option 'preload'", function() pool_of(1, { preload = { x = print } }) end)
end)

test("a worker's memory is limited, and it goes on", function()
  local pool <close> = pool_of(1, { memory_limit = 4 << 20 })
  local good, e = pool:submit(function() return #("x"):rep(64 << 20) end):join(patience)
  eq(good, false)
  match(e, "not enough memory")
  eq(pool:submit(function() return 1 end):await(patience), 1)
end)

test("output goes to the program's by whole lines, before the job's outcome", function()
  local _, out, err = t.script [[
    local pool = require "troupe".pool { workers = 2, isolation = "process" }
    local jobs = {}
    for i = 1, 20 do
      jobs[i] = pool:submit(function(n)
        for _ = 1, 5 do io.write("job ", n) io.write(" writes\n") end
        io.stderr:write("error ", n, "\n")
      end, i)
    end
    for _, job in ipairs(jobs) do job:await() end
    pool:shutdown()
  ]]
  local lines = 0
  for line in out:gmatch "[^\n]+" do
    match(line, "^job %d+ writes$")
    lines = lines + 1
  end
  eq(lines, 100)
  for i = 1, 20 do match(err, ("error %d\n"):format(i)) end
end)

test("lines may go to a function; those of the other stream stay the program's", function()
  local lines = {}
  local pool <close> = pool_of(1, { stdout = function(line) lines[#lines + 1] = line end })
  pool:submit(function()
    print "one"
    io.write "two\n\nthree"
    os.exit(0, true)
  end):join(patience)
  await("all lines are there", function() return #lines >= 4 end)
  deep(lines, { "one", "two", "", "three" })
end)

test("processes inherit the standard descriptors and their socket, and no other", function()
  local file = io.open "/proc/self/status"
  local pool <close> = pool_of(1)
  eq(pool:submit(function()
    return io.popen("readlink /proc/$PPID/fd/* | grep -c status"):read "l"
  end):await(patience), "0")
  file:close()
end)

test("no descriptor and no process stays behind", function()
  local ids = {}
  local function life()
    local pool = pool_of(2)
    for _ = 1, 2 do ids[#ids + 1] = pool:submit(function(f) return f() end, pid):await(patience) end
    pool:shutdown { timeout = patience }
  end
  life()
  local before = descriptors()
  for _ = 1, 3 do life() end
  -- Those of earlier tests may be closing still.
  await("there are no more descriptors than before", function() return descriptors() <= before end)
  for _, id in ipairs(ids) do await("process " .. id .. " is gone", function() return not is_alive(id) end) end
end)

test("when the program is killed, its processes end", function()
  local source, list = os.tmpname(), os.tmpname()
  local file = io.open(source, "w")
  file:write([[
    local pool = require "troupe".pool { workers = 3, isolation = "process" }
    local jobs = {}
    for i = 1, 3 do
      jobs[i] = pool:submit(function() print(io.open "/proc/self/stat":read "a":match "^%d+") while true do end end)
    end
    jobs[1]:await()
  ]])
  file:close()
  os.execute(("timeout 600 %s %s >%s & echo $! >%s.pid"):format(arg[-1], source, list, list))
  local ids
  await("three processes run", function()
    ids = {}
    for id in io.lines(list) do ids[#ids + 1] = math.tointeger(tonumber(id)) end
    return #ids == 3
  end)
  local parent = io.open(("/proc/%d/stat"):format(ids[1])):read "a":match "%) %a (%d+)"
  os.execute("kill -9 " .. parent)
  for _, id in ipairs(ids) do await("process " .. id .. " is gone", function() return not is_alive(id) end) end
  os.remove(source)
  os.remove(list)
  os.remove(list .. ".pid")
end)

test("a worker that is lost is in the log", function()
  local said = {}
  assert(troupe.log.to(function(record) said[#said + 1] = record end))
  local pool = troupe.pool { workers = 1, isolation = "process", name = "mortal" }
  pool:submit(function() os.execute "kill -9 $PPID" end):join(patience)
  await("the record", function() return said[1] end)
  pool:shutdown { soon = true }
  assert(troupe.log.to "stderr")
  eq(said[1].level, "warning")
  match(said[1].message, "^worker 1 of pool mortal is lost: killed by signal 9")
  eq(#said, 1)
end)

t.finish()
