-- zmtp.lua - as much of ZeroMQ's wire protocol (ZMTP 3.0, without security) as a program needs that only sends frames:
-- what a test sends through this is byte for byte what it says.

local assert, setmetatable, string = assert, setmetatable, string

local socket = require "socket"

local M = {}
M.__index = M

local GREETING = "\xff" .. ("\0"):rep(8) .. "\x7f\3\0NULL" .. ("\0"):rep(16) .. ("\0"):rep(32)

local function command(kind)
  local body = "\5READY" .. "\11Socket-Type" .. string.pack(">s4", kind)
  return "\4" .. string.pack("s1", body)
end

--- Connects to "tcp://HOST:PORT" as a socket of the kind "PUSH" or "PUB".
function M.connect(endpoint, kind)
  local host, port = endpoint:match "^tcp://([^:]+):(%d+)$"
  local tcp = assert(socket.connect(host, port))
  assert(tcp:send(GREETING .. command(kind)))
  assert(tcp:receive(64))
  local head = assert(tcp:receive(2))
  assert(tcp:receive(head:byte(2)))
  if kind == "PUB" then assert(tcp:receive(3)) end -- what the other side subscribes to: everything
  return setmetatable({ tcp = tcp }, M)
end

--- Sends one frame; `more`: of a message that goes on.
function M:send(frame, more)
  local flags = more and 1 or 0
  if #frame > 255 then
    assert(self.tcp:send(string.char(flags | 2) .. string.pack(">s8", frame)))
  else
    assert(self.tcp:send(string.char(flags) .. string.pack("s1", frame)))
  end
end

--- Sends bytes as they are, frames or not.
function M:send_raw(bytes) assert(self.tcp:send(bytes)) end

function M:close() self.tcp:close() end

return M
