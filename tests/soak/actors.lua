-- actors.lua - actors by the ten thousand, in every isolation, ended in every way, and pools opened and closed beside
-- them: memory, threads and descriptors stay flat, every call has its answer. The argument says how many.

local t = require "harness"
local troupe = require "troupe"
local task = require "troupe.task"

local assert, collectgarbage, io, ipairs, math, pcall, select, tonumber =
  assert, collectgarbage, io, ipairs, math, pcall, select, tonumber

troupe.log.set_level_all "off" -- many fail on purpose

local count = tonumber((...)) or 20000

local Behaviour = {
  double = function(_, n) return 2 * n end,
  fail = function() error("meant", 0) end,
  loop = function() while true do pcall(function() while true do end end) end end,
  keep = function(self, n) self.kept = ("x"):rep(n) end,
}

-- One in twenty is a process, one in five a thread.
local function isolation(i)
  if i % 20 == 0 then return "process" end
  if i % 5 == 0 then return "thread" end
  return i % 2 == 0 and "light" or "local"
end

local ends = {
  function(actor) actor:stop() end,
  function(actor) actor:kill() end,
  function(actor)
    local ok, err = pcall(actor.call, actor, "fail")
    t.eq(ok, false)
    t.eq(err, "meant")
  end,
  function(actor, where)
    if where ~= "local" then actor:send "loop" end -- there it would be this vm's own
    actor:kill()
  end,
}

local function one_actor(i)
  local where = isolation(i)
  local actor = assert(troupe.spawn({ Behaviour, isolation = where, name = i % 7 == 0 and "soak." .. i or nil }))
  actor:send("keep", math.random(10000))
  t.eq(actor:call_with({ timeout = 60 * t.slowdown }, "double", i), 2 * i)
  ends[math.random(#ends)](actor, where)
end

local function one_pool(i)
  local pool <close> = troupe.pool{ workers = 2, isolation = i % 400 == 0 and "process" or nil }
  for n, result in ipairs(pool:map(function(n) return n * n end, { 1, 2, 3, 4 })) do t.eq(result, n * n) end
end

local function live(from, to)
  for i = from, to do
    one_actor(i)
    if i % 100 == 0 then
      one_pool(i)
      collectgarbage()
    end
  end
end

local function status(field)
  local f <close> = io.open("/proc/self/status")
  return tonumber(f:read("a"):match("\n" .. field .. ":%s*(%d+)"))
end

local function descriptors()
  local list <close> = io.popen("ls /proc/" .. status "Pid" .. "/fd")
  return select(2, list:read("a"):gsub("\n", ""))
end

-- What is left once those that were told to end have ended.
local function settle(what, most)
  local deadline = troupe.now() + 60 * t.slowdown
  while what() > most and troupe.now() < deadline do task.sleep(0.01) end
  return what()
end

local function threads() return status "Threads" end

t.test(count .. " actors come and go in flat memory", function()
  local warm = count // 5
  live(1, warm)
  local memory = status "VmRSS"
  live(warm + 1, count)
  t.ok(settle(threads, 32) <= 32, threads()) -- some are kept for those to come
  t.ok(settle(descriptors, 64) <= 64, descriptors())
  collectgarbage()
  local after = status "VmRSS"
  io.write("# ", memory, " KB after ", warm, ", ", after, " KB after ", count, ", ", threads(), " threads, ",
    descriptors(), " descriptors\n")
  t.ok(after - memory < (t.slowdown == 1 and 16000 or 500000), after - memory)
end)

t.finish()
