-- order.lua - options of a submit that the dispatcher reads.

local core = require "troupe.core"
local options = require "troupe.options"

local error, math, next, os, pcall, type = error, math, next, os, pcall, type

local backoff_options = { base = "seconds", factor = "seconds", max = "seconds", jitter = "number" }

-- os.time's clock may lag by a tick of the system's timer: a job shall not find itself before its time.
local TICK = 0.01

-- Seconds from now until the wall-clock time that `at` names; never negative.
local function until_time(at, what, level)
  local time = at
  if type(at) == "table" then
    local ok, seconds = pcall(os.time, at)
    if not ok then error(("%s: option 'at': %s"):format(what, seconds), level + 1) end
    time = seconds + TICK
  elseif type(at) ~= "number" or at ~= at then
    error(("%s: option 'at': a time as os.time or os.date \"*t\" returns it expected, got %s"):format(what, type(at)),
      level + 1)
  end
  if math.type(at) == "integer" then time = at + TICK end
  return math.max(0, time - core.wall())
end

-- Seconds before the job may run.
local function delay_of(opts, what, level)
  if opts.every and opts.every <= 0 then error(what .. ": option 'every': more than 0 seconds expected", level + 1) end
  if opts.at == nil then return opts.delay end
  if opts.delay then error(what .. ": options 'delay' and 'at' exclude each other", level + 1) end
  return (until_time(opts.at, what, level + 1)) -- no tail call: levels are counted
end

-- The part of checked options that the node reads, nil when there is none.
return function(opts, what, level)
  local backoff = opts.backoff
  if type(backoff) == "number" then
    backoff = { base = backoff }
  elseif backoff ~= nil then
    options.check(backoff, backoff_options, what .. ": backoff", level + 1)
  end
  backoff = backoff or {}
  local jitter = backoff.jitter
  if jitter and (jitter < 0 or jitter > 1) then
    error(what .. ": backoff: option 'jitter': number from 0 to 1 expected", level + 1)
  end
  local order = {
    priority = opts.priority, first = opts.first, delay = delay_of(opts, what, level + 1),
    scheduled = opts.at ~= nil or nil, every = opts.every, asks = opts.retry_if ~= nil or nil,
    retries = opts.retries or (opts.retry_if and -1), discard = opts.discard, name = opts.name,
    base = backoff.base, factor = backoff.factor, max = backoff.max, jitter = jitter, timeout = opts.timeout,
    outlive = opts.outlive,
    cleanup = opts.cleanup, on_done_in_worker = opts.on_done_in_worker,
  }
  return next(order) and order or nil
end
