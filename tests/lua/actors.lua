-- actors.lua - actors that tests need more than once.

local t = require "harness"
local troupe = require "troupe"

local actors = {}

-- An actor in this vm.
function actors.near(behaviour, ...) return assert(troupe.spawn({ behaviour, isolation = "local" }, ...)) end

-- An actor in this vm that notes the ends it hears of.
-- Returns it, the list of these, and a function that runs another one inside it, as its handler.
function actors.witness(trap)
  local seen = {}
  local body
  local actor = actors.near {
    trap_exit = trap,
    run = function(self) return body(self) end,
    down = function(_, ref, reason) seen[#seen + 1] = { "down", ref, reason } end,
    exit = function(_, ref, reason) seen[#seen + 1] = { "exit", ref, reason } end,
  }
  return actor, seen, function(fn)
    body = fn
    return actor:call_with({ timeout = 60 * t.slowdown }, "run")
  end
end

return actors
