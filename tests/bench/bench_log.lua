-- bench_log.lua - what a record costs who says it, and how many a sink takes.

local figures = require "figures"

local troupe = require "troupe"
local log = require "troupe.log"

local RECORDS, SENDERS = 1000000, 8

-- Nanoseconds that each of `count` calls of body(i) takes.
local function cost(count, body)
  local began = figures.now()
  for i = 1, count do body(i) end
  return (figures.now() - began) / count * 1e9
end

local function idle() end

local function off()
  log.set_level "warning"
  return cost(3000000, function(i) log.debug("record %d", i) end)
end

local function empty_call()
  return cost(3000000, function(i) idle("record %d", i) end)
end

-- What is said goes to /dev/null by way of the queue and its thread.
local function on()
  assert(log.to "/dev/null")
  local taken = cost(200000, function(i) log.error("record %d", i) end)
  assert(log.flush())
  assert(log.to "stderr")
  return taken
end

local function formatted()
  local format, place = string.format, debug.getinfo
  return cost(200000, function(i) return format("record %d", i), place(1, "Sl") end)
end

local sender = [[
  local log = require "troupe.log"
  log.set_level_all "info"
  assert(log.to(arg[1]))
  for i = 1, tonumber(arg[2]) do log.info("sender %d record %d", arg[3], i) end
  assert(log.flush() and log.counts().dropped == 0)
]]

-- Records a second that eight programs send over tcp to a sink that writes them into a file.
local function over_tcp()
  local path, code = os.tmpname(), os.tmpname()
  local file = assert(io.open(code, "w"))
  file:write(sender)
  file:close()
  local sink = assert(troupe.log_sink.open { pull = "tcp://127.0.0.1:*", file = path })
  local first = 0
  while arg[first - 1] do first = first - 1 end
  local began, pipes = figures.now(), {}
  for i = 1, SENDERS do
    local words = { arg[first], code, sink:endpoints()[1], RECORDS // SENDERS, i }
    pipes[i] = assert(io.popen("'" .. table.concat(words, "' '") .. "'"))
  end
  for i = 1, SENDERS do assert(pipes[i]:close()) end
  while sink:counts().records < RECORDS do troupe.task.sleep(0.001) end
  local seconds = figures.now() - began
  sink:close()
  assert(sink:counts().lost == 0)
  os.remove(path)
  os.remove(code)
  return RECORDS / seconds
end

local silent, nothing, said, made, rate = figures.medians(off, empty_call, on, formatted, over_tcp)
figures.compare("a record below the level, beside an empty call", silent, nothing, "ns", "at most", 3)
figures.compare("a record, beside its string.format and getinfo", said, made, "ns", "at most", 2)
figures.judge("records over tcp into a file, eight programs", rate, "/s", "at least", 300000)
