-- submit.lua - submitting one call: its options, and what C (src/lua_pool.c) does not do itself.

local core = require "troupe.core"
local options = require "troupe.options"
local order_of = require "troupe.pool.order"

local error, pairs, setmetatable, type = error, pairs, setmetatable, type

local M = {}

local submit_options = {
  priority = "integer", first = "boolean", delay = "seconds", retries = "integer", backoff = "any", discard = "boolean",
  name = "string",
}

-- The names of jobs that were given one.
local names = setmetatable({}, { __mode = "k" })

local function named(name, job)
  if not job then return end
  if name then names[job] = name end
  return job
end

local info = core.job_class.info

function core.job_class.info(job)
  local known = info(job)
  known.name = names[job]
  return known
end

--- Submits one call.
-- @param fn function, "module:function", "@file.lua" or Lua source; or a table { fn, option = value, ... } with
--   priority (integer, higher first), first (boolean), delay (seconds), retries (integer; negative: no end), backoff
--   (seconds, or { base =, factor =, max = }), discard (boolean: nobody will ask for the outcome), name
-- @param ... arguments, which must be able to cross
-- @return a job, or nothing with discard
M.submit = core.submit

-- What submit does with options beyond discard.
function M._submit_with(self, fn, ...)
  local opts = {}
  for key, value in pairs(fn) do
    if key ~= 1 then opts[key] = value end
  end
  options.check(opts, submit_options, "submit", 3)
  local order = order_of(opts, "submit", 3)
  if type(fn[1]) ~= "function" and type(fn[1]) ~= "string" then
    error("submit: { function or string, options } expected, got " .. type(fn[1]) .. " at [1]", 3)
  end
  if not order then return named(opts.name, core.submit(self, fn[1], ...)) end
  return named(opts.name, core.submit_ordered(self, order, fn[1], ...))
end

return M
