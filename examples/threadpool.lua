-- threadpool.lua - threads that wait and tell each other, as lua-threadpool's programs do; plain Lua is enough. The
-- program says what time it is: here hours that pass as fast as they can.
local threadpool = require "threadpool"

local hour = 8
local function say(...) print(("%02d:00"):format(hour), ...) end

threadpool.init {
  logger = { warn = say, error = say, debug = say },
  growing_thread_num = 2,
  upper_thread_num = 5,
  enum_timeout = "nobody came",
}

local function guest(name, arrival, host)
  threadpool.wait(arrival)
  say(name, "rings")
  if not threadpool.notify(host, "bell", name) then say(name, "goes home") end
end

local host
threadpool.work(function()
  host = threadpool.running()
  for _ = 1, 3 do say("host", "meets", threadpool.wait("bell", hour + 2)) end
end)

threadpool.work(guest, "Ada", 9, host)
threadpool.work(guest, "Carl", 14, host)
threadpool.work(guest, "Bela", 10, host)

repeat
  local next_hour = threadpool.check_timeout(hour)
  hour = next_hour or hour
until not next_hour
