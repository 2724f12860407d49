-- process_limit.lua - bounded queues of pools to which worker processes submit: the limit is one for all, who waits is
-- woken, and no place is lost with a process, whenever it dies.

local await = require "await"
local places = require "places"
local t = require "harness"
local troupe = require "troupe"
local task = require "troupe.task"

local test, eq, ok, match, deep = t.test, t.eq, t.ok, t.match, t.deep

local patience = t.script_deadline

local function nothing() end

local function limited(limit, options)
  options = options or {}
  options.workers, options.queue_limit, options.name = options.workers or 1, limit, "limited"
  return troupe.pool(options)
end

local function callers(count)
  return troupe.pool { workers = count, concurrency = 1, isolation = "process" } -- one job, one process
end

test("what one process submits fills the queue for all", function()
  local pool <close> = limited(3)
  local two <close> = callers(2)
  pool:pause()
  local function fill(most)
    local found, jobs = require "troupe".find_pool "limited", {}
    for i = 1, most do
      local job, why = found:submit({ type, enqueue_timeout = 0 }, 1)
      if not job then return #jobs, why, found:stats().pending end
      jobs[i] = job
    end
    require "troupe".emit(#jobs)
    for _, job in ipairs(jobs) do job:await() end
    return #jobs, "ran", 0
  end
  local first = two:submit(fill, 2)
  eq(first:stream()(), 2)
  local third = ok(pool:submit({ type, enqueue_timeout = 0 }, 1))
  deep({ two:submit(fill, 2):await(patience) }, { 0, "full", 3 })
  deep({ pool:submit({ type, enqueue_timeout = 0 }, 1) }, { nil, "full" })
  pool:resume()
  deep({ first:await(patience) }, { 2, "ran", 0 })
  eq(third:await(patience), "number")
  eq(places(pool), 3)
end)

test("who submits in a process waits for a place, gives up in time, and is told", function()
  local pool <close> = limited(1)
  local one <close> = callers(1)
  pool:pause()
  local held = pool:submit(type, 1)
  deep({ one:submit(function()
    local found = require "troupe".find_pool "limited"
    local told
    local job, why = found:submit({ type, enqueue_timeout = 0.005, on_enqueue_timeout = function(v) told = v end }, 7)
    return job, why, told, select("#", found:submit({ type, enqueue_timeout = 0 }, 1))
  end):await(patience) }, { nil, "full", 7, 2 })
  local caller = one:submit(function()
    local troupe_ = require "troupe"
    local found = troupe_.find_pool "limited"
    local got
    troupe_.task.spawn(function() got = found:submit(type, "x"):await() end)
    troupe_.task.sleep(0)
    troupe_.emit(found:stats().pending) -- the node has the question, too
    while not got do troupe_.task.sleep(0.001) end
    return got
  end)
  eq(caller:stream()(), 1)
  eq(caller:status(), "running")
  pool:resume()
  eq(held:await(patience), "number")
  eq(caller:await(patience), "string")
  eq(places(pool), 1)
end)

test("places are given first come, first served, wherever who waits lives", function()
  local pool <close> = limited(1)
  local one <close> = callers(1)
  pool:pause()
  pool:submit(nothing)
  local function mark(who)
    _G.order = (_G.order or "") .. who
    return _G.order
  end
  local first, third
  task.spawn(function() first = pool:submit(mark, 1):await() end)
  task.sleep(0)
  eq(pool:stats().pending, 1)
  local caller = one:submit(function(fn)
    local troupe_ = require "troupe"
    local found = troupe_.find_pool "limited"
    local second
    troupe_.task.spawn(function() second = found:submit(fn, 2):await() end)
    troupe_.task.sleep(0)
    found:stats()
    troupe_.emit "it waits"
    while not second do troupe_.task.sleep(0.001) end
    return second
  end, mark)
  eq(caller:stream()(), "it waits")
  task.spawn(function() third = pool:submit(mark, 3):await() end)
  pool:resume()
  eq(caller:await(patience), "12")
  await(function() return third end)
  deep({ first, third }, { "1", "123" })
end)

-- Runs fn("module troupe", a handle on the pool) in a process, which then kills itself.
local function die(pool, fn)
  local one <close> = callers(1)
  local good, why = one:submit(function(body)
    local troupe_ = require "troupe"
    body(troupe_, troupe_.find_pool "limited")
    os.execute "kill -9 $PPID"
    troupe_.task.sleep(60)
  end, fn):join(patience)
  eq(good, false)
  match(why, "^lost: .*killed by signal 9")
  return places(pool)
end

test("a process that is killed with a place in its hand gives it back", function()
  local pool <close> = limited(2)
  eq(die(pool, function(_, found)
    local core = require "troupe.core"
    held = { core.place(found), core.place(found), core.place(found) } -- luacheck: ignore
    assert(core.await_place(found, held[1]) == true) -- luacheck: ignore
    assert(core.await_place(found, held[2], nil, true) == true) -- luacheck: ignore
    assert(core.await_place(found, held[3], nil, true) == nil) -- luacheck: ignore
  end), 2)
end)

test("a process that is killed while its jobs wait gives their places back", function()
  local pool <close> = limited(2)
  pool:pause()
  eq(die(pool, function(_, found)
    found:submit(type, 1)
    found:submit(type, 1)
  end), 2)
end)

test("a process that is killed while it waits for a place gets none", function()
  local pool <close> = limited(1)
  pool:pause()
  local held = pool:submit(type, 1)
  local one <close> = callers(1)
  local caller = one:submit(function()
    local troupe_ = require "troupe"
    local found = troupe_.find_pool "limited"
    for _ = 1, 3 do troupe_.task.spawn(function() found:submit(type, 1) end) end
    troupe_.task.sleep(0)
    found:stats()
    os.execute "kill -9 $PPID"
    troupe_.task.sleep(60)
  end)
  match(select(2, caller:join(patience)), "^lost")
  pool:resume()
  eq(held:await(patience), "number")
  eq(pool:submit(type, 1):await(patience), "number") -- the gate is open again
  eq(places(pool), 1)
end)

test("a process that ends in the middle of a submit loses no place", function()
  local pool <close> = limited(2, { workers = 2 })
  local two <close> = callers(2)
  local jobs = {}
  for i = 1, 24 do
    jobs[i] = two:submit(function(n)
      local found = require "troupe".find_pool "limited"
      for k = 1, n % 7 do found:submit({ nothing, enqueue_timeout = k % 2 == 0 and 0 or nil }) end
      os.exit(3)
    end, i)
  end
  for i = 1, #jobs do match(select(2, jobs[i]:join(patience)), "^lost: .*exit status 3") end
  await(function()
    local now = pool:stats()
    return now.pending + now.handed == 0
  end, "the end of what dead processes had submitted")
  eq(places(pool), 2)
end)

test("a vm that closes in a process gives back what it holds, and its process goes on", function()
  local pool <close> = limited(2)
  local one <close> = callers(1)
  eq(one:submit(function()
    local llthreads = require "llthreads2"
    local thread = llthreads.new [[
      local troupe = require "troupe"
      local core = require "troupe.core"
      local found = troupe.find_pool "limited"
      one, two = core.place(found), core.place(found)
      return core.await_place(found, one), core.await_place(found, two, nil, true)
    ]]
    assert(thread:start())
    local good, first, second = thread:join()
    return good and first and second
  end):await(patience), true)
  eq(places(pool), 2)
end)

test("a job in a process that is killed while it waits for a place gives up the wait", function()
  local pool <close> = limited(1)
  local one <close> = callers(1)
  pool:pause()
  local held = pool:submit(type, 1)
  local caller = one:submit(function()
    local troupe_ = require "troupe"
    local found = troupe_.find_pool "limited"
    found:stats()
    troupe_.emit "here"
    found:submit(type, 1)
  end)
  eq(caller:stream()(), "here")
  ok(caller:kill(0))
  deep({ caller:join(patience) }, { false, "killed" })
  eq(one:submit(function() require "troupe".find_pool "limited":stats() return 1 end):await(patience), 1)
  pool:resume()
  eq(held:await(patience), "number")
  eq(places(pool), 1)
end)

test("closing the pool ends the waiting in a process, and a pool that is gone is told", function()
  local pool, one <close> = limited(1), callers(1)
  pool:pause()
  pool:submit(type, 1)
  local caller = one:submit(function()
    local troupe_ = require "troupe"
    local found = troupe_.find_pool "limited"
    local good, err
    troupe_.task.spawn(function() good, err = pcall(found.submit, found, type, 1) end)
    troupe_.task.sleep(0)
    found:stats()
    troupe_.emit "it waits"
    while good == nil do troupe_.task.sleep(0.001) end
    local later, gone = pcall(found.submit, found, type, 1)
    local now, at_once = pcall(found.submit, found, { type, enqueue_timeout = 0 }, 1)
    return good, err, later, gone, now, at_once
  end)
  eq(caller:stream()(), "it waits")
  ok(pool:shutdown { timeout = patience, soon = true })
  local answer = { caller:await(patience) }
  for i = 1, 6, 2 do
    eq(answer[i], false)
    match(answer[i + 1], "submit: the pool is closed")
  end
end)

test("a job that cannot be sent from a process gives its place back", function()
  local pool <close> = limited(1)
  local one <close> = callers(1)
  eq(one:submit(function()
    local found = require "troupe".find_pool "limited"
    local good, why = pcall(found.submit, found, type, io.stdout)
    return not good and why:find "cannot send a userdata" and found:stats().pending
  end):await(patience), 0)
  eq(places(pool), 1)
end)

test("a pool that a job opens in its process may have a limit of its own", function()
  local one <close> = callers(1)
  deep({ one:submit(function(n)
    local troupe_ = require "troupe"
    local pool <close> = troupe_.pool { workers = 1, queue_limit = 2 }
    pool:pause()
    local jobs = { pool:submit(type, 1), pool:submit(type, 1) }
    local full, why = pool:submit({ type, enqueue_timeout = 0 }, 1)
    pool:resume()
    local sum, most = 0, 0
    for i = 1, n do
      pool:submit({ function(v) return v end, on_success = function(_, v) sum = sum + v end }, i)
      most = math.max(most, pool:stats().pending)
    end
    pool:join()
    for _, job in ipairs(jobs) do job:await() end
    while sum < n * (n + 1) // 2 do troupe_.task.sleep(0.001) end
    return full, why, most <= 2
  end, 100 // t.slowdown + 3):await(patience) }, { nil, "full", true })
end)

test("no place is lost or made, whoever gives up, is killed or ends when", function()
  local pool <close> = limited(3, { workers = 2 })
  local three <close> = callers(3)
  local function life(n, seed)
    local troupe_ = require "troupe"
    local found = troupe_.find_pool "limited"
    local running, sent, full, ended = 4, 0, 0, 0
    for i = 1, running do
      troupe_.task.spawn(function()
        for k = 1, n do
          local timeout = (i + k + seed) % 4 * 0.0002
          local job = found:submit { function() end, enqueue_timeout = timeout < 0.0006 and timeout or nil,
            on_complete = function() ended = ended + 1 end }
          if job then sent = sent + 1 else full = full + 1 end
          if k % 5 == 0 and job then job:cancel() end
        end
        running = running - 1
      end)
    end
    if seed % 3 == 0 then
      while sent + full < n do troupe_.task.sleep(0) end
      os.execute "kill -9 $PPID"
    end
    while running > 0 or ended < sent do troupe_.task.sleep(0.0005) end
    return sent + full
  end
  local n, lives = 50 // t.slowdown + 5, {}
  for seed = 1, 9 do lives[seed] = three:submit(life, n, seed) end
  for seed, job in ipairs(lives) do
    local good, value = job:join(patience)
    if seed % 3 == 0 then match(value, "^lost") else deep({ good, value }, { true, 4 * n }) end
  end
  ok(pool:join(patience))
  eq(places(pool), 3)
end)

t.finish()
