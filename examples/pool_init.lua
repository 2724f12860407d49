-- pool_init.lua - what each worker does once: open, load, connect. Its globals stay until the worker ends.
-- luacheck: globals capitals
local troupe = require "troupe"

local pool <close> = troupe.pool {
  workers = 2,
  init = function(_, path)
    capitals = {}
    for line in io.lines(path) do
      local country, city = line:match "^(.-)=(.*)$"
      capitals[country] = city
    end
  end,
  init_args = { arg[1] or (arg[0]:match "^.*/" or "./") .. "capitals.txt" },
}

local function capital(country) return capitals[country] or "?" end

for _, city in ipairs(pool:map(capital, { "Peru", "Ghana", "Atlantis" })) do print(city) end
