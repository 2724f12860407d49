-- threads_detach.lua - a thread on its own: it goes on without a handle, and ends with the program at the latest.
-- One that is detached but joinable can still be awaited, without results.
local llthreads = require "llthreads"

local name = os.tmpname()
local writer = llthreads.new([[
  local file <close> = io.open(..., "w")
  file:write "written by a detached thread"
]], name)
assert(writer:start(true, true))
print(writer:join())
print(io.lines(name)())
os.remove(name)

-- Nobody waits for this one: the program's end does not either.
llthreads.new("while true do end"):start(true)
print(llthreads.new(""):start(true):join())
