-- gang.lua - gangs: jobs that start all at once, each on a worker of its own.

local core = require "troupe.core"
local options = require "troupe.options"

local error, ipairs, pairs, pcall, type = error, ipairs, pairs, pcall, type

local M = {}

local gang_options = { name = "string", priority = "integer", first = "boolean", timeout = "seconds" }

-- The functions of a gang, and the options of each.
local function read(self, what)
  if type(what) ~= "table" then error("gang: table of functions expected, got " .. type(what), 3) end
  local opts = {}
  for key, value in pairs(what) do
    if type(key) ~= "number" then opts[key] = value end
  end
  options.check(opts, gang_options, "gang", 3)
  if #what == 0 then error("gang: at least one function expected", 3) end
  for i, fn in ipairs(what) do
    if type(fn) ~= "function" and type(fn) ~= "string" then
      error(("gang: function or string expected at [%d], got %s"):format(i, type(fn)), 3)
    end
  end
  local workers = core.workers(self)
  if #what > workers then error(("gang: %d functions, but %d workers"):format(#what, workers), 3) end
  return what, opts
end

--- Submits functions that start all at once, on as many different workers, or wait until they can: idle workers are
-- held for them, and nothing that came later overtakes them. Cancelling one of them before they start cancels all.
-- @param fns table: functions as for submit, called without arguments, at most as many as the pool has workers; and
--   name, priority, first, timeout as for submit, for all of them
-- @return a group of their jobs, in this order
-- @usage pool:gang{ producer, consumer }:wait()
function M:gang(fns)
  local opts
  fns, opts = read(self, fns)
  local group = self:group()
  local leader
  for i, fn in ipairs(fns) do
    local mine = { group = group }
    for key, value in pairs(opts) do mine[key] = value end
    local place = leader and { gang = leader:_id() } or { gang_size = #fns }
    local ok, job = pcall(self._submit_checked, self, fn, mine, place)
    if not ok then
      if leader then leader:cancel() end -- the others with it
      error(("gang: function %d: %s"):format(i, job), 2)
    end
    leader = leader or job
  end
  return group
end

return M
