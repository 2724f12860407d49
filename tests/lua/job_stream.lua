-- job_stream.lua - what jobs send while they run: emit, stream, windows; sync, take, resume.

local t = require "harness"
local await = require "await"
local troupe = require "troupe"
local task = require "troupe.task"

local test, eq, ok, match, raises, deep = t.test, t.eq, t.ok, t.match, t.raises, t.deep

-- Emits 1..n; says where it was stopped.
local function count(n)
  local inside = require "troupe"
  for i = 1, n do
    if not inside.emit(i) then return "stopped", i end
  end
  return "all"
end

local function sync(n)
  local inside = require "troupe"
  for i = 1, n do
    if not inside.sync(i, i * i) then return "stopped", i end
  end
  return "all"
end

local function collect(job, window)
  local list = {}
  for value in job:stream(window) do list[#list + 1] = value end
  return list
end

local function range(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

test("what a job emits comes in order, before its results", function()
  local pool <close> = troupe.pool{ workers = 2 }
  for _, window in ipairs{ false, 1, 2, 7, 1000 } do
    local job = pool:submit(count, 500)
    deep(collect(job, window or nil), range(500))
    eq(job:await(), "all")
    eq(job:status(), "finished")
  end
end)

test("emits carry any values, several and none", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit(function()
    local inside = require "troupe"
    inside.emit("a", nil, { 1, { 2 } })
    inside.emit()
    inside.emit(nil, 3)
    inside.emit(("x"):rep(100000))
  end)
  local items = {}
  for a, b, c in job:stream() do items[#items + 1] = { a, b, c } end
  eq(#items, 4)
  deep(items[1], { "a", nil, { 1, { 2 } } })
  deep(items[2], { false })
  deep(items[3], { false, 3 })
  eq(#items[4][1], 100000)
end)

test("a job that nobody takes from is at most its window ahead, and its worker free for others", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit(function(n)
    local inside = require "troupe"
    for i = 1, n do
      _G.SENT = i
      inside.emit(i)
    end
  end, 1000)
  await.status(job, "running")
  await(function() return pool:submit(function() return _G.SENT end):await() == 65 end)
  for _ = 1, 20 do eq(pool:submit(function() return _G.SENT end):await(), 65) end
  eq(job:status(), "running")
  deep(collect(job), range(1000))
end)

test("who waits for whichever job ends first lets them all send what they have", function()
  local function send(n)
    for i = 1, n do
      _G.SENT = i
      require "troupe".emit(i)
    end
    return n
  end
  local pool <close> = troupe.pool{ workers = 1 }
  local early = pool:submit(send, 1000)
  await(function() return pool:submit(function() return _G.SENT end):await() == 65 end)
  for i = 1, 5 do pool:submit(send, 200 + i) end
  local sum = 0
  for _, good, n in pool:as_completed() do
    ok(good)
    sum = sum + n
  end
  eq(sum, 2015)
  eq(#collect(early), 1000)
end)

test("a window holds for a job that has not begun, and for one that has", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local function tell(n)
    local inside = require "troupe"
    for i = 1, n do
      _G.SENT = i
      inside.emit(i)
    end
  end
  local gate = pool:submit(function() while require "troupe".checkin() do end end)
  await.status(gate, "running")
  local job = pool:submit(tell, 100)
  local step, _, _, closer = job:stream(3)
  gate:stop()
  eq(step(), 1)
  local function sent() return pool:submit(function() return _G.SENT end):await() end
  await(function() return sent() >= 4 end)
  for _ = 1, 20 do ok(sent() <= 6, "more than a window beyond what was taken") end
  for i = 2, 100 do eq(step(), i) end
  eq(step(), nil)
  getmetatable(closer).__close()
  eq(job:status(), "finished")
end)

test("who awaits a job without streaming it is not waited for", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit(count, 10000)
  eq(job:await(), "all")
  deep(collect(job), range(10000))
  job = pool:submit(count, 1000)
  eq(pool:submit(type, 1):await(), "number") -- so the job waits for its window
  deep({ job:join() }, { true, "all" })
  deep(collect(job), range(1000))
end)

test("leaving a stream early stops the job", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit(count, 1000000)
  for i in job:stream() do
    if i == 10 then break end
  end
  local good, word, at = job:join()
  deep({ good, word }, { true, "stopped" })
  ok(at > 10 and at < 1000000)
  eq(job:status(), "stopped")
  job = pool:submit(count, 1000000)
  eq(pcall(function()
    for i in job:stream() do
      if i == 5 then error "out" end
    end
  end), false)
  eq((select(2, job:join())), "stopped")
end)

test("a stream ends with the error of a job that failed, after all it emitted", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit(function()
    require "troupe".emit(1)
    require "troupe".emit(2)
    error("no more", 0)
  end)
  local seen = {}
  local err = raises("no more", function()
    for i in job:stream() do seen[#seen + 1] = i end
  end)
  match(err, "worker's stack traceback")
  deep(seen, { 1, 2 })
end)

test("emit returns false once the job is stopped, also to one that waits", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit(count, 1000000)
  eq(pool:submit(type, 1):await(), "number") -- so it waits
  eq(job:stop(), true)
  local good, word, at = job:join()
  deep({ good, word }, { true, "stopped" })
  ok(at <= 65)
  eq(job:status(), "stopped")
end)

test("a job that waits to emit or is synced can be killed, and has timeouts", function()
  local pool <close> = troupe.pool{ workers = 1 }
  -- deaf to stop, so only force ends them
  local function emit() while true do require "troupe".emit(1) end end
  local function deaf_sync() while true do require "troupe".sync(1) end end
  for _, fn in ipairs{ emit, deaf_sync } do
    local job = pool:submit(fn)
    await.status(job, fn == emit and "running" or "syncing")
    job:kill(0)
    deep({ job:join() }, { false, "killed" })
    job = pool:submit{ fn, timeout = 0.05 }
    await.status(job, "stopped")
    deep({ job:join() }, { false, "timeout" })
  end
  -- one that is told in time ends by itself
  local job = pool:submit(sync, 1000000)
  await.status(job, "syncing")
  job:kill(3600)
  deep({ job:join() }, { true, "stopped", 1 })
end)

test("a kill without grace does not ask: what waits to emit or is synced does not go on", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local function returns(how)
    local inside = require "troupe"
    while inside[how](1) do end
    return "went on"
  end
  for _ = 1, 20 do
    for how, word in pairs { emit = "running", sync = "syncing" } do
      local job = pool:submit(returns, how)
      await.status(job, word)
      eq(pool:submit(type, 1):await(), "number") -- so it waits
      job:kill(0)
      deep({ job:join() }, { false, "killed" })
    end
  end
end)

test("what a discarded or detached job emits and syncs is dropped, and it does not wait", function()
  local pool <close> = troupe.pool{ workers = 1 }
  pool:submit({ count, discard = true }, 1000)
  pool:submit({ sync, discard = true }, 1000)
  local queued = pool:submit(count, 1000)
  queued:detach()
  local running = pool:submit(sync, 1000)
  await.status(running, "syncing")
  running:detach()
  eq(pool:shutdown{ timeout = t.script_deadline }, true)
end)

test("jobs that wait for their owner let a pool that is shut down, and joined, go on", function()
  local pool = troupe.pool{ workers = 2 }
  local jobs = {}
  for i = 1, 10 do jobs[i] = pool:submit(count, 1000) end
  eq(pool:shutdown{ timeout = t.script_deadline }, true)
  for i = 1, 10 do deep(collect(jobs[i]), range(1000)) end
end)

test("a job syncs, is taken from, and goes on when it is resumed", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit(sync, 3)
  for i = 1, 3 do
    deep({ job:take() }, { i, i * i })
    eq(job:status(), "syncing")
    deep({ job:take(0) }, { nil, "timeout" })
    eq(pool:submit(function() return "free" end):await(), "free")
    eq(job:resume(), true)
    eq(job:resume(), false)
  end
  deep({ job:take() }, { nil, "ended" })
  eq(job:await(), "all")
end)

test("a synced job is stopped by resume, by stop, by leaving the stream", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit(sync, 3)
  job:take()
  eq(job:resume(true), true)
  deep({ job:join() }, { true, "stopped", 1 })
  eq(job:status(), "stopped")
  job = pool:submit(sync, 3)
  await.status(job, "syncing")
  eq(job:stop(), true)
  deep({ job:join() }, { true, "stopped", 1 })
  job = pool:submit(sync, 3)
  for i in job:stream() do
    if i == 2 then break end
  end
  deep({ job:join() }, { true, "stopped", 2 })
end)

test("syncs are streamed too, each resumed when the next is asked for", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit(sync, 20)
  local seen = {}
  for i, square in job:stream() do
    eq(square, i * i)
    eq(job:status(), "syncing")
    seen[i] = i
  end
  deep(seen, range(20))
  eq(job:await(), "all")
end)

test("a run that is tried again emits anew, within the window", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit{ function()
    _G.RUN = (_G.RUN or 0) + 1
    for i = 1, 100 do require "troupe".emit(_G.RUN, i) end
    if _G.RUN < 3 then error("again", 0) end
    return _G.RUN
  end, retries = 5 }
  local seen = {}
  for run, i in job:stream(10) do
    seen[run] = (seen[run] or 0) + 1
    eq(i, seen[run])
  end
  deep(seen, { 100, 100, 100 })
  eq(job:await(), 3)
end)

test("tasks stream side by side, and below C functions that cannot yield", function()
  local pool <close> = troupe.pool{ workers = 3 }
  local sums, ids = {}, {}
  for k = 1, 5 do
    ids[k] = task.spawn(function()
      local sum = 0
      for i in pool:submit(count, 300):stream(k) do sum = sum + i end
      sums[k] = sum
    end)
  end
  for k = 1, 5 do task.join(ids[k]) end
  deep(sums, { 45150, 45150, 45150, 45150, 45150 })
  local job = pool:submit(function(n)
    local sent = {}
    table.sort({ 3, 1, 2 }, function(a, b)
      for _ = 1, n do require "troupe".emit(a) end
      sent[#sent + 1] = a
      return a < b
    end)
    return #sent
  end, 100)
  local seen = #collect(job, 5)
  eq(seen, job:await() * 100)
end)

test("misuse is told by name", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit(function() end)
  raises("emit: only inside a job", troupe.emit, 1)
  raises("sync: only inside a job", troupe.sync, 1)
  raises("window of at least 1", job.stream, job, 0)
  raises("troupe.job", job.take, pool)
  raises("not negative", job.take, job, -1)
  local good, err = pool:submit(function() require "troupe".emit(1, io.stdout) end):join()
  eq(good, false)
  match(err, "value 2")
  job:detach()
  raises("detached", job.take, job)
end)

test("a program that ends with jobs that wait for it ends promptly", function()
  local status, out, err = t.script [[
    local troupe = require "troupe"
    local pool = troupe.pool{ workers = 2 }
    for i = 1, 10 do
      pool:submit(function(n)
        while true do
          if not (n % 2 == 0 and require "troupe".emit or require "troupe".sync)(n) then return end
        end
      end, i)
    end
    print(pool:submit(function() return "last" end):await())
  ]]
  eq(err, "")
  eq(out, "last\n")
  eq(status, 0)
end)

t.finish()
