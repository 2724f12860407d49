-- input.lua - the vm that reads standard input for `troupe map`: a worker of a pool of its own, so that the program can
-- wait for input and for results in one place.

local require = require

require "troupe" -- knows troupe.core
local core = require "troupe.core"

local M = {}

-- So large that a block's way costs nothing beside the work on it, so small that a few dozen are no memory.
local BLOCK_BYTES = 128 * 1024

local reader

function M.open(_, delimiter)
  reader = core.reader(0, delimiter)
end

--- Reads a block of at most so many items, waiting for the first.
-- @return block, number of items; nil at the end; nil, message
function M.read(most)
  return reader:read(most, BLOCK_BYTES)
end

return M
