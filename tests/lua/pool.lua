-- pool.lua - jobs, batches and pools as a Lua program meets them.

local t = require "harness"
local troupe = require "troupe"

local test, eq, ok, match, raises, deep = t.test, t.eq, t.ok, t.match, t.raises, t.deep

local function range(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

-- ---- submit, await, join

test("a job returns its results", function()
  local pool <close> = troupe.pool{ workers = 2 }
  eq(pool:submit(function(a, b) return a + b end, 1, 2):await(), 3)
  deep({ pool:submit(function(...) return ... end, nil, "x", nil):await() }, { nil, "x", nil })
  eq(select("#", pool:submit(function() end):await()), 0)
  eq(select("#", pool:submit(function(...) return ... end, nil, nil):await()), 2)
end)

test("every kind of single result arrives as it was", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local values = { true, false, 0, 1, -1, 127, 128, 255, 256, -32, -33, -128, -129, 65535, 65536, 1 << 32,
    math.maxinteger, math.mininteger,
    0.0, -0.0, 1.5, math.huge, -math.huge, "", "text", ("x"):rep(100000), { 1, { 2 } } }
  for _, value in ipairs(values) do
    local result = pool:submit(function(v) return v end, value):await()
    eq(math.type(result), math.type(value))
    if type(value) == "table" then deep(result, value) else eq(result, value) end
  end
  eq(1 / pool:submit(function() return -0.0 end):await(), -math.huge)
  local nan = pool:submit(function() return 0 / 0 end):await()
  ok(nan ~= nan)
  eq(pool:submit(function() return nil end):await(), nil)
end)

test("join tells success from failure and raises nothing", function()
  local pool <close> = troupe.pool{ workers = 1 }
  deep({ pool:submit(function() return 1, 2 end):join() }, { true, 1, 2 })
  local good, err = pool:submit(function() error("boom", 0) end):join()
  eq(good, false)
  eq(err, "boom")
end)

test("await raises the error with the worker's traceback behind it", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local good, err = pcall(function()
    return pool:submit(function() local function inner() error("boom") end inner() end):await()
  end)
  eq(good, false)
  match(err, "pool.lua:%d+: boom\nworker's stack traceback:")
  match(err, "in %a+ 'inner'")
end)

test("error values that are tables arrive as tables, raised and joined", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local good, err = pcall(function() return pool:submit(function() error{ code = 5 } end):await() end)
  eq(good, false)
  deep(err, { code = 5 })
  local _, joined = pool:submit(function() error{ code = 6 } end):join()
  deep(joined, { code = 6 })
end)

test("error values of other kinds arrive too, and what cannot cross becomes text", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local function failed_with(fn) return select(2, pool:submit(fn):join()) end
  eq(failed_with(function() error() end), nil)
  eq(failed_with(function() error(5) end), 5)
  eq(failed_with(function() error(false) end), false)
  match(failed_with(function() error(io.stdout) end), "^file %(0x")
end)

test("info tells name, status, seconds and traceback", function()
  local pool <close> = troupe.pool{ workers = 1 }
  eq(pool:submit({ type, name = "greeting" }, 1):info().name, "greeting")
  eq(pool:submit(type, 1):info().name, nil)
  local job = pool:submit(function() error("boom") end)
  job:join()
  local info = job:info()
  eq(info.status, "failed")
  match(info.traceback, "stack traceback:")
  eq(math.type(info.id), "integer")
  ok(info.seconds >= 0)
end)

test("a result that cannot cross fails its job and names the place", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local good, err = pool:submit(function() return 1, { file = io.stdout } end):join()
  eq(good, false)
  match(err, "result 2, field \"file\": cannot send a userdata")
end)

test("an argument that cannot cross raises at once, names the place and costs nothing", function()
  local pool <close> = troupe.pool{ workers = 1 }
  raises("argument 2, field \"a%.b\": cannot send a userdata", pool.submit, pool, print, 1, { a = { b = io.stdout } })
  raises("cannot send a thread", pool.submit, pool, print, coroutine.create(print))
  eq(pool:submit(function() return "still here" end):await(), "still here")
  eq(pool:stats().pending, 0)
end)

test("a timeout returns nil and the word, and the job goes on", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local gate = os.tmpname()
  os.remove(gate)
  local job = pool:submit(function(name)
    repeat local f = io.open(name) until f
    return "opened"
  end, gate)
  deep({ job:join(0) }, { nil, "timeout" })
  deep({ job:await(0.01) }, { nil, "timeout" })
  io.open(gate, "w"):close()
  eq(job:await(), "opened")
  os.remove(gate)
end)

test("what names a function may be a module's, a file, or source", function()
  local pool <close> = troupe.pool{ workers = 1 }
  eq(pool:submit("string:rep", "ab", 3):await(), "ababab")
  eq(pool:submit("return ... , 7", 5):await(), 5)
  local name = os.tmpname()
  local f = io.open(name, "w")
  f:write("local a, b = ... return a * b")
  f:close()
  eq(pool:submit("@" .. name, 6, 7):await(), 42)
  os.remove(name)
  match(select(2, pool:submit("no_such_module:f"):join()), "module 'no_such_module' not found")
  match(select(2, pool:submit("string:no_such"):join()), "has no field 'no_such'")
  match(select(2, pool:submit("@/no/such/file.lua"):join()), "cannot open /no/such/file.lua")
  match(select(2, pool:submit("return +"):join()), "unexpected symbol")
end)

test("C functions and closures travel with their upvalues", function()
  local pool <close> = troupe.pool{ workers = 2 }
  eq(pool:submit(string.upper, "x"):await(), "X")
  local factor, depth = 3, { n = 0 }
  local function triple(x) return x * factor + depth.n end
  for round = 1, 5 do
    depth.n = round
    eq(pool:submit(triple, 10):await(), 30 + round)
  end
  local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end
  eq(pool:submit(fib, 15):await(), 610)
end)

test("a function submitted again and again is the same function, globals its worker's own", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local function count()
    _G.COUNT = (_G.COUNT or 0) + 1
    return _G.COUNT
  end
  for i = 1, 10 do eq(pool:submit(count):await(), i) end
  eq(_G.COUNT, nil)
end)

test("a job may not yield outside a coroutine, and may inside one", function()
  local pool <close> = troupe.pool{ workers = 1 }
  match(select(2, pool:submit(function() coroutine.yield(1) end):join()), "attempt to yield from outside a coroutine")
  eq(pool:submit(function()
    local sum = 0
    for v in coroutine.wrap(function() for i = 1, 10 do coroutine.yield(i) end end) do sum = sum + v end
    return sum
  end):await(), 55)
end)

test("jobs run in order of submission, by priority, and first means first", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local gate = os.tmpname()
  os.remove(gate)
  local blocker = pool:submit(function(name) repeat local f = io.open(name) until f _G.ORDER = {} end, gate)
  while blocker:status() ~= "running" do end
  local function note(what)
    table.insert(_G.ORDER, what)
    return table.concat(_G.ORDER, " ")
  end
  pool:submit(note, "a")
  pool:submit(note, "b")
  pool:submit({ note, priority = 5 }, "high")
  pool:submit({ note, first = true }, "front")
  local last = pool:submit({ note, priority = -1 }, "low")
  io.open(gate, "w"):close()
  eq(last:await(), "high front a b low")
  os.remove(gate)
end)

test("a pending job can be cancelled, a running or ended one cannot", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local gate = os.tmpname()
  os.remove(gate)
  local running = pool:submit(function(name) -- it says itself that it has begun: until then it could be cancelled
    io.open(name .. ".begun", "w"):close()
    repeat local f = io.open(name) until f
  end, gate)
  repeat local begun = io.open(gate .. ".begun") until begun
  eq(running:status(), "running")
  local pending = pool:submit(function() return 1 end)
  eq(pending:status(), "queued")
  eq(pending:cancel(), true)
  deep({ pending:join() }, { false, "cancelled" })
  eq(pending:status(), "cancelled")
  eq(running:cancel(), false)
  local also = pool:submit(function() return 2 end)
  eq(pool:cancel(), true)
  deep({ also:join() }, { false, "cancelled" })
  io.open(gate, "w"):close()
  eq(running:join(), true)
  eq(running:cancel(), false)
  eq(running:status(), "finished")
  os.remove(gate)
  os.remove(gate .. ".begun")
end)

test("a failed job is tried again as often as it said", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local function flaky(n)
    _G.TRIES = (_G.TRIES or 0) + 1
    if _G.TRIES < n then error("not yet", 0) end
    return _G.TRIES
  end
  eq(pool:submit({ flaky, retries = 3 }, 3):await(), 3)
  local backoff = { base = 0.001, factor = 2, max = 0.01 }
  deep({ pool:submit({ flaky, retries = 2, backoff = backoff }, 100):join() }, { false, "not yet" })
  eq(pool:stats().retried, 4)
end)

test("a discarded job runs and returns nothing", function()
  local pool <close> = troupe.pool{ workers = 1 }
  eq(select("#", pool:submit({ function() _G.SEEN = true end, discard = true })), 0)
  eq(pool:submit(function() return _G.SEEN end):await(), true)
end)

test("a job may submit to a pool of its own and await it", function()
  local pool <close> = troupe.pool{ workers = 1 }
  eq(pool:submit(function()
    local inner <close> = require "troupe".pool{ workers = 1 }
    return inner:submit(function() return "inner" end):await() .. "," .. inner:submit(function() return 2 end):await()
  end):await(), "inner,2")
end)

-- ---- many

test("map returns results in order, whatever their number", function()
  local pool <close> = troupe.pool{ workers = 2 }
  deep(pool:map(function(x) return x * x end, {}), {})
  deep(pool:map(function(x) return x * x end, { 3 }), { 9 })
  for _, n in ipairs{ 2, 10, 1000, 50000 } do
    local results = pool:map(function(x) return x * 2 end, range(n))
    eq(#results, n)
    for i = 1, n do if results[i] ~= i * 2 then error("wrong at " .. i) end end
  end
end)

test("map raises the first error in order, with the item's index", function()
  local pool <close> = troupe.pool{ workers = 2 }
  raises("^item 700: .*seven", pool.map, pool, function(x)
    if x >= 700 then error("seven") end
    return x
  end, range(5000))
  local good, err = pcall(pool.map, pool, function() error{ code = 1 } end, { 1 })
  eq(good, false)
  deep(err, { code = 1 })
  eq(pool:submit(function() return "goes on" end):await(), "goes on")
end)

test("map collects errors when asked to", function()
  local pool <close> = troupe.pool{ workers = 2 }
  local results, errors = pool:map(function(x)
    if x % 3 == 0 then error("three", 0) end
    return x
  end, range(9), { on_error = "collect" })
  deep(results, { 1, 2, nil, 4, 5, nil, 7, 8 })
  deep(errors, { [3] = "three", [6] = "three", [9] = "three" })
end)

test("map tries failed items again", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local function third_time(item)
    _G.TRIES = _G.TRIES or {}
    _G.TRIES[item] = (_G.TRIES[item] or 0) + 1
    if _G.TRIES[item] < 3 then error("not yet", 0) end
    return item
  end
  deep(pool:map(third_time, { "a", "b" }, { retries = 2 }), { "a", "b" })
  local results, errors = pool:map(third_time, { "c" }, { retries = 1, on_error = "collect" })
  deep(results, {})
  deep(errors, { "not yet" })
end)

test("map shows progress when asked to", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local out <close> = io.tmpfile()
  local shown = { force = true, keep = true, out = out, label = "ten" }
  eq(#pool:map(function(x) return x end, range(10), { progress = shown }), 10)
  out:seek("set")
  match(out:read("a"), "ten.*100%%.*10/10")
end)

test("in a batch, one result that cannot cross costs only its own call", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local results, errors = pool:map(function(x)
    if x == 5 then return io.stdout end
    return x
  end, range(10), { on_error = "collect", chunk = 10 })
  eq(results[4], 4)
  eq(results[6], 6)
  eq(results[5], nil)
  match(errors[5], "cannot send a userdata")
end)

test("imap is lazy, in order, and may be left early", function()
  local pool <close> = troupe.pool{ workers = 2 }
  local read, seen = 0, 0
  for v in pool:imap(function(x) return x * 10 end, function() read = read + 1 return read end, { window = 50 }) do
    seen = seen + 1
    eq(v, seen * 10)
    ok(read <= seen + 50, "read too far ahead")
    if seen == 200 then break end
  end
  eq(pool:submit(function() return "next" end):await(), "next")
end)

test("imap gives several results, false for a first nil, and raises errors", function()
  local pool <close> = troupe.pool{ workers = 2 }
  local out = {}
  local function pair(x)
    if x == 2 then return nil, "two" end
    return x, -x
  end
  for a, b in pool:imap(pair, { 1, 2, 3 }) do
    out[#out + 1] = tostring(a) .. tostring(b)
  end
  eq(table.concat(out, " "), "1-1 falsetwo 3-3")
  local sum = 0
  raises("^item 3: ", function()
    local function pass(x) return x ~= 3 and x or error("no") end
    for v in pool:imap(pass, { 1, 2, 3, 4 }) do sum = sum + v end
  end)
  eq(sum, 3)
end)

test("unordered gives every index once with its outcome", function()
  local pool <close> = troupe.pool{ workers = 3 }
  local seen, failures = {}, 0
  for index, good, value in pool:unordered(function(x)
    if x == 77 then error("bad", 0) end
    return x * 2
  end, range(1000)) do
    eq(seen[index], nil)
    seen[index] = true
    if good then eq(value, index * 2) else
      eq(index, 77)
      eq(value, "bad")
      failures = failures + 1
    end
  end
  eq(#seen, 1000)
  eq(failures, 1)
end)

test("a short batch overtakes a long one in unordered", function()
  local pool <close> = troupe.pool{ workers = 2 }
  local gate = os.tmpname()
  os.remove(gate)
  local order = {}
  for index in pool:unordered(function(item)
    if item == "slow" then repeat local f = io.open(gate) until f end
  end, { "slow", "a", "b", "c" }, { chunk = 1 }) do
    order[#order + 1] = index
    if #order == 3 then io.open(gate, "w"):close() end
  end
  deep(order, { 2, 3, 4, 1 })
  os.remove(gate)
end)

-- ---- workers

test("init runs once in each worker, before its jobs", function()
  local pool <close> = troupe.pool{ workers = 1,
    init = function(worker, a, b) _G.READY = worker .. a .. tostring(b) end,

    init_args = { "x", nil, n = 2 } }
  eq(pool:submit(function() return _G.READY end):await(), "1xnil")
end)

test("an init that fails fails the jobs with its error, and is tried again", function()
  local pool <close> = troupe.pool{ workers = 1, init = function() error("no database") end }
  for _ = 1, 2 do
    local good, err = pool:submit(function() return 1 end):join()
    eq(good, false)
    match(err, "no database")
  end
end)

test("workers start on demand and end when idle", function()
  local pool <close> = troupe.pool{ workers = 4, idle_timeout = 0.02 }
  eq(pool:stats().alive, 0)
  pool:submit(function() end):await()
  while pool:stats().alive > 0 do end
  eq(pool:submit(function() return "again" end):await(), "again")
end)

test("a worker's memory limit fails the job and the worker goes on", function()
  local pool <close> = troupe.pool{ workers = 1, memory_limit = 4 << 20 }
  local good, err = pool:submit(function() return #("x"):rep(64 << 20) end):join()
  eq(good, false)
  match(err, "not enough memory")
  eq(pool:submit(function() return "fine" end):await(), "fine")
end)

test("all workers work at once", function()
  local pool <close> = troupe.pool{ workers = 3 }
  local dir = os.tmpname()
  os.remove(dir)
  local jobs = {}
  for i = 1, 3 do
    jobs[i] = pool:submit(function(base, me) -- each waits for the two others
      io.open(base .. me, "w"):close()
      for other = 1, 3 do repeat local f = io.open(base .. other) until f end
      return me
    end, dir, i)
  end
  for i = 1, 3 do eq(jobs[i]:await(), i) end
  for i = 1, 3 do os.remove(dir .. i) end
end)

test("a pool can be resized while it runs", function()
  local pool <close> = troupe.pool{ workers = 1 }
  pool:resize(3)
  for i, v in ipairs(pool:map(function(x) return -x end, range(100))) do eq(v, -i) end
  pool:resize(1)
  eq(pool:submit(function() return 1 end):await(), 1)
  raises("at least one worker", pool.resize, pool, 0)
end)

-- ---- ends

test("shutdown waits for all jobs and refuses new ones", function()
  local pool = troupe.pool{ workers = 2 }
  local jobs = {}
  for i = 1, 100 do jobs[i] = pool:submit(function(x) return x end, i) end
  eq(pool:shutdown(), true)
  for i = 1, 100 do eq(jobs[i]:await(), i) end
  raises("the pool is closed", pool.submit, pool, print)
  eq(pool:shutdown(), true)
end)

test("shutdown's timeout passes while a job runs, and soon breaks into it", function()
  local pool = troupe.pool{ workers = 1 }
  local endless = pool:submit(function() while true do pcall(function() while true do end end) end end)
  local pending = pool:submit(function() end)
  while endless:status() ~= "running" do end
  eq(pool:shutdown{ timeout = 0.01 }, false)
  eq(pool:shutdown{ soon = true }, true)
  eq(endless:join(), false)
  deep({ pending:join() }, { false, "cancelled" })
end)

test("misuse names what is wrong", function()
  raises("unknown option 'wrokers' %(known: .*workers", troupe.pool, { wrokers = 1 })
  raises("option 'workers': integer expected, got string", troupe.pool, { workers = "2" })
  raises("table expected, got number", troupe.pool, 5)
  local pool <close> = troupe.pool{ workers = 1 }
  raises("function, string or table of options expected, got number", pool.submit, pool, 5)
  raises("unknown option 'retrys'", pool.submit, pool, { print, retrys = 1 })
  raises("function or string, options", pool.submit, pool, { 5, retries = 1 })
  raises("list or iterator expected", pool.map, pool, print, 5)
  raises("unknown option 'windw'", pool.imap, pool, print, {}, { windw = 1 })
  raises("troupe.pool expected", pool.submit, {}, print)
  raises("a timeout is not negative", function() pool:submit(print):join(-1) end)
end)

test("a program that closes nothing ends at once with its own status", function()
  local status = t.script([[
    local troupe = require "troupe"
    local pool = troupe.pool{ workers = 2 }
    JOB = pool:submit(function() while true do end end)
    for i = 1, 1000 do pool:submit(function() return i end) end
    while JOB:status() ~= "running" do end
    os.exit(7, true)
  ]])
  eq(status, 7)
  status = t.script([[
    local troupe = require "troupe"
    local pool = troupe.pool{ workers = 2 }
    JOB = pool:submit(function() while true do end end)
    while JOB:status() ~= "running" do end
    os.exit(3)
  ]])
  eq(status, 3)
  local failed, _, err = t.script([[
    local pool = require "troupe".pool{ workers = 2 }
    JOB = pool:submit(function() while true do end end)
    error("on purpose")
  ]])
  eq(failed, 1)
  match(err, "on purpose")
end)

test("pools that are dropped while busy leave nothing behind", function()
  for _ = 1, 20 do
    local pool = troupe.pool{ workers = 2 }
    for i = 1, 50 do pool:submit(function(x) return x end, i) end
    pool = nil -- luacheck: ignore
    collectgarbage()
  end
  local pool <close> = troupe.pool{ workers = 1 }
  eq(pool:submit(function() return 1 end):await(), 1)
end)

t.finish()
