-- pool_gangs.lua - jobs that start together, and how often jobs start.

local await = require "await"
local t = require "harness"
local troupe = require "troupe"

local test, eq, ok, match, raises, deep = t.test, t.eq, t.ok, t.match, t.raises, t.deep

-- ---- gangs

-- A function that marks its place, and blocks its worker until all so many have: they must be on different ones.
local function meet(directory, i, n)
  return ([[
    local directory, i, n = %q, %d, %d
    io.open(directory .. i, "w"):close()
    for other = 1, n do
      repeat local file = io.open(directory .. other) until file
    end
    return i
  ]]):format(directory, i, n)
end

local function meeting(n)
  local directory = os.tmpname()
  local fns = {}
  for i = 1, n do fns[i] = meet(directory, i, n) end
  return fns, function()
    for i = 1, n do os.remove(directory .. i) end
    os.remove(directory)
  end
end

test("a gang runs all at once, each on a worker of its own", function()
  local pool <close> = troupe.pool{ workers = 3 }
  local fns, clear = meeting(3)
  local gang = pool:gang(fns)
  eq(gang:wait(), true)
  deep(gang:results(), { 1, 2, 3, n = 3 })
  clear()
end)

test("gangs among other jobs all run", function()
  local pool <close> = troupe.pool{ workers = 3 }
  local gangs, jobs, clears = {}, {}, {}
  for round = 1, 10 do
    for i = 1, 5 do jobs[#jobs + 1] = pool:submit(function(n) return n end, i) end
    local fns, clear = meeting(2 + round % 2)
    gangs[round], clears[round] = pool:gang(fns), clear
  end
  for _, gang in ipairs(gangs) do
    eq(gang:wait(), true)
    deep(gang:errors(), {})
  end
  for i, job in ipairs(jobs) do eq(job:await(), (i - 1) % 5 + 1) end
  for _, clear in ipairs(clears) do clear() end
end)

test("a gang waits until it has all its workers, and what came later waits with it", function()
  local pool <close> = troupe.pool{ workers = 2 }
  local gate = os.tmpname()
  os.remove(gate)
  local busy = pool:submit(function(name) repeat local file = io.open(name) until file end, gate)
  await.status(busy, "running")
  local fns, clear = meeting(2)
  local gang = pool:gang(fns)
  local later = pool:submit(function() return "later" end)
  eq(pool:stats().pending, 3)
  eq(pool:stats().handed, 1)
  io.open(gate, "w"):close()
  eq(gang:wait(), true)
  eq(later:await(), "later")
  clear()
  os.remove(gate)
end)

test("cancelling one of a gang that waits cancels all", function()
  local pool <close> = troupe.pool{ workers = 2 }
  pool:pause()
  local gang = pool:gang{ "return 1", "return 2" }
  eq(gang.jobs[2]:cancel(), true)
  deep({ gang.jobs[1]:join() }, { false, "cancelled" })
  deep({ gang.jobs[2]:join() }, { false, "cancelled" })
  pool:resume()
  eq(pool:submit(function() return "goes on" end):await(), "goes on")
end)

test("a gang that cannot be is refused", function()
  local pool <close> = troupe.pool{ workers = 2, rate = { jobs = 1, per = 0.001 } }
  raises("gang: 3 functions, but 2 workers", pool.gang, pool, { print, print, print })
  raises("at least one function", pool.gang, pool, {})
  raises("function or string expected at %[2%], got number", pool.gang, pool, { print, 5 })
  raises("unknown option 'delay'", pool.gang, pool, { print, delay = 1 })
  local gang = pool:gang{ "return 1", "return 2" } -- its rate never lets two start at once
  for _, job in ipairs(gang.jobs) do match(select(2, job:join()), "than its rate lets start") end
  local hidden = io.stdout
  local free <close> = troupe.pool{ workers = 2 }
  raises("gang: function 2: .*cannot send a userdata", free.gang, free, { "return 1", function() return hidden end })
  eq(free:stats().pending, 0)
end)

test("a gang in a pool whose workers do not come up fails", function()
  local pool <close> = troupe.pool{ workers = 2, init = function() error("no worker", 0) end }
  local gang = pool:gang{ "return 1", "return 2" }
  for _, job in ipairs(gang.jobs) do match(select(2, job:join()), "^no worker") end
end)

-- ---- rate

test("no more jobs start within a time than the rate lets", function()
  local pool <close> = troupe.pool{ workers = 2, rate = { jobs = 5, per = 0.05 } }
  local before, jobs = troupe.now(), {}
  for i = 1, 23 do jobs[i] = pool:submit(function() end) end
  for _, job in ipairs(jobs) do job:await() end
  ok(troupe.now() - before >= 4 * 0.05)
end)

test("a pool with a rate runs all its jobs, retries and repeating ones too", function()
  local pool <close> = troupe.pool{ workers = 2, rate = { jobs = 2, per = 0.001 } }
  local jobs, runs = {}, 0
  local function sometimes()
    _G.n = (_G.n or 0) + 1
    if _G.n % 3 == 0 then error("again", 0) end
  end
  for i = 1, 50 do jobs[i] = pool:submit{ sometimes, retries = 9 } end
  local repeating = pool:submit{ function() end, every = 0.001, on_complete = function() runs = runs + 1 end }
  for _, job in ipairs(jobs) do job:await() end
  await(function() return runs >= 3 end)
  repeating:cancel()
end)

test("a rate that is none is refused", function()
  raises("rate: options 'jobs' and 'per' expected", troupe.pool, { rate = { jobs = 5 } })
  raises("'per': more than 0 seconds", troupe.pool, { rate = { jobs = 5, per = 0 } })
  raises("option 'jobs': integer of at least 1 expected, got 0", troupe.pool, { rate = { jobs = 0, per = 1 } })
  raises("unknown option 'second'", troupe.pool, { rate = { jobs = 1, second = 1 } })
  raises("option 'rate': table expected, got number", troupe.pool, { rate = 5 })
end)

t.finish()
