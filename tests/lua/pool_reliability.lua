-- pool_reliability.lua - pools under chance and want: one outcome a job, an end in every state, few descriptors.

local t = require "harness"
local troupe = require "troupe"

local test, eq, ok, match, deep = t.test, t.eq, t.ok, t.match, t.deep

local few = t.slowdown > 1

-- A sequence of its own, the same in each run, so that a failure can be seen again.
local function random_from(seed)
  local state = seed
  return function(n)
    state = (state * 6364136223846793005 + 1442695040888963407)
    return (state >> 33) % n + 1
  end
end

-- What a job does: by chance it works, fails, or waits.
local function act(n)
  if n % 7 == 0 then error("fails " .. n, 0) end
  if n % 11 == 0 then require "troupe.task".sleep(0.0001) end
  return n
end

-- Counts how a job ended, once; anything but what its number says is an error.
local function judge(counts, job, n)
  local good, value = job:join()
  local kind
  if good then
    eq(value, n)
    kind = "finished"
  elseif value == "cancelled" then
    kind = "cancelled"
  elseif value == "fails " .. n then
    kind = "failed"
  elseif tostring(value):find("interrupted") then
    kind = "broken"
  else
    error(("job %d ended as %s, %s"):format(n, tostring(good), tostring(value)))
  end
  deep({ job:join() }, { good, value })
  counts[kind] = (counts[kind] or 0) + 1
end

-- One pool's life: jobs submitted, discarded, cancelled; the pool resized and shut down at some moment.
local function live(random, most)
  local pool = troupe.pool{ workers = random(4), idle_timeout = random(3) == 1 and 0.001 or nil }
  local jobs, cancelled, count = {}, {}, random(most)
  for n = 1, count do
    local chance = random(100)
    if chance <= 5 then
      pool:submit({ act, discard = true }, n)
    elseif chance <= 15 then
      jobs[n] = pool:submit({ act, retries = random(3), backoff = random(2) == 1 and 0.0001 or nil }, n)
    elseif chance <= 25 then
      jobs[n] = pool:submit({ act, priority = random(5), first = random(2) == 1, delay = random(9) / 10000 }, n)
    else
      jobs[n] = pool:submit(act, n)
    end
    if random(20) == 1 then
      local victim = random(n)
      if jobs[victim] and jobs[victim]:cancel() then cancelled[victim] = true end
    end
    if random(200) == 1 then pool:resize(random(5)) end
  end
  if random(4) == 1 then pool:cancel() end
  eq(pool:shutdown{ soon = random(2) == 1 }, true)
  local counts, expected = {}, 0
  for n, job in pairs(jobs) do
    judge(counts, job, n)
    expected = expected + 1
    if cancelled[n] then deep({ job:join() }, { false, "cancelled" }) end
  end
  local total = 0
  for _, number in pairs(counts) do total = total + number end
  eq(total, expected)
  return expected
end

test("each job has exactly one outcome, whatever is done to its pool", function()
  local random = random_from(42)
  local done = 0
  while done < (few and 2000 or 30000) do done = done + live(random, 1000) end
end)

test("jobs of a pool whose workers' init fails by chance end all the same", function()
  for seed = 1, few and 3 or 10 do
    local function init(worker, s)
      local chance = tonumber(tostring({}):match("0x(%x+)"), 16) // 64
      if (worker * 7 + s * 13 + chance) % 3 == 0 then error("unlucky", 0) end
    end
    local pool <close> = troupe.pool{ workers = 3, idle_timeout = 0.0005, init_args = { seed }, init = init }
    local jobs, counts = {}, { fine = 0, unlucky = 0 }
    for n = 1, 200 do
      jobs[n] = pool:submit(function(v) return v end, n)
      if n % 50 == 0 then jobs[n]:join() end
    end
    for n = 1, 200 do
      local good, value = jobs[n]:join()
      if good then eq(value, n) else match(value, "unlucky") end
      counts[good and "fine" or "unlucky"] = counts[good and "fine" or "unlucky"] + 1
    end
    eq(counts.fine + counts.unlucky, 200)
  end
end)

test("sixty-four pools work at once", function()
  local pools, jobs = {}, {}
  for i = 1, 64 do
    pools[i] = troupe.pool{ workers = 1 }
    jobs[i] = pools[i]:submit(function(n) return n * n end, i)
  end
  for i = 1, 64 do eq(jobs[i]:await(), i * i) end
  for i = 1, 64 do eq(pools[i]:shutdown(), true) end
end)

test("thirty-two workers share the work of one pool", function()
  local pool <close> = troupe.pool{ workers = 32 }
  local results = pool:map(function(n) return n + 1 end, (function()
    local list = {}
    for i = 1, 20000 do list[i] = i end
    return list
  end)())
  for i = 1, 20000 do if results[i] ~= i + 1 then error("wrong at " .. i) end end
end)

test("two pools may be given the same functions, each keeps its own globals", function()
  local a <close> = troupe.pool{ workers = 1 }
  local b <close> = troupe.pool{ workers = 1 }
  local function count() _G.N = (_G.N or 0) + 1 return _G.N end
  for i = 1, 20 do
    eq(a:submit(count):await(), i)
    eq(b:submit(count):await(), i)
  end
end)

test("pools nest, and end from the outermost on", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local function nested(depth)
    if depth == 0 then return "bottom" end
    local inner <close> = require "troupe".pool{ workers = 1 }
    return inner:submit(nested, depth - 1):await()
  end
  eq(pool:submit(nested, 4):await(), "bottom")
end)

test("a worker out of memory goes on, job after job", function()
  local pool <close> = troupe.pool{ workers = 2, memory_limit = 2 << 20 }
  local jobs = {}
  for i = 1, 60 do
    jobs[i] = pool:submit(function(n)
      if n % 3 == 0 then return #("x"):rep(16 << 20) end
      return n
    end, i)
  end
  for i = 1, 60 do
    local good, value = jobs[i]:join()
    eq(good, i % 3 ~= 0)
    if good then eq(value, i) else match(value, "not enough memory") end
  end
end)

-- ---- ends

local states = {
  ["nothing but the pool"] = "",
  ["a job that runs"] = "J = pool:submit(function() while true do end end) while J:status() ~= 'running' do end",
  ["jobs that are queued"] = "for i = 1, 3000 do pool:submit(function(x) return x end, i) end",
  ["a job that catches all errors"] =
    "J = pool:submit(function() while true do pcall(function() while true do end end) end end) " ..
    "while J:status() ~= 'running' do end",
  ["jobs that wait"] =
    "for _ = 1, 50 do pool:submit(function() require 'troupe.task'.sleep(1000) end) end pool:stats()",
  ["a job that sleeps for good in a task nobody wakes"] =
    "pool:submit(function() require 'troupe.task'.wait() end) pool:stats()",
  ["a job with a delay"] = "pool:submit{ function() end, delay = 1000 }",
  ["an init without end"] =
    "pool = troupe.pool{ workers = 2, init = function() while true do end end } pool:submit(function() end)",
  ["a map in mid-way"] = "pool:imap(function(x) return x end, function() return 1 end, { window = 100 })()",
  ["an imap left early"] =
    "for _ in pool:imap(function(x) return x end, function() return 1 end, { window = 9 }) do break end",
  ["a pool in a job in a pool"] =
    "pool:submit(function() local inner = require 'troupe'.pool{ workers = 1 } " ..
    "inner:submit(function() while true do end end):await() end)",
  ["a pool that was closed"] = "pool:submit(function() end) pool:shutdown()",
}

local ends = {
  ["by os.exit"] = { "os.exit(5)", 5 },
  ["by os.exit that closes the state"] = { "os.exit(6, true)", 6 },
  ["by the end of its main chunk"] = { "", 0 },
  ["by an error"] = { "error('on purpose')", 1 },
}

for state, code in pairs(states) do
  test("a program ends at once with its own status, having " .. state, function()
    for how, last in pairs(ends) do
      local status, _, err = t.script("local troupe = require 'troupe' local pool = troupe.pool{ workers = 2 } " ..
        code .. " " .. last[1])
      eq(status, last[2], how .. ": " .. err)
    end
  end)
end

test("a job that calls os.exit ends the program with that status", function()
  for _, call in ipairs{ "os.exit(9)", "os.exit(9, true)" } do
    eq(t.script("require 'troupe'.pool{ workers = 2 }:submit(function() " .. call .. " end):await()"), 9)
  end
end)

-- ---- descriptors

-- Runs code where only so many descriptors may be open.
local function with_descriptors(limit, code)
  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  file:write(code)
  file:close()
  local host = 0
  while arg[host - 1] do host = host - 1 end
  local status, out, err = t.run{ "sh", "-c", 'ulimit -n "$0" && exec "$1" "$2"', limit, arg[host], name }
  os.remove(name)
  return status, out, err
end

test("however few the descriptors, a job works or its error says that they are", function()
  local worked, refused = 0, 0
  for limit = 5, 40, few and 5 or 1 do
    local status, out, err = with_descriptors(limit, [[
      local loaded, troupe = pcall(require, "troupe")
      if not loaded then print("refused", troupe) return end
      local opened, pool = pcall(troupe.pool, { workers = 2 })
      if not opened then print("refused", pool) return end
      for _ = 1, 5 do
        local good, value = pcall(function() return pool:submit(function() return "worked" end):await() end)
        print(good and value or "refused", value)
      end
    ]])
    eq(status, 0, "limit " .. limit .. ": " .. err)
    for word, text in out:gmatch("(%w+)\t([^\n]*)") do
      if word == "worked" then worked = worked + 1 else
        refused = refused + 1
        ok(text:find("limit") or text:find("descriptors") or text:find("open files") or text:find("memory"), text)
      end
    end
    ok(out ~= "", "limit " .. limit .. ": nothing was said; " .. err)
  end
  ok(worked > 0)
  ok(refused > 0)
end)

test("when descriptors return, a pool that was refused workers works", function()
  local status, out, err = with_descriptors(64, [[
    local troupe = require "troupe"
    local first = troupe.pool{ workers = 1 }
    assert(first:submit(function() return 1 end):await() == 1)
    local files = {}
    while true do
      local f = io.open("/dev/null")
      if not f then break end
      files[#files + 1] = f
    end
    local second = troupe.pool{ workers = 1 }
    print(second:submit(function() return 2 end):join())
    print(first:submit(function() return "first goes on" end):join())
    for _, f in ipairs(files) do f:close() end
    print(second:submit(function() return "second works" end):join())
  ]])
  eq(status, 0, err)
  match(out, "^false\tcannot start a worker: no more threads or descriptors")
  match(out, "true\tfirst goes on\ntrue\tsecond works\n$")
end)

test("many pools one after the other need few descriptors", function()
  local status, _, err = with_descriptors(160, [[
    local troupe = require "troupe"
    for i = 1, 300 do
      local pool = troupe.pool{ workers = 1 }
      assert(pool:submit(function(n) return n end, i):await() == i)
      pool:shutdown()
    end
  ]])
  eq(status, 0, err)
end)

t.finish()
