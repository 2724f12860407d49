-- order.lua - options of a submit that the dispatcher reads.

local options = require "troupe.options"

local type = type

local backoff_options = { base = "seconds", factor = "seconds", max = "seconds" }

-- The part of checked options that the dispatcher reads, nil when there is none.
return function(opts, what, level)
  local backoff = opts.backoff
  if type(backoff) == "number" then
    backoff = { base = backoff }
  elseif backoff ~= nil then
    options.check(backoff, backoff_options, what .. ": backoff", level + 1)
  end
  if not (opts.priority or opts.first or opts.delay or opts.retries or opts.discard or opts.timeout
    or backoff) then return nil end
  backoff = backoff or {}
  return {
    priority = opts.priority, first = opts.first, delay = opts.delay, retries = opts.retries, discard = opts.discard,
    timeout = opts.timeout, base = backoff.base, factor = backoff.factor, max = backoff.max,
  }
end
