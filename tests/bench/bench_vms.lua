-- bench_vms.lua - actors with a vm of their own, beside their floor: a bare thread with a bare Lua state.
--
-- Each round is a program of its own, as memory that was used once is used again.

package.path = (arg[0]:match("^(.*/)") or "./") .. "?.lua;" .. package.path

local troupe = require "troupe"

local function resident()
  local file <close> = assert(io.open "/proc/self/smaps_rollup")
  return tonumber(file:read("a"):match "Rss:%s+(%d+)") * 1024
end

-- Crosses, and so has no upvalues.
local function adder()
  return {
    add = function(_, x) return x + 1 end,
    memory = function() return collectgarbage "count" * 1024 end,
  }
end

local function one()
  local ref = assert(troupe.spawn(adder))
  assert(ref:call("add", 1) == 2)
  return ref
end

local parts = {}

-- How many a second, resident bytes of each, bytes of its Lua values, seconds to stop one.
function parts.spawn(count)
  one()
  local refs, before, begin = {}, resident(), troupe.now()
  for i = 1, count do refs[i] = assert(troupe.spawn(adder)) end
  local passed, after = troupe.now() - begin, resident()
  local bytes = refs[count // 2]:call "memory"
  begin = troupe.now()
  for i = 1, count do assert(refs[i]:stop()) end
  return count / passed, (after - before) / count, bytes, (troupe.now() - begin) / count
end

function parts.call(count)
  local ref, trips = one(), {}
  for i = 1, count do
    local begin = troupe.now()
    assert(ref:call("add", i) == i + 1)
    trips[i] = troupe.now() - begin
  end
  table.sort(trips)
  return trips[count // 2], trips[count * 99 // 100]
end

if arg[1] then
  print(parts[arg[1]](tonumber(arg[2])))
  os.exit(true)
end

local figures = require "figures"

local first = 0
while arg[first - 1] do first = first - 1 end
local command = ("'%s' '%s' "):format(arg[first], arg[0])

local function numbers_of(part, count)
  local pipe <close> = assert(io.popen(command .. part .. " " .. count))
  local numbers = {}
  for word in pipe:read("a"):gmatch "%S+" do numbers[#numbers + 1] = tonumber(word) end
  assert(#numbers > 0, part)
  return numbers
end

-- The median of each number of ours and of the floor, over rounds that take turns.
local function compare(part, count, ours_count)
  local ours, floor = {}, {}
  for round = 1, figures.ROUNDS do
    ours[round] = numbers_of(part, ours_count or count)
    floor[round] = { figures.floor("floor_vms", part, count) }
  end
  local function median(list, i)
    local values = {}
    for round = 1, #list do values[round] = list[round][i] end
    return figures.median(values)
  end
  return function(i, scale) return median(ours, i) * scale, floor[1][i] and median(floor, i) * scale end
end

local spawn = compare("spawn", 150)
local rate, bare = spawn(1, 1)
figures.judge("vm actors spawned", rate, "/s", "at least", 10000)
figures.tell("a bare thread with a bare state", bare, "/s")
local bytes, least = spawn(2, 1)
figures.judge("resident memory of an idle one", bytes, "bytes", "at most", 60000)
figures.tell("of a bare thread with a bare state", least, "bytes")
figures.tell("Lua values of it", spawn(3, 1), "bytes")
figures.tell("Lua values of a bare state", select(2, spawn(3, 1)), "bytes")
figures.tell("stopping one", spawn(4, 1e6), "us")

local call = compare("call", 20000)
local trip, hop = call(1, 1e6)
figures.judge("call, p50", trip, "us", "at most", 9)
figures.tell("there and back by condition variables, p50", hop, "us")
local slow, slow_hop = call(2, 1e6)
figures.judge("call, p99", slow, "us", "at most", 16)
figures.tell("there and back by condition variables, p99", slow_hop, "us")
