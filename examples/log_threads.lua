-- log_threads.lua - a child thread fails, and its error arrives, with its traceback, at a sink of logs over tcp.
-- The sink is part of this program here; `troupe log --pull tcp://127.0.0.1:5555` would be one of its own.
local llthreads = require "llthreads"
local log_sink = require "troupe.log_sink"

local name = os.tmpname()
local sink <close> = assert(log_sink.open { pull = arg and arg[1] or "tcp://127.0.0.1:5555", file = name })

print(llthreads.new([[
  local endpoint = ...
  local log = require "troupe.log"
  assert(log.to(endpoint))
  require "llthreads".set_logger(function(message) log.error(message) end)
  error "SOME ERROR"
]], sink:endpoints()[1]):start():join() == false)

require "troupe.log".flush()
while sink:counts().records < 1 do require "troupe.task".sleep(0.01) end
sink:close()
print((io.lines(name)():match "%[ERROR%] .*(Error from thread: .*)\\nstack traceback:"))
os.remove(name)
