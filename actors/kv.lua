-- kv.lua - a store of values by key, which may expire.
--
--     local kv = troupe.spawn { "actors/kv.lua", isolation = "light" }
--     kv:send("set", "name", "Ada", 60)      forgotten after 60 seconds; without the number, never
--     kv:call("get", "name")                 the value; nil when there is none
--     kv:call("take", "name")                the same, and forgets it
--     kv:call("add", "hits", 1)              adds to a number, from 0: the sum
--     kv:call("swap", "name", old, new)      sets new if the value is old: true or false
--     kv:call("keys")                        a list, in no particular order
--     kv:call("count")                       how many there are

local now = require "troupe".now

local pairs = pairs

local KV = {}

function KV:init()
  self.values, self.expires = {}, {}
end

-- Forgets the key if its time is over.
local function fresh(self, key)
  local at = self.expires[key]
  if at and now() >= at then self.values[key], self.expires[key] = nil, nil end
  return self.values[key]
end

function KV:expire(key) fresh(self, key) end

function KV:set(key, value, seconds)
  self.values[key] = value
  self.expires[key] = seconds and now() + seconds
  if seconds then self:send_after(seconds, "expire", key) end
  return true
end

function KV:get(key) return fresh(self, key) end

function KV:take(key)
  local value = fresh(self, key)
  self.values[key], self.expires[key] = nil, nil
  return value
end

function KV:add(key, number)
  local sum = (fresh(self, key) or 0) + number
  self.values[key] = sum
  return sum
end

function KV:swap(key, old, new)
  if fresh(self, key) ~= old then return false end
  self.values[key] = new
  return true
end

function KV:keys()
  local list = {}
  for key in pairs(self.values) do
    if fresh(self, key) ~= nil then list[#list + 1] = key end
  end
  return list
end

function KV:count() return #KV.keys(self) end

return KV
