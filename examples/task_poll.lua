-- task_poll.lua - the program has a loop of its own, and drives the tasks from there. It waits for its socket and for
-- task.fd(), which is readable when task.poll() has something to do: with select here, as well with poll or epoll.
local socket = require "socket"
local task = require "troupe.task"
local troupe = require "troupe"

local inbox = assert(socket.udp4())
assert(inbox:setsockname("127.0.0.1", 0))
local host, port = inbox:getsockname()

-- lua-socket's select takes any object that tells its descriptor.
local fd = task.fd()
local tasks = { getfd = function() return fd end, dirty = function() return false end }

local pool <close> = troupe.pool { workers = 1 }
task.spawn(function()
  local outbox = assert(socket.udp4())
  for i = 1, 3 do
    task.sleep(0.02)
    local square = pool:submit(function(n) return n * n end, i):await()
    outbox:sendto("the square of " .. i .. " is " .. square, host, port)
  end
  outbox:sendto("done", host, port)
end)

local text
task.poll() -- what was begun outside of poll is known to the descriptor from here on
repeat
  local readable = socket.select({ inbox, tasks }, nil)
  if readable[tasks] then task.poll() end
  if readable[inbox] then
    text = inbox:receive()
    print(text)
  end
until text == "done"
