-- version.lua - `troupe version`: of what this program is made.

local io, table = io, table

local program = require "troupe.program"

return function()
  io.write("troupe ", table.concat({ program.versions() }, "\n"), "\n")
  return 0
end
