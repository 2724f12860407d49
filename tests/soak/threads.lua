-- threads.lua - threads by the hundred thousand, started in every mode and joined, dropped, kept or closed: memory
-- stays flat, nothing hangs. The argument says how many.

local t = require "harness"
local llthreads = require "llthreads"

local collectgarbage, io, math, tonumber = collectgarbage, io, math, tonumber

local count = tonumber((...)) or 100000
local modes = { {}, { false, false }, { true }, { true, true } }
local codes = {
  "return ...",
  "local t = {} for i = 1, 100 do t[i] = ('x'):rep(i) end return #t",
  "for x in coroutine.wrap(function() for i = 1, 10 do coroutine.yield(i) end end) do end return 1",
  "return require 'llthreads'.new('return 1'):start():join()",
}
local kept = {} -- handles that live a while
local outcomes = { joined = 0, dropped = 0, kept = 0, closed = 0 }

local function note(what)
  outcomes[what] = outcomes[what] + 1
end

local function status(field)
  local f <close> = io.open("/proc/self/status")
  return tonumber(f:read("a"):match(field .. ":%s*(%d+)"))
end

local ends = {
  function(thread)
    local ok = thread:join()
    t.ok(ok or thread:detached() and not thread:joinable())
    note "joined"
  end,
  function() note "dropped" end,
  function(thread)
    local slot = math.random(100)
    if kept[slot] then kept[slot]:alive() end
    kept[slot] = thread
    note "kept"
  end,
  function(thread)
    local _ <close> = thread
    note "closed"
  end,
}

local function start_one(i)
  local mode = modes[math.random(#modes)]
  local thread = t.ok(llthreads.new(codes[math.random(#codes)], i):start(mode[1], mode[2]))
  ends[math.random(#ends)](thread)
  if i % 1000 == 0 then collectgarbage() end
end

t.test(count .. " threads come and go in flat memory", function()
  local warm = count // 5
  for i = 1, warm do start_one(i) end
  collectgarbage()
  local before = status "VmRSS"
  for i = warm + 1, count do start_one(i) end
  kept = {}
  collectgarbage()
  local after = status "VmRSS"
  io.write("# ", before, " KB after ", warm, ", ", after, " KB after ", count, ", ", status "Threads", " threads\n")
  t.ok(after - before < (t.slowdown == 1 and 16000 or 500000), after - before)
end)

t.finish()
