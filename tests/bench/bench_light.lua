-- bench_light.lua - light actors, in the vms that they share, beside local ones: what each takes, how fast they are
-- made, and what a message costs beside its sender and in another vm.

package.path = (arg[0]:match("^(.*/)") or "./") .. "?.lua;" .. package.path

local figures = require "figures"
local troupe = require "troupe"
local core = require "troupe.actor.core"

local COUNT, MESSAGES = 20000, 50000

local Idle = {
  init = function(self, i) self.i = i end,
  bytes = function()
    collectgarbage()
    collectgarbage()
    return collectgarbage "count" * 1024
  end,
}

-- Makes some beside itself; sends as many messages to another one, and awaits the last answer.
local Maker = {
  make = function(self, behaviour, isolation, count)
    local begin = require "troupe".now()
    self.made = {}
    for i = 1, count do self.made[i] = require "troupe".spawn({ behaviour, isolation = isolation }, i) end
    return count / (require "troupe".now() - begin)
  end,
  drop = function(self)
    for _, actor in ipairs(self.made) do actor:kill() end
    self.made = nil
  end,
  play = function(_, other, count)
    local begin = require "troupe".now()
    for _ = 1, count do other:call "ping" end
    return (require "troupe".now() - begin) / count * 1e6
  end,
  ping = function() return true end,
  bytes = Idle.bytes,
}

local LONG = { timeout = 600 }

local function spawn(isolation) return assert(troupe.spawn { Maker, isolation = isolation }) end

-- Two light actors in one vm, and one in another; that one nil where there is one core.
local function three()
  local first, beside, apart = spawn "light", nil, nil
  for _ = 1, 4 * troupe.cores() do
    local other = spawn "light"
    if core.vm_address(other) == core.vm_address(first) then beside = beside or other else apart = apart or other end
  end
  return first, beside, apart
end

local first, beside, apart = three()
local here = { spawn "local", spawn "local" }

local function rate(maker, isolation)
  return function()
    local figure = maker:call_with(LONG, "make", Idle, isolation, COUNT)
    maker:call_with(LONG, "drop")
    return figure
  end
end

local light, near = figures.medians(rate(first, "light"), rate(here[1], "local"))
figures.tell("light actors made by one", light, "/s")
figures.tell("local actors made by one", near, "/s")

local function latency(from, to)
  return function() return from:call_with(LONG, "play", to, MESSAGES) end
end

local one, two, plain =
  figures.medians(latency(first, beside), latency(first, apart or beside), latency(table.unpack(here)))
figures.tell("call, light, in one vm", one, "us")
figures.tell("call, light, between two vms", two, "us")
figures.tell("call, local", plain, "us")

local function bytes()
  local sum = first:call_with(LONG, "bytes")
  return apart and sum + apart:call_with(LONG, "bytes") or sum
end
local before = bytes()
for i = 1, COUNT do assert(troupe.spawn({ Idle, isolation = "light" }, i)) end
figures.judge("idle light actor, Lua's bytes", (bytes() - before) / COUNT, "bytes", "at most", 900)
