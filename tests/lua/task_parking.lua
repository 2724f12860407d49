-- task_parking.lua - who parks a task besides the tasks themselves: jobs, threads, descriptors and foreign loops.

local t = require "harness"
local troupe = require "troupe"
local task = require "troupe.task"

local test, eq, ok, match, raises, deep = t.test, t.eq, t.ok, t.match, t.raises, t.deep

-- ---- jobs are tasks

test("a job that awaits another job of its own pool of one worker does not deadlock", function()
  local pool <close> = troupe.pool{ workers = 1, name = "alone" }
  eq(pool:submit(function()
    local inner <close> = require "troupe".pool{ workers = 1 }
    return inner:submit(function() return "in" end):await()
  end):await(), "in")
end)

test("jobs that wait free their worker for others", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local jobs = {}
  for i = 1, 100 do
    jobs[i] = pool:submit(function(n)
      local inner = require "troupe.task"
      if n == 1 then
        _G.FIRST = inner.running()
        return inner.wait("go", 60)
      end
      if n == 100 then return require "troupe".notify(_G.FIRST, "go", "from the last") end
      inner.sleep(0.001)
      return n
    end, i)
  end
  for i = 2, 99 do eq(jobs[i]:await(), i) end
  eq(jobs[100]:await(), true)
  eq(jobs[1]:await(), "from the last")
end)

test("a pool that closes soon ends jobs that wait", function()
  local pool = troupe.pool{ workers = 1 }
  local job = pool:submit(function() require "troupe.task".sleep(1000) end)
  while job:status() ~= "running" do end
  eq(pool:shutdown{ soon = true }, true)
  eq(job:join(), false)
end)

test("nothing of troupe can be opened by what runs while a worker's vm closes", function()
  local status, _, err = t.script([[
    local pool = require "troupe".pool{ workers = 1 }
    pool:submit(function()
      local task = require "troupe.task"
      LATE = setmetatable({}, { __gc = function() io.stderr:write(tostring(select(2, pcall(task.spawn, print)))) end })
    end):await()
    pool:shutdown()
  ]])
  eq(status, 0)
  match(err, "this Lua state is closing")
end)

-- ---- threads among tasks

local llthreads = require "llthreads"

test("joining a thread parks the task", function()
  local gate = os.tmpname()
  os.remove(gate)
  local order = {}
  task.run(function()
    local thread = llthreads.new([[
      local gate = ...
      repeat local f = io.open(gate) until f
      return "opened"
    ]], gate):start()
    local joiner = task.spawn(function()
      deep({ thread:join(1) }, { nil, "timeout" })
      local _, result = thread:join()
      order[#order + 1] = result
    end)
    local other = task.spawn(function() return thread:join() end)
    local killed = task.spawn(function() thread:join() end)
    task.kill(killed)
    task.sleep(0.005)
    order[#order + 1] = "main"
    io.open(gate, "w"):close()
    eq(task.join(joiner), true)
    deep({ task.join(other) }, { true, nil, "Can't join a thread that has already been joined." })
  end)
  os.remove(gate)
  deep(order, { "main", "opened" })
end)

test("a thread joined outside any task lets the vm's tasks run", function()
  local ran = 0
  local thread = llthreads.new("repeat local f = io.open(...) until f return 5", os.tmpname() .. "x")
  local id = task.spawn(function()
    task.sleep(0.005)
    ran = 1
    thread:interrupt(true)
  end)
  thread:start()
  eq(thread:join(), false)
  eq(ran, 1)
  task.join(id)
end)

-- ---- foreign loops

local socket = require "socket"

local function wait_readable(fd)
  eq(#socket.select({ { getfd = function() return fd end, dirty = function() return false end } }, nil, 30), 1)
end

test("a foreign loop sees a readable descriptor whenever poll has something to do", function()
  local fd = task.fd()
  eq(math.type(fd), "integer")
  eq(task.fd(), fd)
  local woken = 0
  local id = task.spawn(function()
    task.sleep(0.005)
    woken = woken + 1
    task.wait("x", 30)
    woken = woken + 1
  end)
  local pool <close> = troupe.pool{ workers = 1 }
  task.poll()
  ok(woken == 1 or task.next_deadline() <= 0.005) -- unless it is due already
  while woken == 0 do
    wait_readable(fd)
    task.poll()
  end
  ok(task.next_deadline() > 1)
  pool:submit({ function(to) require "troupe".notify(to, "x") end, discard = true }, id)
  while woken == 1 do
    wait_readable(fd)
    task.poll()
  end
  eq(task.next_deadline(), nil)
end)

test("the descriptor tells of what was spawned and notified outside poll", function()
  local fd = task.fd()
  while task.poll() do end
  local woken = 0
  local id = task.spawn(function()
    task.sleep(0.001)
    woken = woken + 1
    task.wait("x", 30)
    woken = woken + 1
  end)
  wait_readable(fd)
  while woken == 0 do task.poll(1) end
  task.notify(id, "x")
  wait_readable(fd)
  while woken == 1 do task.poll() end
end)

test("a watched descriptor calls its function when it is ready, not again before that has ended", function()
  local server, client = socket.tcp4(), socket.tcp4()
  assert(server:bind("127.0.0.1", "0"))
  assert(server:listen(1))
  assert(client:connect("127.0.0.1", select(2, server:getsockname())))
  local peer = server:accept()
  peer:settimeout(0)
  local lines, running = {}, 0
  local handle = task.watch(peer, "r", function(mode)
    eq(mode, "r")
    running = running + 1
    eq(running, 1)
    lines[#lines + 1] = peer:receive("*l")
    task.sleep(0.001)
    running = running - 1
  end)
  raises("watched already", task.watch, peer, "r", print)
  client:send("one\ntwo\nthree\n")
  while #lines < 1 do task.poll(1) end
  client:send("four\n")
  while running > 0 do task.poll(1) end
  handle:close()
  handle:close()
  eq(lines[1], "one")
  raises("cannot be watched", task.watch, 1 << 20, "r", print)
  raises("invalid option", task.watch, peer, "x", print)
  for _, s in ipairs{ client, peer, server } do s:close() end
end)

test("an idle vm uses no processor time", function()
  local before = os.clock()
  task.run(function() task.sleep(0.3) end)
  ok(os.clock() - before < 0.1, "used " .. os.clock() - before)
end)

t.finish()
