-- sink.lua - where the results of `troupe map` go: lines to standard output, or values to a function that folds them.
--
-- Both count what was done and what failed, and write complaints to standard error around the progress line. A sink has
-- submit(pool, block, count), which gives the handle of the batch, and take(batch, halted), which takes its outcome and
-- returns the seconds it took, how many items were done, and where in the block the rest begins, nil: nowhere.

local io, setmetatable, table, tostring, xpcall = io, setmetatable, table, tostring, xpcall
local traceback = debug.traceback

local core = require "troupe.core"
local worker = require "troupe.cli.worker"

local M = {}

local function complain(self, text)
  self.progress:hide()
  io.stderr:write(text, "\n")
end

-- `count` items from the first of the block on failed together: their worker could not be had, or died.
local function fail_all(self, batch, err, halted)
  if halted then return end
  local first = batch.block:match("^[^" .. (self.delimiter == "\0" and "%z" or "\n") .. "]*")
  complain(self, worker.complaint(first, err, "") ..
    (batch.count > 1 and (" (and the %d items after it)"):format(batch.count - 1) or ""))
  self.failed = self.failed + batch.count
  self.progress:fail(batch.count)
end

-- ---- lines

local Lines = {}
Lines.__index = Lines

function Lines.submit(_, pool, block)
  return core.submit_batch(pool, nil, "troupe.cli.worker:run", { block }, 1, 1)
end

-- Writes to standard output; what cannot be written ends the program.
function Lines:write(text)
  if self.broken or text == "" then return end
  if self.shares_terminal then self.progress:hide() end
  local ok, message, closed = core.write(1, text)
  if not ok then self.broken = closed and true or message end
end

function Lines:take(batch, halted)
  local entries, seconds = batch.handle:entries()
  local err = seconds
  if entries and entries[1] < 0 then entries, err = nil, entries[2] end
  if not entries then return fail_all(self, batch, err, halted) end
  local lines, done, failed, complaints, rest = table.unpack(entries, 2, 6)
  self:write(lines)
  if complaints then complain(self, complaints:sub(1, -2)) end
  self.failed = self.failed + failed
  self.progress:step(done - failed)
  if failed > 0 then self.progress:fail(failed) end
  return seconds, done, rest
end

function Lines.finish() end

--- Results as lines.
function M.lines(progress, delimiter)
  return setmetatable({
    progress = progress, delimiter = delimiter, failed = 0, shares_terminal = core.isatty(1) and core.isatty(2),
  }, Lines)
end

-- ---- fold

local Fold = {}
Fold.__index = Fold

function Fold:submit(pool, block, count)
  local items, n = core.table(count), 0
  for item in block:gmatch(self.pattern) do
    n = n + 1
    items[n] = item
  end
  return core.submit_batch(pool, nil, "troupe.cli.worker:call", items, 1, n)
end

local function with_traceback(err)
  return traceback(tostring(err), 2)
end

-- One more call's results; an error in the function ends the program.
function Fold:add(...)
  if self.broken then return end
  local ok, value = xpcall(self.fn, with_traceback, self.value, ...)
  if ok then
    self.value = value
    self.progress:step(1)
  else
    self.broken = "--reduce: " .. value:gsub("\n\t%[C%]: in function 'xpcall'.*$", "")
  end
end

function Fold:fail(item, err, trace)
  if err == worker.stopped then return end
  complain(self, worker.complaint(item, err, worker.trim(trace or "", err)))
  self.failed = self.failed + 1
  self.progress:fail(1)
end

function Fold:take(batch, halted)
  local entries, seconds = batch.handle:entries()
  if not entries then return fail_all(self, batch, seconds, halted) end
  local at = 1
  for item in batch.block:gmatch(self.pattern) do
    local count = entries[at]
    if count >= 0 then
      self:add(table.unpack(entries, at + 1, at + count))
      at = at + count + 1
    else
      if not halted then self:fail(item, entries[at + 1], entries[at + 2]) end
      at = at + 3
    end
  end
  return seconds, batch.count
end

--- Prints the last value.
-- @param text function(value, place) -> string
function Fold:finish(text)
  if self.value == nil or self.broken then return end
  local ok, line = xpcall(text, tostring, self.value, "the last value")
  if not ok then
    self.broken = "--reduce: " .. line
    return
  end
  local written, message, closed = core.write(1, line .. "\n")
  if not written then self.broken = closed and true or message end
end

--- Results folded by fn(value, results...) -> value.
function M.fold(progress, delimiter, fn)
  local pattern = delimiter == "\0" and "([^%z]*)%z" or "([^\n]*)\n"
  return setmetatable({ progress = progress, delimiter = delimiter, pattern = pattern, fn = fn, failed = 0 }, Fold)
end

return M
