-- job_info.lua - what a job's handle tells of it, and what a job knows of itself; progress.

local t = require "harness"
local await = require "await"
local troupe = require "troupe"

local test, eq, ok, match, deep = t.test, t.eq, t.ok, t.match, t.deep

local function ask() while require "troupe".checkin() do end end

test("a job knows its id, name, attempt and worker", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit({ function() return require "troupe".job() end, name = "who" })
  local known = job:await()
  deep(known, { id = job:info().id, name = "who", attempt = 1, worker = 1 })
  eq(pool:submit(function() return require "troupe".job().name end):await(), nil)
  eq(pool:submit{ function()
    local attempt = require "troupe".job().attempt
    if attempt < 3 then error("again", 0) end
    return attempt
  end, retries = -1, name = "third" }:await(), 3)
  eq(troupe.job(), nil)
end)

test("times and worker are told of a job that ended", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local before = troupe.now()
  local job = pool:submit(function()
    local until_ = require "troupe".now() + 0.02
    while require "troupe".now() < until_ do end
  end)
  job:await()
  local info, after = job:info(), troupe.now()
  eq(info.status, "finished")
  eq(info.attempt, 1)
  eq(info.worker, 1)
  ok(info.seconds >= 0.02)
  ok(before <= info.submitted and info.submitted <= info.ended and info.ended <= after)
  ok(info.started >= before and info.started + 0.02 <= info.ended)
end)

test("times and worker are told of a job that runs, waits, or has not begun", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local before = troupe.now()
  local waiting = pool:submit(function() require "troupe".sync() end)
  await.status(waiting, "syncing")
  local job = pool:submit(ask)
  await.status(job, "running")
  local behind = pool:submit(ask)
  for _, one in ipairs{ waiting, job } do
    local info = one:info()
    eq(info.attempt, 1)
    eq(info.worker, 1)
    ok(before <= info.started and info.started <= troupe.now())
    ok(before <= info.submitted)
    eq(info.ended, nil)
  end
  eq(waiting:info().status, "syncing")
  local info = behind:info()
  deep({ info.status, info.attempt, info.worker, info.started, info.ended }, { "queued", 0 })
  behind:cancel()
  info = behind:info()
  deep({ info.status, info.attempt, info.worker, info.started }, { "cancelled", 0 })
  ok(info.ended >= info.submitted)
  job:stop()
  job:await()
  eq(job:info().status, "stopped")
  waiting:stop()
end)

test("attempts are counted, and a failure has its traceback", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit{ function() error "no" end, retries = 2, name = "unlucky" }
  job:join()
  local info = job:info()
  eq(info.status, "failed")
  eq(info.attempt, 3)
  eq(info.name, "unlucky")
  match(info.traceback, "stack traceback")
end)

test("progress is what the job last said when it checked in", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit(function()
    local inside = require "troupe"
    for i = 1, 1000 do inside.checkin(i / 1000) end
    inside.checkin{ done = 1000, of = 1000 }
  end)
  job:await()
  deep(job:info().progress, { done = 1000, of = 1000 })
  job = pool:submit(function() require "troupe".checkin(0.5) ask() end)
  await(function() return job:info().progress == 0.5 end)
  job:stop()
  eq(pool:submit(function() end):info().progress, nil)
  local good, err = pool:submit(function() require "troupe".checkin(io.stdout) end):join()
  eq(good, false)
  match(err, "progress")
end)

test("progress is told at most ten times a second", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit(function()
    local inside = require "troupe"
    local until_, n = inside.now() + 0.35, 0
    while inside.now() < until_ do
      n = n + 1
      inside.checkin(n)
    end
    return n
  end)
  local seen, last = 0, nil
  while job:status() ~= "finished" do
    local progress = job:info().progress
    if progress ~= last then seen, last = seen + 1, progress end
  end
  eq(job:info().progress, job:await())
  ok(seen <= 6, seen .. " times")
end)

t.finish()
