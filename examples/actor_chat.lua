-- actor_chat.lua - a chat over TCP: a room is a supervised actor; one that crashes comes back, and its guests with it.
local socket, troupe, task = require "socket", require "troupe", require "troupe.task"
troupe.log.set_level "off" -- "/crash" is meant
local Room = {}
function Room:init(name)
  self.guests = {}
  return troupe.register(name, self.ref), troupe.subscribe "said"
end
function Room:enter() self.guests[#self.guests + 1] = self.sender return #self.guests end
function Room:said(text)
  if text:find "/crash" then error "crashed on purpose" end
  for _, guest in ipairs(self.guests) do guest:send("line", text) end
end
troupe.supervise { children = { { id = "lobby", start = { Room, "lobby" } } } }

local function read_line(sock)
  local me, line, why, part = task.running() -- luacheck: ignore 311
  local _ <close> = task.watch(sock, "r", function() task.notify(me, sock) end)
  repeat line, why, part = sock:receive("*l", part) until why ~= "timeout" or task.wait(sock, 60) == task.TIMEOUT
  return line
end
-- A task reads what the guest says, an actor tells it what others say.
local function serve(sock)
  sock:settimeout(0)
  local Guest = { line = function(_, text) sock:send(text .. "\n") end }
  function Guest:enter()
    local room = troupe.whereis "lobby"
    if not room then return self:send_after(0.001, "enter") end -- it is on its way back
    troupe.monitor(room)
    sock:send(("* %d in the lobby\n"):format(room:call "enter"))
  end
  Guest.init, Guest.down = Guest.enter, Guest.enter
  local guest = troupe.spawn { Guest, isolation = "local" }
  for line in read_line, sock do troupe.publish("said", line) end
  guest:stop()
end
local server = assert(socket.bind("127.0.0.1", tonumber(arg[1]) or 0))
io.write("port ", (select(2, server:getsockname())), "\n"):flush()
task.watch(server, "r", function() task.spawn(serve, server:accept()) end)
task.wait_until(function() return false end)
