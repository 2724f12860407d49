-- single.lua - one item of map and its kin as a job of its own, for options that the calls of a batch cannot have each.
--
-- It has the face of a batch of one (src/lua_batch.c): many.lua does not tell them apart.

local core = require "troupe.core"

local pairs, select, setmetatable, table = pairs, select, setmetatable, table

local Single = {}
Single.__index = Single

-- Options that are a matter of one call.
local of_one_call = {
  "cleanup", "group", "on_complete", "on_done_in_worker", "on_success", "outlive", "retry_if",
}

local M = {}

--- True when these options of a run ask for a job an item.
function M.needed(opts)
  for i = 1, #of_one_call do
    if opts[of_one_call[i]] ~= nil then return true end
  end
  return false
end

local not_submitted = { chunk = true, window = true, progress = true, on_error = true }

--- What pool:submit shall get for each item.
function M.plan(fn, opts)
  local plan, complete = { fn }, opts.on_complete
  for key, value in pairs(opts) do
    if not not_submitted[key] then plan[key] = value end
  end
  plan.on_complete = function(job)
    core.wake_batches()
    if complete then complete(job) end
  end
  return plan
end

--- Submits the call for one item.
function M.submit(pool, plan, item) return setmetatable({ job = pool:submit(plan, item) }, Single) end

--- In place of one that could not be submitted.
function M.refused(err) return setmetatable({ err = err }, Single) end

function Single:ready() return not self.job or self.job:_seen() ~= "pending" end

function Single:entries()
  if not self.job then return nil, self.err end
  local outcome = table.pack(self.job:join())
  if not outcome[1] then return { -1, outcome[2] }, 0 end
  return { outcome.n - 1, select(2, table.unpack(outcome, 1, outcome.n)) }, 0
end

function Single:collect(results, index)
  local entries = self:entries()
  if entries[1] < 0 then return nil, 0, entries[2] end
  results[index + 1] = entries[2]
  return 0
end

function Single:drop()
  if not self.job then return end
  self.job:stop()
  self.job:detach()
end

function Single.turn() core.turn_batches() end

return M
