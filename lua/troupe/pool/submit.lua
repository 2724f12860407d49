-- submit.lua - submitting one call: its options, its callbacks, and what C (src/lua_pool.c) does not do itself.

local core = require "troupe.core"
local options = require "troupe.options"
local order_of = require "troupe.pool.order"
local settings = require "troupe.pool.settings"
local take_place = require "troupe.pool.place"
local submit_options = require "troupe.pool.known"

local debug, error, next, pairs, require, select, setmetatable, type, xpcall =
  debug, error, next, pairs, require, select, setmetatable, type, xpcall

local M = {}

-- ---- callbacks

-- Job -> what is called with its outcome: on_success, on_error, on_complete; on_done, on_failed and result_id of the
-- pool.
local waiting = {}

local function traced(err) return type(err) == "string" and debug.traceback(err, 2) or err end

-- Calls each of the functions that there are with the same arguments. The first error is raised when all were called;
-- a single function's is its own, with the traceback of who reports it.
local function call_all(first, second, third, ...)
  local one = first or second or third
  if one and not (first and (second or third) or second and third) then return one(...) end
  local failed, message
  for i = 1, 3 do
    local fn = select(i, first or false, second or false, third or false)
    local ok, err = true, nil
    if fn then ok, err = xpcall(fn, traced, ...) end
    if not ok and not failed then failed, message = true, err end
  end
  if failed then error(message, 0) end
end

local function tell(told, who, ok, ...)
  local complete = told.on_complete
  if complete then
    local fn = complete
    complete = function(job) return fn(job) end
  end
  if ok then
    call_all(told.on_success, told.on_done, complete, who, ...)
  else
    call_all(told.on_error, told.on_failed, complete, who, ...)
  end
end

core.on_outcome(function(job, turn)
  local told = waiting[job]
  if not turn then waiting[job] = nil end
  if told then tell(told, told.result_id and job:_id() or job, (turn or job):join(0)) end
end)

-- The callbacks that options and the pool's settings ask for; nil when there is none.
local function callbacks_of(opts, pool)
  local told = {
    on_success = opts.on_success, on_error = opts.on_error, on_complete = opts.on_complete,
    on_done = pool.on_done, on_failed = pool.on_failed,
  }
  if not next(told) then return nil end
  require "troupe.task" -- reports what a callback raises
  told.result_id = pool.result_id
  return told
end

-- Job -> what decides whether it runs again.
local deciders = setmetatable({}, { __mode = "k" })

core.on_question(function(job, attempt, err)
  local decide = deciders[job]
  if not decide then return false end
  local ok, again = xpcall(decide, traced, err, attempt)
  if not ok then return false, again end
  return again
end)

-- ---- submitting

-- The names of jobs that were given one.
local names = setmetatable({}, { __mode = "k" })

local info = core.job_class.info

function core.job_class.info(job)
  local known = info(job)
  known.name = names[job]
  return known
end

--- Submits one call.
-- @param fn function, "module:function", "@file.lua" or Lua source; or a table { fn, option = value, ... } with
--   priority (integer, higher first), first (boolean), delay (seconds), at (a wall-clock time, as os.time or
--   os.date"*t" return it: not before that), every (seconds: it runs again and again, that far apart, first when
--   delay or at say, or at once; a turn that comes while the last still runs is missed; each run's outcome is told to
--   the callbacks, a failed one too; the handle has `runs`, how many ended; cancel ends it), retries (integer;
--   negative: no end), backoff (seconds, or { base =, factor =, max =, jitter = }: before the second run, times
--   factor before each further one, at most max; jitter, 0 to 1, is the share of each that is left to chance),
--   retry_if (fn(error, runs), called here in a task after each failed run of which a retry is left: true for another
--   one. Without `retries` there is no end of them. When it raises, or its vm is gone, there is no further run),
--   enqueue_timeout (seconds to wait for a place in a pool with a queue_limit, nil: for ever, 0: not at all),
--   on_enqueue_timeout (fn(arguments...), called here when there was none), discard (boolean: nobody will ask for the
--   outcome), name, timeout (seconds; a run that takes longer is ended as
--   by job:kill(), and has failed with "timeout"),
--   cleanup (fn(status): run in a worker once, when the job has ended, however it ends: "finished", "failed",
--   "stopped" or "cancelled". It comes before the outcome where the worker knows that this is the end, else after it),
--   on_done_in_worker (fn(results...): run in the worker after the job; its results are the job's),
--   group (one of this pool's groups), on_success (fn(job,
--   results...)), on_error (fn(job, error)), on_complete (fn(job)): called here, in a task, when the outcome is there
-- @param ... arguments, which must be able to cross
-- @return a job, or nothing with discard; nil, "full" when there was no place in time
-- @usage pool:submit({ fetch, retries = 3, on_success = function(job, page) print(#page) end }, url)
M.submit = core.submit

local function read_options(what)
  if type(what) ~= "table" then
    if type(what) == "function" or type(what) == "string" then return what, {} end
    local expected = "function, string or table of options expected"
    error(("bad argument #1 to 'submit' (%s, got %s)"):format(expected, type(what)), 4)
  end
  local opts = {}
  for key, value in pairs(what) do
    if key ~= 1 then opts[key] = value end
  end
  options.check(opts, submit_options, "submit", 4)
  local fn = what[1]
  if type(fn) ~= "function" and type(fn) ~= "string" then
    error("submit: { function or string, options } expected, got " .. type(fn) .. " at [1]", 4)
  end
  return fn, opts
end

-- Submits with checked options; more: what the order says beyond them, nil for nothing.
function M._submit_checked(self, fn, opts, more, ...)
  local pool, group = settings[self] or {}, opts.group
  local told = callbacks_of(opts, pool)
  if told and opts.discard then error("submit: option 'discard' leaves nothing for callbacks", 3) end
  if opts.retry_if and opts.discard then error("submit: option 'discard' leaves nobody for 'retry_if'", 3) end
  if opts.discard == nil and not told and not group and not opts.retry_if then opts.discard = pool.discard end
  if group then self._check_group(group, self, opts, "submit", 3) end
  local order = order_of(opts, "submit", 3) or {}
  for key, value in pairs(more or {}) do order[key] = value end
  order.apart = told ~= nil or group ~= nil or opts.every ~= nil
  -- A gang waits as a whole: it must not wait for places for its last jobs behind its first ones.
  local limited = pool.queue_limit and not (more or opts.delay or opts.at or opts.every)
  local place <close> = limited and core.place(self) or nil
  if limited and not take_place(self, place, opts.enqueue_timeout, 4) then
    if opts.on_enqueue_timeout then opts.on_enqueue_timeout(...) end
    return nil, "full"
  end
  order.placed = place
  local job = core.submit_ordered(self, order, fn, ...)
  if not job then return end
  names[job] = opts.name
  if opts.retry_if then
    require "troupe.task" -- reports what it raises
    deciders[job] = opts.retry_if
  end
  if told then
    waiting[job] = told
    job:_tell()
  end
  if group then group:_add(job, opts.outlive) end
  return job
end

-- What submit does with options beyond discard, and in pools with settings.
function M._submit_with(self, what, ...)
  local fn, opts = read_options(what)
  return M._submit_checked(self, fn, opts, nil, ...)
end

return M
