-- task_socket.lua - an echo server and its clients in one vm, each a task, over lua-socket: Debian's lua-socket.
local socket = require "socket"
local task = require "troupe.task"

-- The next line, nil at the end or after half a minute of silence. Only the running task waits for it.
local function read_line(sock)
  local me = task.running()
  local line, why, part
  local _ <close> = task.watch(sock, "r", function() task.notify(me, sock) end)
  repeat
    line, why, part = sock:receive("*l", part)
  until why ~= "timeout" or task.wait(sock, 30) == task.TIMEOUT
  return line
end

local function serve(conn)
  conn:settimeout(0) -- it never blocks the vm
  for line in read_line, conn do conn:send(line .. "\n") end
  conn:close()
end

local server = assert(socket.bind("127.0.0.1", 0))
local _, port = server:getsockname()
local listening = task.watch(server, "r", function() task.spawn(serve, server:accept()) end)

local function client(name)
  local sock = assert(socket.connect("127.0.0.1", port))
  sock:settimeout(0)
  for _, word in ipairs { "how", "do", "you", "do" } do
    sock:send(name .. " says: " .. word .. "\n")
    print(read_line(sock))
  end
  sock:close()
end

for _, name in ipairs { "ada", "bela", "carl" } do task.spawn(client, name) end
task.run()
listening:close()
