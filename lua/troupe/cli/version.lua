-- version.lua - `troupe version`: of what this program is made.

local io, table = io, table

local program = require "troupe.program"

return function(args)
  if #args > 0 then
    io.stderr:write("troupe version: no arguments expected\nTry 'troupe help version'.\n")
    return 2
  end
  io.write("troupe ", table.concat({ program.versions() }, "\n"), "\n")
  return 0
end
