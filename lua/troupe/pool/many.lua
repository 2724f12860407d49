-- many.lua - one function called for many items: map and its kin.
--
-- Items go out in batches, each one job; batches are sized by what they were measured to take.

local core = require "troupe.core"
local options = require "troupe.options"
local known = require "troupe.pool.known"
local order_of = require "troupe.pool.order"
local single = require "troupe.pool.single"

local error, math, pairs, pcall, setmetatable, table, type = error, math, pairs, pcall, setmetatable, table, type

local M = {}

-- What a run of a batch should take: long enough that a letter's way costs nothing beside it, short enough that
-- all workers end together.
local BATCH_SECONDS = 0.002
local BATCH_MOST = 4096
local BATCH_GROWTH = 8

-- The progress that the options of a run ask for, nil for none: true, or troupe.progress's own options.
local function progress_of(opts, total)
  if not opts.progress then return nil end
  local settings = { total = total }
  if opts.progress ~= true then
    for key, value in pairs(opts.progress) do settings[key] = value end
  end
  return require "troupe.progress" (settings)
end

-- What submit knows, but for what leaves no outcome, or has no end; on_error means something else here.
local map_options = { chunk = "count", window = "count", progress = "any" }
for name, kind in pairs(known) do map_options[name] = kind end
map_options.discard, map_options.every, map_options.on_error = nil, nil, "string"

-- How many items the next batch takes.
local function batch_size(state)
  if state.chunk then return state.chunk end
  local fair = state.left and math.ceil(state.left / (2 * state.workers)) or BATCH_MOST
  return math.max(1, math.min(state.size, fair, BATCH_MOST))
end

-- A batch of `count` items took so many seconds to run.
local function learn(state, count, seconds)
  local each = seconds / count
  local ideal = each > 0 and BATCH_SECONDS / each or BATCH_MOST
  local most = math.max(state.size, count * BATCH_GROWTH)
  state.size = math.max(1, math.floor(math.min(ideal, most, BATCH_MOST)))
end

-- A reader returns a table of items, and the bounds of at most `most` of them in it; nil at the end.
local function list_reader(list)
  local n, at = #list, 0
  return function(most)
    if at >= n then return nil end
    local from = at + 1
    at = math.min(n, at + most)
    return list, from, at
  end, n
end

local function iterator_reader(f, s, control)
  local ended = false
  return function(most)
    local items, n = {}, 0
    while n < most and not ended do
      local item = f(s, control)
      if item == nil then
        ended = true
      else
        control = item
        n = n + 1
        items[n] = item
      end
    end
    if n == 0 then return nil end
    return items, 1, n
  end
end

local function reader_of(iterable, what)
  if type(iterable) == "table" then return list_reader(iterable) end
  if type(iterable) == "function" then return iterator_reader(iterable) end
  error(what .. ": list or iterator expected, got " .. type(iterable), 4)
end

local Run = {}
Run.__index = Run

-- One run of map and its kin: batches in flight, in order of submission.
local function run_new(pool, fn, iterable, opts, what)
  local read, length = reader_of(iterable, what)
  if core.is_closed(pool) then error(what .. ": the pool is closed", 3) end
  if type(fn) ~= "function" and type(fn) ~= "string" then
    error(what .. ": function or string expected, got " .. type(fn), 3)
  end
  local workers = core.workers(pool)
  local plan = single.needed(opts) and single.plan(fn, opts) or nil
  return setmetatable({
    pool = pool, fn = fn, read = read, order = order_of(opts, what, 3), left = length, length = length,
    workers = workers, plan = plan,
    tolerant = what ~= "map" and what ~= "imap" or opts.on_error == "collect",
    chunk = (opts.retries or opts.timeout or plan) and 1 or opts.chunk, size = 1, window = opts.window,
    index = 0, ahead = 0,
    first = 1, last = 0, batches = {}, most = workers * 3, progress = progress_of(opts, length),
  }, Run)
end

-- Why a batch could not be submitted, with the place of the item in all of them: `index` are before the batch.
local function in_items(err, index)
  if type(err) ~= "string" then return err end
  return (err:gsub("^argument (%d+)", function(n) return ("item %d"):format(index + n) end))
end

function Run:note(job, count)
  self.last = self.last + 1
  self.batches[self.last] = { job = job, index = self.index, count = count }
  self.index = self.index + count
  self.ahead = self.ahead + count
  if self.left then self.left = self.left - count end
end

-- Submits calls for items[from..to]: true and what has their outcomes; or false and why not.
function Run:submit(items, from, to)
  if self.plan then return pcall(single.submit, self.pool, self.plan, items[from]) end
  return pcall(core.submit_batch, self.pool, self.order, self.fn, items, from, to)
end

-- An item of these cannot be sent: those that can are, one by one.
function Run:fill_singly(items, from, to)
  for i = from, to do
    local ok, job = self:submit(items, i, i)
    self:note(ok and job or single.refused(in_items(job, self.index)), 1)
  end
end

-- Keeps the workers busy: submits batches until enough are in flight or the items are at their end.
function Run:fill()
  while not self.ended and self.last - self.first + 1 < self.most do
    local most = batch_size(self)
    if self.window then most = math.min(most, self.window - self.ahead) end
    if most < 1 then return end
    local items, from, to = self.read(most)
    if not items then
      self.ended = true
      return
    end
    local ok, job = self:submit(items, from, to)
    if ok then
      self:note(job, to - from + 1)
    elseif self.tolerant and type(job) == "string" and job:find "^argument %d+" then
      self:fill_singly(items, from, to)
    else
      self:abandon()
      error(in_items(job, self.index), 0)
    end
  end
end

-- A batch is out of flight: its run's seconds, nil when it failed as a whole; and how many of its calls failed.
function Run:took(batch, seconds, failed)
  self.ahead = self.ahead - batch.count
  if seconds then learn(self, batch.count, seconds) end
  if self.progress then
    self.progress:step(batch.count - failed)
    if failed > 0 then self.progress:fail(failed) end
  end
end

function Run:finish()
  if self.progress then self.progress:finish() end
  self.progress = nil
end

-- The next batch in order of submission; nil at the end.
function Run:next()
  self:fill()
  local batch = self.batches[self.first]
  if not batch then return nil end
  self.batches[self.first] = nil
  self.first = self.first + 1
  return batch
end

-- The next batch that has its outcome; nil at the end.
function Run:next_ready()
  self:fill()
  local batches = self.batches
  if self.first > self.last then return nil end
  while true do
    for i = self.first, self.last do
      local batch = batches[i]
      if batch.job:ready() then
        table.remove(batches, i)
        self.last = self.last - 1
        return batch
      end
    end
    batches[self.first].job:turn()
  end
end

-- Gives up what is in flight: early exits and errors.
function Run:abandon()
  for i = self.first, self.last do self.batches[i].job:drop() end
  self.batches, self.first, self.last, self.ended = {}, 1, 0, true
  self:finish()
end

local function with_traceback(err, traceback)
  if type(err) ~= "string" or not traceback or traceback == "" then return err end
  return err .. "\nworker's " .. traceback
end

local function raise(index, err, traceback)
  if type(err) == "string" then err = ("item %d: %s"):format(index, with_traceback(err, traceback)) end
  error(err, 0)
end

-- Calls each(index, ok, results... | error, traceback) for every item of a batch.
local function walk(run, batch, each)
  local entries, seconds, traceback = batch.job:entries()
  if not entries then
    run:took(batch, nil, batch.count)
    for i = 1, batch.count do each(batch.index + i, false, seconds, traceback) end
    return
  end
  local at, failed = 1, 0
  for i = 1, batch.count do
    local count = entries[at]
    if count >= 0 then
      each(batch.index + i, true, table.unpack(entries, at + 1, at + count))
      at = at + 1 + count
    else
      failed = failed + 1
      each(batch.index + i, false, entries[at + 1], entries[at + 2])
      at = at + 3
    end
  end
  run:took(batch, seconds, failed)
end

local on_error_words = { raise = true, collect = true }

local function check_map(opts, what)
  opts = options.check(opts, map_options, what, 3)
  if opts.on_error and not on_error_words[opts.on_error] then
    error(('%s: option \'on_error\': "raise" or "collect" expected, got "%s"'):format(what, opts.on_error), 3)
  end
  return opts
end

--- Calls fn(item) for each item of a list, on all workers.
-- @param fn   as for submit
-- @param list sequence
-- @param opts table: chunk (items a letter; measured when left out), progress (true, or the options of
--   troupe.progress), on_error ("raise", the default, or "collect"), and
--   the options of submit but discard, every and on_error; with some of them each item is a job of its own
-- @return results in order of the list, the first of each call; with "collect" also a table index -> error
-- Raises the first error in order of the list, its item's index in front when it is a string.
function M.map(self, fn, list, opts)
  opts = check_map(opts, "map")
  local run = run_new(self, fn, list, opts, "map")
  local results, errors = core.table(run.length or 0), {}
  local collect = opts.on_error == "collect"
  local function each(index, ok, value)
    if ok then results[index] = value else errors[index] = value end
  end
  for batch in run.next, run do
    if collect then
      walk(run, batch, each)
    else
      local seconds, calls, err, traceback = batch.job:collect(results, batch.index)
      run:took(batch, seconds, seconds and 0 or batch.count)
      if not seconds then
        run:abandon()
        raise(batch.index + calls + 1, err, traceback)
      end
    end
  end
  run:finish()
  if collect then return results, errors end
  return results
end

-- An iterator over outcomes, each as pick(index, ok, ...) returns it, that abandons the run when it is left early.
local function outcomes(run, next_batch, pick)
  local queue, first, last = {}, 1, 0
  local function each(...)
    last = last + 1
    queue[last] = table.pack(...)
  end
  local function step()
    while first > last do
      local batch = next_batch(run)
      if not batch then
        run:finish()
        return nil
      end
      walk(run, batch, each)
    end
    local outcome = queue[first]
    queue[first] = nil
    first = first + 1
    if first > last then first, last = 1, 0 end
    return pick(outcome)
  end
  local closer = setmetatable({}, { __close = function() run:abandon() end })
  return step, nil, nil, closer
end

--- Iterates over fn(item) in the order of the items, lazily.
-- @param fn       as for submit
-- @param iterable list, or iterator function, which may be without end
-- @param opts     table as for map, and window: how many items may be read ahead
-- @return iterator: results... of each item, false in place of a first result that is nil; with on_error = "collect":
--   true, results... or false, error. Leaving the loop early cancels what has not begun.
function M.imap(self, fn, iterable, opts)
  opts = check_map(opts, "imap")
  local run = run_new(self, fn, iterable, opts, "imap")
  local collect = opts.on_error == "collect"
  return outcomes(run, run.next, function(outcome)
    if collect then return table.unpack(outcome, 2, outcome[2] and outcome.n or 3) end
    if not outcome[2] then
      run:abandon()
      raise(outcome[1], outcome[3], outcome[4])
    end
    if outcome[3] == nil then return false, table.unpack(outcome, 4, outcome.n) end
    return table.unpack(outcome, 3, outcome.n)
  end)
end

--- Iterates over fn(item) in the order of completion, lazily; parameters as for imap.
-- @return iterator: index, true, results... or index, false, error, traceback
function M.unordered(self, fn, iterable, opts)
  opts = check_map(opts, "unordered")
  local run = run_new(self, fn, iterable, opts, "unordered")
  return outcomes(run, run.next_ready, function(outcome) return table.unpack(outcome, 1, outcome.n) end)
end

--- Like unordered, but in the order of the items.
function M.ordered(self, fn, iterable, opts)
  opts = check_map(opts, "ordered")
  local run = run_new(self, fn, iterable, opts, "ordered")
  return outcomes(run, run.next, function(outcome) return table.unpack(outcome, 1, outcome.n) end)
end

return M
