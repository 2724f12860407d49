-- source.lua - where the items of `troupe map` come from: its arguments, or standard input.
--
-- A source has next(most): a block of at most so many items and their number; nil when there is none now. `ended` is
-- true when there will be none any more, then `message` says why if it is not the end of the input. `pending()` gives
-- what to wait for, `delimiter` is what follows each item in a block.

local ipairs, math, setmetatable, table = ipairs, math, setmetatable, table

local core = require "troupe.core"
local new_pool = require "troupe.pool"

local M = {}

-- A block of arguments; no argument holds a NUL.
local Arguments = { delimiter = "\0" }
Arguments.__index = Arguments

function Arguments:next(most)
  local count = math.min(most, #self.items - self.taken)
  if count == 0 then
    self.ended = true
    return nil
  end
  local from = self.taken + 1
  self.taken = self.taken + count
  return table.concat(self.items, "\0", from, self.taken) .. "\0", count
end

function Arguments.pending() return nil end

function Arguments.close() end

--- The items of a sequence of strings.
function M.arguments(items)
  return setmetatable({ items = items, taken = 0, total = #items, ended = #items == 0 }, Arguments)
end

-- Standard input is read in a vm of its own, a block ahead of what is asked for.
local Input = {}
Input.__index = Input

local READ_AHEAD = 2

function Input:request(most)
  while #self.reads < READ_AHEAD do
    self.reads[#self.reads + 1] = core.submit_batch(self.pool, nil, "troupe.cli.input:read", { most }, 1, 1)
  end
end

function Input:next(most)
  if self.ended then return nil end
  self:request(most)
  if not self.reads[1]:ready() then return nil end
  local entries, err = table.remove(self.reads, 1):entries()
  if not entries or entries[1] < 0 then
    self.ended, self.message = true, err or entries[2]
  elseif entries[2] == nil then
    self.ended, self.message = true, entries[3]
  else
    self:request(most)
    return entries[2], entries[3]
  end
  return nil
end

function Input:pending()
  return not self.ended and self.reads[1] or nil
end

function Input:close()
  for _, read in ipairs(self.reads) do read:drop() end
  self.pool:shutdown { soon = true }
end

--- The items of standard input, each followed by the delimiter, a byte.
function M.input(delimiter)
  local pool = new_pool { workers = 1, name = "input", init = "troupe.cli.input:open", init_args = { delimiter } }
  return setmetatable({ pool = pool, delimiter = delimiter, reads = {} }, Input)
end

return M
