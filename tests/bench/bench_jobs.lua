-- bench_jobs.lua - jobs and payloads on two workers, beside a pool of Lua states that plain C makes (floor_pool.c).
--
-- The floor takes turns with us, so a ratio is of the same minutes. Memory is measured in a process of its own.

package.path = (arg[0]:match("^(.*/)") or "./") .. "?.lua;" .. package.path

local troupe = require "troupe"
local figures = require "figures"

local now = figures.now

local WORKERS, JOBS, WINDOW, ITEMS, TRIPS, LINES = 2, 200000, 1000, 1000000, 5000, 1000000
local MEGABYTE, STRINGS, RECORDS, RECORD_TRIPS, IN_FLIGHT = 1 << 20, 300, 1000, 300, 4
local BUSY_SECONDS, BUSY_JOBS = 0.02, 40
local QUEUED, SLICE = 1000000, 100000

local function tiny(x) return x + 1 end

local function echo(value) return value end

local function busy(steps)
  local x = 1
  for _ = 1, steps do x = x * 3 % 1000003 end
  return x
end

local function warm(pool)
  local jobs = {}
  for i = 1, 2000 do jobs[i] = pool:submit(tiny, i) end
  for i = 1, 2000 do jobs[i]:await() end
end

-- Submits count jobs and awaits each in order, at most `window` of them in flight; the seconds it takes.
local function pipeline(pool, count, window, fn, argument, check)
  local jobs, head = {}, 1
  local begin = now()
  for i = 1, count do
    jobs[i] = pool:submit(fn, argument or i)
    if i - head + 1 >= window then
      check(jobs[head]:await(), head)
      jobs[head] = nil
      head = head + 1
    end
  end
  for i = head, count do
    check(jobs[i]:await(), i)
    jobs[i] = nil
  end
  return now() - begin
end

local function check_tiny(result, i) assert(result == i + 1) end

local function with_pool(fn, ...)
  local pool <close> = troupe.pool{ workers = WORKERS }
  warm(pool)
  return fn(pool, ...)
end

-- ---- many tiny jobs

local function pipelined(pool)
  for _, window in ipairs{ WINDOW, JOBS } do
    local ours, floor = figures.medians(
      function() return JOBS / pipeline(pool, JOBS, window, tiny, nil, check_tiny) end,
      function() return figures.floor("floor_pool", "tiny", JOBS, window) end)
    figures.compare(("submit and await, %d in flight"):format(window), ours, floor, "/s", "at least", 0.425)
  end
end

-- A pool of its own, whose end waits for every job.
local function discard_all()
  local pool <close> = troupe.pool{ workers = WORKERS }
  warm(pool)
  local begin = now()
  for i = 1, JOBS do pool:submit({ tiny, discard = true }, i) end
  assert(pool:shutdown())
  return JOBS / (now() - begin)
end

local function discarded()
  local ours, narrow, wide = figures.medians(discard_all,
    function() return figures.floor("floor_pool", "tiny", JOBS, WINDOW) end,
    function() return figures.floor("floor_pool", "tiny", JOBS, JOBS) end)
  figures.compare("discard jobs, the floor's 1000 in flight", ours, narrow, "/s", "at least", 0.5)
  figures.compare("discard jobs, the floor's all in flight", ours, wide, "/s", "at least", 0.5)
end

local function mapped(pool)
  local list = {}
  for i = 1, ITEMS do list[i] = i end
  local ours, floor = figures.medians(function()
    local begin = now()
    local results = pool:map(tiny, list)
    local passed = now() - begin
    assert(#results == ITEMS and results[ITEMS] == ITEMS + 1)
    return ITEMS / passed
  end, function() return figures.floor("floor_pool", "tiny", JOBS, WINDOW) end)
  figures.judge("map over 1,000,000 integers", ours, "/s", "at least", 6e6)
  figures.compare("map, against the floor's single jobs", ours, floor, "/s", "at least", 3)
end

-- ---- one at a time

local function round_trips(pool)
  local ours_most, floor_most, mail_most = {}, {}, {}
  local ours, floor, mail = figures.medians(function()
    local half, most = figures.trips(TRIPS, function(i) pool:submit(tiny, i):await() end)
    ours_most[#ours_most + 1] = most
    return half
  end, function()
    local half, most = figures.floor("floor_pool", "trip", TRIPS)
    floor_most[#floor_most + 1] = most * 1e6
    return half * 1e6
  end, function()
    local half, most = figures.floor("floor_mail", TRIPS, 1, 1)
    mail_most[#mail_most + 1] = most * 1e6
    return half * 1e6
  end)
  figures.tell("four hops over bare ZeroMQ, p50", mail, "us")
  figures.tell("four hops over bare ZeroMQ, p99", figures.median(mail_most), "us")
  figures.tell("the floor's round trip, p99", figures.median(floor_most), "us")
  figures.compare("one job at a time, p50", ours, floor, "us", "at most", 1.1)
  figures.compare("one job at a time, p99 to p50", figures.median(ours_most), ours, "us", "at most", 2.5)
end

-- ---- work that takes the processors

local function busy_seconds(workers, steps)
  local pool <close> = troupe.pool{ workers = workers }
  warm(pool)
  return pipeline(pool, BUSY_JOBS, BUSY_JOBS, busy, steps, function() end)
end

local function processors()
  local begin = now()
  busy(1000000)
  local steps = math.floor(1000000 * BUSY_SECONDS / (now() - begin))
  local one, two, floor_one, floor_two = figures.medians(
    function() return busy_seconds(1, steps) end,
    function() return busy_seconds(2, steps) end,
    function() return figures.floor("floor_pool", "busy", steps, BUSY_JOBS, 1) end,
    function() return figures.floor("floor_pool", "busy", steps, BUSY_JOBS, 2) end)
  figures.tell("jobs of 20 ms, the floor's two workers", floor_one / floor_two, "times one")
  figures.judge("jobs of 20 ms, two workers", one / two, "times one", "at least", 1.95)
end

-- ---- payloads

local function strings(pool)
  local text = ("x"):rep(MEGABYTE)
  local ours, floor = figures.medians(function()
    local seconds = pipeline(pool, STRINGS, IN_FLIGHT, echo, text, function(back) assert(#back == MEGABYTE) end)
    return MEGABYTE * STRINGS / seconds / 1e6
  end, function() return figures.floor("floor_pool", "string", MEGABYTE, STRINGS) / 1e6 end)
  figures.tell("1 MiB there and back, against the floor", ours / floor, "times")
  figures.judge("1 MiB there and back, its bytes counted once", ours, "MB/s", "at least", 3000)
end

local function records(pool)
  local list = {}
  for i = 1, RECORDS do list[i] = { id = i, name = "name" .. i, score = i * 1.5 } end
  local ours = figures.medians(function()
    return RECORD_TRIPS / pipeline(pool, RECORD_TRIPS, IN_FLIGHT, echo, list, function(back)
      assert(back[RECORDS].id == RECORDS)
    end)
  end)
  figures.judge("1,000 records there and back, 4 in flight", ours, "/s", "at least", 1500)
end

-- ---- a long queue

local function resident_bytes()
  local file <close> = io.open "/proc/self/statm"
  local _, pages = file:read("n", "n")
  return pages * 4096
end

-- The only worker waits in a read until the other end of the pipe is closed; meanwhile the queue grows.
local function fill_queue(keep)
  local gate = os.tmpname()
  os.remove(gate)
  assert(os.execute("mkfifo " .. gate))
  local pool <close> = troupe.pool{ workers = 1 }
  warm(pool)
  pool:submit({ function(path) io.open(path):read "a" end, discard = true }, gate)
  local jobs, slices = {}, {}
  if keep then for i = 1, QUEUED do jobs[i] = false end end
  collectgarbage()
  local before = resident_bytes()
  for slice = 1, QUEUED // SLICE do
    local begin = now()
    for i = (slice - 1) * SLICE + 1, slice * SLICE do
      if keep then jobs[i] = pool:submit(tiny, i) else pool:submit({ tiny, discard = true }, i) end
    end
    slices[slice] = (now() - begin) / SLICE
  end
  local each = (resident_bytes() - before) / QUEUED
  local cancelled = 0
  if keep then
    local begin = now()
    for i = QUEUED // 2 - 499, QUEUED // 2 + 500 do assert(jobs[i]:cancel()) end
    cancelled = (now() - begin) / 1000
  end
  pool:cancel()
  io.open(gate, "w"):close()
  os.remove(gate)
  -- the first slice grows everything there is; the second is the first that may be compared
  print(each, slices[2], slices[#slices], cancelled)
end

local function apart(mode)
  local pipe <close> = assert(io.popen(("%s %s %s"):format(arg[-1], arg[0], mode)))
  return pipe:read("n", "n", "n", "n")
end

local function queued()
  local discarded_each = apart "queue-discarded"
  local firsts, lasts, cancels = {}, {}, {}
  local each = figures.medians(function()
    local bytes, first, last, cancel = apart "queue-kept"
    firsts[#firsts + 1], lasts[#lasts + 1], cancels[#cancels + 1] = first, last, cancel
    return bytes
  end)
  figures.tell("1,000,000 queued discard jobs, each", discarded_each, "bytes")
  figures.judge("1,000,000 queued jobs and their handles, each", each, "bytes", "at most", 200)
  figures.compare("the last 100,000 submits, against early ones", figures.median(lasts) * 1e9,
    figures.median(firsts) * 1e9, "ns", "at most", 1.2)
  figures.tell("cancel of one in the middle of 1,000,000", figures.median(cancels) * 1e6, "us")
end

-- ---- the command

local function time_of(command)
  local begin = now()
  local pipe <close> = assert(io.popen(command))
  assert(pipe:read("n") == 2 * LINES, command)
  return now() - begin
end

-- The plain process once with print, which flushes each line, and once with io.write, which does not.
local function commands()
  local source = ("seq %d | "):format(LINES)
  local loop = arg[-1] .. " -e 'for l in io.lines() do %s end' | tail -n 1"
  local ours, printed, written = figures.medians(
    function() return time_of(source .. os.getenv "TROUPE" .. " map -e 'return (...) * 2' | tail -n 1") end,
    function() return time_of(source .. loop:format "print(l * 2)") end,
    function() return time_of(source .. loop:format 'io.write(l * 2, "\\n")') end)
  figures.compare("troupe map of 1,000,000 lines, Lua's print", ours, printed, "s", "at most", 1)
  figures.compare("troupe map of 1,000,000 lines, Lua's io.write", ours, written, "s", "at most", 1)
end

if arg[1] then
  fill_queue(arg[1] == "queue-kept")
  return
end

with_pool(pipelined)
discarded()
with_pool(mapped)
with_pool(round_trips)
processors()
with_pool(strings)
with_pool(records)
queued()
commands()
