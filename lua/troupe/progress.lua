-- progress.lua - one line on the terminal that says how far a loop has come.
--
--     local progress = troupe.progress{ total = #files, label = "files" }
--     for _, file in ipairs(files) do convert(file); progress:step() end
--     progress:finish()
--
--     files  42% [=======>          ] 420/1000  97/s  0:06 left  3 failed
--
-- Invariants:
--  1. not a byte is written when standard error is no terminal, unless forced;
--  2. it is drawn at most ten times a second, hiding and finishing apart;
--  3. a line never reaches the terminal's last column, so that none ever wraps.

local error, io, math, setmetatable, tostring, type, utf8 = error, io, math, setmetatable, tostring, type, utf8

local core = require "troupe.core"
local options = require "troupe.options"

local DRAW_SECONDS = 0.1
local COLUMNS = 80
local BAR_LEAST, BAR_MOST = 8, 40
-- Seconds after which what was measured counts for 1/e of the rate.
local RATE_MEMORY = 5

local Progress = {}
Progress.__index = Progress
Progress.__name = "troupe.progress"

local known = {
  total = "bytes", label = "string", force = "boolean", keep = "boolean", out = "any", off = "boolean",
}

local function clock_text(seconds)
  seconds = math.floor(seconds + 0.5)
  local hours, minutes = seconds // 3600, seconds // 60 % 60
  if hours > 0 then return ("%d:%02d:%02d"):format(hours, minutes, seconds % 60) end
  return ("%d:%02d"):format(minutes, seconds % 60)
end

local function rate_text(rate)
  if rate >= 1e6 then return ("%.1fM/s"):format(rate / 1e6) end
  if rate >= 1e4 then return ("%.0fk/s"):format(rate / 1e3) end
  return (rate >= 10 and "%.0f/s" or "%.1f/s"):format(rate)
end

local function width_of(text)
  return utf8.len(text) or #text
end

-- At most so many columns of the text.
local function cut(text, columns)
  if width_of(text) <= columns then return text end
  return text:sub(1, (utf8.len(text) and utf8.offset(text, columns + 1) or columns + 1) - 1)
end

-- Items a second, the last seconds counting most.
local function measure_rate(self, now)
  local passed = now - self.measured_at
  if passed < DRAW_SECONDS / 2 then return self.rate or 0 end
  local latest = (self.done - self.measured_done) / passed
  local weight = math.exp(-passed / RATE_MEMORY)
  self.rate = self.rate and self.rate * weight + latest * (1 - weight) or latest
  self.measured_at, self.measured_done = now, self.done
  return self.rate
end

local function bar_text(share, columns)
  local full = math.floor(share * columns)
  return "[" .. ("="):rep(full - 1) .. (full > 0 and (full < columns and ">" or "=") or "") .. (" "):rep(columns - full)
    .. "]"
end

-- What stands behind the bar.
local function figures(self, now, last)
  local count = self.total and ("%d/%d"):format(self.done, self.total) or tostring(self.done)
  local rate = last and self.done / math.max(now - self.started, 1e-9) or measure_rate(self, now)
  local text = count .. "  " .. rate_text(rate)
  if last or not self.total then
    text = text .. "  " .. clock_text(now - self.started)
  elseif rate > 0 then
    text = text .. "  " .. clock_text((self.total - self.done) / rate) .. " left"
  end
  return self.failed > 0 and ("%s  %d failed"):format(text, self.failed) or text
end

-- The line, at most so many columns wide.
local function line_of(self, columns, now, last)
  local text = figures(self, now, last)
  local label = self.label and cut(self.label, columns // 3) .. " " or ""
  if not self.total then return cut(label .. text, columns) end
  local share = self.total > 0 and math.min(1, self.done / self.total) or 1
  local front = ("%s%3d%% "):format(label, math.floor(share * 100))
  local room = math.min(BAR_MOST, columns - width_of(front) - #text - 3)
  if room >= BAR_LEAST then front = front .. bar_text(share, room) .. " " end
  return cut(front .. text, columns)
end

local function draw(self, now, last)
  local line = line_of(self, (core.columns(2) or COLUMNS) - 1, now, last)
  local width = width_of(line)
  self.out:write("\r", line, (" "):rep(self.width - width))
  self.out:flush()
  self.drawn_at, self.width = now, width
end

local function tick(self)
  local now = core.now()
  if now - self.drawn_at >= DRAW_SECONDS then draw(self, now) end
end

--- Counts items that are done.
-- @param n integer, default 1
function Progress:step(n)
  self.done = self.done + (n or 1)
  if self.shown then tick(self) end
end

--- Counts items that are done with, but failed.
-- @param n integer, default 1
function Progress:fail(n)
  self.failed = self.failed + (n or 1)
  self:step(n)
end

--- Takes the line away until it is drawn again, so that something else can be printed in its place.
function Progress:hide()
  if not self.shown or self.width == 0 then return end
  self.out:write("\r", (" "):rep(self.width), "\r")
  self.out:flush()
  self.width = 0
end

--- Ends it: the line goes, or stays with the whole time and the mean rate if it was made with keep.
function Progress:finish()
  if not self.shown then return end
  if self.keep then
    draw(self, core.now(), true)
    self.out:write("\n")
    self.out:flush()
  else
    self:hide()
  end
  self.shown = false
end

Progress.__close = Progress.finish

--- Makes a progress line.
-- @param opts table, all optional: total (integer: how many there will be), label (string), force (boolean: also where
--   standard error is no terminal), keep (boolean: leave the last line), out (file; default io.stderr), off (boolean:
--   count, show nothing)
-- @return the line, with step, fail, hide, finish; it may be closed
return function(opts)
  opts = options.check(opts, known, "troupe.progress", 2)
  if opts.out and io.type(opts.out) ~= "file" then
    error(("troupe.progress: option 'out': open file expected, got %s"):format(type(opts.out)), 2)
  end
  local now = core.now()
  return setmetatable({
    total = opts.total, label = opts.label, keep = opts.keep, out = opts.out or io.stderr,
    shown = not opts.off and (opts.force or core.isatty(2)) or false,
    done = 0, failed = 0, width = 0, started = now, drawn_at = now, measured_at = now, measured_done = 0,
  }, Progress)
end
