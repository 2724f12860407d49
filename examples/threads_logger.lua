-- threads_logger.lua - where the errors of threads go: to stderr, unless the failing thread's own vm has a logger.
local llthreads = require "llthreads"

local name = os.tmpname()
local ok, err = llthreads.new([[
  local path = ...
  require "llthreads".set_logger(function(message)
    local file <close> = io.open(path, "w")
    file:write(message)
  end)
  error "disk full"
]], name):start():join()

print(ok, err:match "disk full")
print((io.lines(name)()))
os.remove(name)
