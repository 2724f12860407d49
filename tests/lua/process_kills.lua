-- process_kills.lua - worker processes killed at random under load: each job has one outcome, and nothing stays behind.

local t = require "harness"
local troupe = require "troupe"
local task = require "troupe.task"

local test, eq, ok, match = t.test, t.eq, t.ok, t.match

local patience = t.script_deadline
local kills = (tonumber(os.getenv "KILLS") or 40) // t.slowdown -- 1,000 are for the soak

-- A sequence of its own, the same in each run.
local function random_from(seed)
  local state = seed
  return function(n)
    state = (state * 6364136223846793005 + 1442695040888963407)
    return (state >> 33) % n + 1
  end
end

local function pid()
  return math.tointeger(tonumber(io.open "/proc/self/stat":read "a":match "^%d+"))
end

-- The processes that this one started and that live.
local function children()
  local list = {}
  local ps = io.popen("ps -o pid= -o stat= -o args= --ppid " .. pid())
  for line in ps:lines() do
    local id, state = line:match "^%s*(%d+)%s+(%S+)%s+troupe %-%-worker"
    if id and state:sub(1, 1) ~= "Z" then list[#list + 1] = id end
  end
  ps:close()
  return list
end

local function work(n)
  local sum = 0
  for i = 1, n % 50 * 1000 do sum = sum + i end
  if n % 10 == 0 then require "troupe.task".sleep(0.001) end
  return n, sum
end

-- Submits jobs, a few hundred ahead, until so many processes were killed; the jobs.
local function kill_under_load(pool, options, seed)
  local random, jobs, killed = random_from(seed), {}, 0
  while killed < kills do
    for _ = 1, 50 do
      local job = {}
      for k, v in pairs(options) do job[k] = v end
      job[1] = work
      jobs[#jobs + 1] = pool:submit(job, #jobs + 1)
    end
    task.sleep(random(10) / 1000)
    local ids = children()
    if #ids > 0 then
      os.execute("kill -9 " .. ids[random(#ids)])
      killed = killed + 1
    end
    if #jobs > 400 then jobs[#jobs - 400]:join(patience) end
  end
  return jobs
end

test("jobs with retries all finish, whatever is killed", function()
  local pool = troupe.pool { workers = 3, isolation = "process" }
  local jobs = kill_under_load(pool, { retries = -1 }, 1)
  for n, job in ipairs(jobs) do
    local good, value = job:join(patience)
    ok(good, value)
    eq(value, n)
  end
  eq(pool:stats().done, #jobs)
  ok(pool:shutdown { timeout = patience })
end)

test("jobs without retries finish, or are lost and say how", function()
  local pool = troupe.pool { workers = 3, isolation = "process" }
  local jobs = kill_under_load(pool, {}, 2)
  local done, lost = 0, 0
  for n, job in ipairs(jobs) do
    local good, value = job:join(patience)
    if good then
      eq(value, n)
      done = done + 1
    else
      match(value, "^lost: .*killed by signal 9")
      lost = lost + 1
    end
  end
  local counts = pool:stats()
  eq(counts.done, done)
  eq(counts.lost, lost)
  ok(pool:shutdown { timeout = patience })
end)

test("each job is cleaned up after once, or its cleanup is counted as cut short", function()
  local path = os.tmpname()
  for seed, retries in ipairs { 0, -1 } do
    local pool = troupe.pool { workers = 3, isolation = "process" }
    local function clean()
      local file <close> = io.open(path, "a")
      file:write "x" -- one write, when it is closed
    end
    local jobs = kill_under_load(pool, { retries = retries, cleanup = clean }, seed + 2)
    for _, job in ipairs(jobs) do job:join(patience) end
    local unclean = pool:stats().unclean
    ok(pool:shutdown { timeout = patience })
    local ran = #io.open(path):read "a"
    ok(ran <= #jobs, ran .. " cleanups of " .. #jobs)
    ok(ran + unclean >= #jobs, ran .. " cleanups, " .. unclean .. " cut short, of " .. #jobs)
    io.open(path, "w"):close()
  end
  os.remove(path)
end)

test("a cleanup that ends its own process is counted, and not run again", function()
  local path = os.tmpname()
  local pool = troupe.pool { workers = 1, isolation = "process" }
  local job = pool:submit { function() return 1 end, cleanup = function()
    local file = io.open(path, "a")
    file:write "x"
    file:close()
    os.execute "kill -9 $PPID"
  end }
  local good, why = job:join(patience)
  eq(good, false)
  match(why, "^lost: .*killed by signal 9")
  eq(pool:stats().unclean, 1)
  ok(pool:shutdown { timeout = patience })
  eq(io.open(path):read "a", "x")
  os.remove(path)
end)

test("what a process sent before it died arrives, though its end is seen first", function()
  local status, out, err = t.script [[
    local troupe = require "troupe"
    local function pid() return math.tointeger(io.open "/proc/self/stat":read "n") end
    local pool <close> = troupe.pool { workers = 1, isolation = "process" }
    local job = pool:submit(function(program, own)
      local troupe = require "troupe"
      -- The program stands still until this process is no more than a zombie.
      os.execute(("kill -STOP %d; (while ! grep -q ') Z' /proc/%d/stat; do sleep 0.01; done; kill -CONT %d) &")
        :format(program, own(), program))
      troupe.emit "last words"
      troupe.task.sleep(0.1) -- on its way; nothing here depends on how far it gets
      os.execute("kill -9 " .. own())
    end, pid(), pid)
    job:take()
    print(select(2, job:join())) ]]
  eq(status, 0, err)
  match(out, "^lost: .*killed by signal 9")
end)

test("no process stays behind", function()
  local deadline = os.time() + patience
  while #children() > 0 do
    if os.time() > deadline then error("still there: " .. table.concat(children(), ", ")) end
    task.sleep(0.01)
  end
end)

t.finish()
