-- threads_prelude.lua - what runs before a thread's code: lua_init sets up its vm, the prelude changes its arguments.
local threads = require "llthreads.ex"

local thread = threads.new({
  function(low, high)
    local seen = {}
    for n = low, high do seen[#seen + 1] = shout(n) end -- luacheck: ignore shout
    return table.concat(seen, " "), arg.n
  end,
  prelude = function(range)
    local low, high = range:match "(%d+)-(%d+)"
    return math.tointeger(low), math.tointeger(high)
  end,
  lua_init = "function shout(n) return n .. '!' end",
}, "3-5")

print(thread:start():join())
