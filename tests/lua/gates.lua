-- gates.lua - files by which tests let jobs in other vms and processes wait for them, in C and in Lua.

local await = require "await"

local gates = {}
local Gate = {}
Gate.__index = Gate

local function exists(name)
  local file = io.open(name)
  return file and file:close()
end

-- A gate: it is closed while the file `name` is there. Who waits at it has made the file `arrival`.
function gates.gate()
  local name = os.tmpname()
  return setmetatable({ name = name, arrival = name .. ".arrival" }, Gate)
end

-- A job that is in C, where no interrupt reaches it, until the gate is open. From there it tells that it has arrived:
-- an interrupt on the way would end it.
function gates.stuck(name)
  os.execute((": >'%s.arrival'; while [ -e '%s' ]; do sleep 0.02; done"):format(name, name))
end

function Gate:open()
  os.remove(self.name)
end

function Gate:await_arrival()
  await(function() return exists(self.arrival) end, "who was to come to the gate")
end

function Gate:__close()
  self:open()
  os.remove(self.arrival)
end

return gates
