-- threads_interrupt.lua - stopping code that does not stop by itself: once, as an error it may catch, or for good.
local llthreads = require "llthreads"

-- It catches the error, and has the last word. The first word comes through a file: then it is inside its pcall.
local name = os.tmpname()
local polite = llthreads.new([[
  local ok, err = pcall(function(name)
    io.open(name, "w"):write("ready"):close()
    while true do end
  end, ...)
  return "stopped: " .. err:match "thread was interrupted" ]], name)
polite:start()
repeat polite:join(1) until io.open(name):read() == "ready"
polite:interrupt()
print(polite:join())
io.open(name, "w"):close()

-- It would catch anything: a permanent interrupt outlasts every pcall.
local stubborn = llthreads.new([[
  require "llthreads".set_logger(function() end)
  io.open(..., "w"):write("ready"):close()
  while true do pcall(function() while true do end end) end ]], name)
stubborn:start()
repeat stubborn:join(1) until io.open(name):read() == "ready"
print(stubborn:join(20))
stubborn:interrupt(true)
local ok, err = stubborn:join()
print(ok, err:match(llthreads.interrupted_error))
os.remove(name)
