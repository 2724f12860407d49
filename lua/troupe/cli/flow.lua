-- flow.lua - the main loop of `troupe map`: blocks of items from a source to the workers, outcomes to a sink.
--
-- Invariants:
--  1. at most `most` batches are with the workers, so that both always have something to do, and at most HELD are kept,
--     those included that wait for an earlier one: memory is bounded however long the input;
--  2. it waits in one place, for whatever comes first: input, an outcome, a signal's letter;
--  3. a batch is taken by the sink once, or dropped when the program halts before it was begun;
--  4. `batches` is in the order of the items. A worker that gave back the rest of its block leaves a remnant in its
--     batch's place: { block, from, count }, from which new batches are cut before anything is read.

local ipairs, math, setmetatable, table = ipairs, math, setmetatable, table

local core = require "troupe.core"

local M = {}

local HELD = 128

-- What a batch should take to run, in seconds; how many items it has at most; by how much batches grow.
local BATCH_SECONDS, BATCH_MOST, BATCH_GROWTH = 0.002, 16384, 8

local Flow = {}
Flow.__index = Flow

--- @param options table: pool, workers, source, sink, ordered, chunk (nil: measured), interrupted (function)
function M.new(options)
  options.batches, options.open, options.size = {}, 0, options.chunk or 1
  options.most = options.workers * 3
  return setmetatable(options, Flow)
end

-- How many items the next block takes. With their number known, all workers shall end together.
function Flow:block_size()
  local source = self.source
  if self.chunk or not source.total then return self.size end
  local fair = math.ceil((source.total - source.taken) / (2 * self.workers))
  return math.max(1, math.min(self.size, fair))
end

function Flow:submit(position, block, count)
  local handle = self.sink:submit(self.pool, block, count)
  table.insert(self.batches, position, { handle = handle, block = block, count = count })
  self.open = self.open + 1
end

-- Submits items from the front of the remnant at the position, in its place.
function Flow:cut(position)
  local remnant = self.batches[position]
  local count = math.min(remnant.count, self:block_size())
  local last = remnant.from - 1
  for _ = 1, count do last = remnant.block:find(self.source.delimiter, last + 1, true) end
  local block = remnant.block:sub(remnant.from, last)
  remnant.from, remnant.count = last + 1, remnant.count - count
  if remnant.count == 0 then table.remove(self.batches, position) end
  self:submit(position, block, count)
end

function Flow:find_remnant()
  for position, batch in ipairs(self.batches) do
    if not batch.handle then return position end
  end
end

-- Submits one batch more, if there is something to do and room for it.
function Flow:feed_one()
  if self.open >= self.most then return false end
  local position = self:find_remnant()
  if position then
    self:cut(position)
    return true
  end
  if #self.batches >= HELD then return false end
  local block, count = self.source:next(self:block_size())
  if block then self:submit(#self.batches + 1, block, count) end
  return block ~= nil
end

-- Keeps the workers busy. True when it had something for them.
function Flow:feed()
  local fed = false
  while self:feed_one() do fed = true end
  return fed
end

function Flow:learn(seconds, done)
  if self.chunk or not seconds or done == 0 then return end
  local each = seconds / done
  local ideal = each > 0 and BATCH_SECONDS / each or BATCH_MOST
  self.size = math.max(1, math.floor(math.min(ideal, math.max(self.size, done * BATCH_GROWTH), BATCH_MOST)))
end

-- Whether the batch has its outcome.
function Flow:is_ready(batch)
  if batch.handle and not batch.ready and batch.handle:ready() then
    batch.ready = true
    self.open = self.open - 1
  end
  return batch.ready
end

-- Hands outcomes to the sink: of the first batches that have one, or of any. True when there were some.
function Flow:deliver()
  local kept, blocked, delivered = {}, false, false
  for _, batch in ipairs(self.batches) do
    local ready = self:is_ready(batch)
    blocked = blocked or self.ordered and not ready
    if ready and not blocked then
      local seconds, done, rest = self.sink:take(batch)
      self:learn(seconds, done)
      if rest then
        kept[#kept + 1] = { block = batch.block, from = rest, count = batch.count - done }
        blocked = self.ordered
      end
      delivered = true
    else
      kept[#kept + 1] = batch
    end
  end
  self.batches = kept
  return delivered
end

-- Waits for a letter.
function Flow:wait()
  local pending = self.source:pending()
  for _, batch in ipairs(self.batches) do
    if pending then break end
    if not batch.ready then pending = batch.handle end -- a remnant has none
  end
  if pending then pending:turn() end
end

-- Ends early: what runs may end, within the pool's grace, and what has ended is still taken.
function Flow:halt()
  core.stop()
  self.source:close()
  self.pool:shutdown { soon = true }
  for _, batch in ipairs(self.batches) do
    if batch.handle then self.sink:take(batch, true) end
  end
  self.batches = {}
end

--- Runs until the source has ended and all is done, or the program is interrupted, or the sink is broken.
function Flow:run()
  repeat
    local delivered, fed = self:deliver(), self:feed()
    if self.interrupted() or self.sink.broken then return self:halt() end
    if not delivered and not fed then self:wait() end
  until self.source.ended and #self.batches == 0
  self.source:close()
  self.pool:shutdown()
end

return M
