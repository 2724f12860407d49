-- pool.lua - the job pool: what is rare, on top of the hot calls in C (src/lua_pool.c). Here: its making and its end;
-- in pool/: submit.lua and shorthands.lua single calls, collect.lua their outcomes, group.lua groups of them, many.lua
-- map and its kin.
--
-- require "troupe".pool{...} makes one. doc: README.md, "Pools".

require "troupe"
local core = require "troupe.core"
local options = require "troupe.options"
local process = require "troupe.pool.process"
local settings = require "troupe.pool.settings"
local vm_options = require "troupe.pool.options"

local error, getmetatable, ipairs, math, next, package, pairs, require, table, type =
  error, getmetatable, ipairs, math, next, package, pairs, require, table, type

local Pool = core.class

for _, part in ipairs { "troupe.pool.submit", "troupe.pool.many", "troupe.pool.collect", "troupe.pool.group",
  "troupe.pool.gang", "troupe.pool.shorthands" } do
  for name, method in pairs(require(part)) do Pool[name] = method end
end
require "troupe.pool.stream"

local pool_options = {
  workers = "integer", name = "string", init = "callable", init_args = "table", idle_timeout = "seconds",
  memory_limit = "bytes", path = "string", cpath = "string", on_done = "listener", on_failed = "listener",
  discard = "boolean", result_id = "boolean", max_jobs = "count", concurrency = "count",
  rate = "table", queue_limit = "count",
  libs = "table", preload = "table", log_level = "string",
}
for name, want in pairs(process.known) do pool_options[name] = want end

local known_levels = {
  emerg = true, alert = true, fatal = true, error = true, warning = true, notice = true, info = true, debug = true,
  trace = true,
}

local function level_of(level)
  if level and not known_levels[level] then
    error(("troupe.pool: log_level: there is no level '%s'"):format(level), 3)
  end
  return level
end

local rate_options = { jobs = "count", per = "seconds" }

local RATE_MOST = 1000000

-- The rate that an option asks for: jobs, seconds; nil for none.
local function rate_of(rate)
  if not rate then return nil end
  options.check(rate, rate_options, "troupe.pool: rate", 3)
  if not rate.jobs or not rate.per then error("troupe.pool: rate: options 'jobs' and 'per' expected", 3) end
  if rate.jobs > RATE_MOST then error(("troupe.pool: rate: at most %d jobs"):format(RATE_MOST), 3) end
  if rate.per <= 0 or rate.per == math.huge then error("troupe.pool: rate: 'per': more than 0 seconds expected", 3) end
  return rate.jobs, rate.per
end

-- What is called with outcomes. An actor gets a message: name, the job's id, results... or the error.
local function listener_of(told, name)
  if type(told) ~= "userdata" then return told end
  return function(who, ...) told:send(name, type(who) == "number" and who or who:_id(), ...) end
end

-- What of the options submits must know, kept for them.
local function with_settings(pool, opts)
  local kept = {
    on_done = listener_of(opts.on_done, "on_done"), on_failed = listener_of(opts.on_failed, "on_failed"),
    discard = opts.discard, result_id = opts.result_id,
    queue_limit = opts.queue_limit, listener = process.listen(pool, opts),
  }
  if next(kept) then
    settings[pool] = kept
    core.be_particular(pool)
  end
  return pool
end

--- Makes a pool of workers, each a thread with a Lua state of its own. They start on demand.
-- @param opts table, all optional:
--   workers (integer, default: the processors; 0 or less: the processors plus this), name (string, default "pool"),
--   init (function or string, as for submit: called as init(worker, ...) in each new worker), init_args (table),
--   idle_timeout (seconds; a worker idle this long ends), memory_limit (bytes a worker's values may take),
--   path, cpath (strings; default: this state's), on_done (fn(job, results...)), on_failed (fn(job, error)): called
--   here, in a task, for each outcome; or an actor reference: it gets the message on_done(id, results...) or
--   on_failed(id, error), with the job's id, since a job's handle belongs to the vm that submitted it; discard
--   (boolean: outcomes are dropped unless a job has an option that needs them),
--   result_id (boolean: callbacks and as_completed get a job's id in place of the job),
--   max_jobs (a worker that ran so many is replaced by a new one when it has no job), concurrency (most jobs one worker
--   has while others of them wait, default 1000), rate ({ jobs =, per = seconds }: no more than so many start
--   within any so many seconds; the rest wait), queue_limit (most jobs that wait for a worker: submit waits then, see
--   its enqueue_timeout. Jobs with a time, a delay or an interval do not count, nor do gangs and what map and its kin
--   send), libs (list of the standard libraries that a worker has besides the basic functions: coroutine, table, io,
--   os, string, math, utf8, debug, package; default: all. Without package there is no require), preload (table: name
--   -> C function without upvalues, for the workers' package.preload), log_level (a level of troupe.log: failed jobs,
--   and failed runs of repeating ones, are logged at it),
--   isolation ("thread", the default, or "process": each worker is a process; the rest is for that alone),
--   cwd (string), env (table: name -> string, number or false), nice (integer, added), uid, gid (integers, for root),
--   cpu_limit (seconds of processor time that one run of a job may take: one that takes more is ended as by a timeout,
--   with the error "cpu limit"; what it waits costs nothing),
--   stdout, stderr (fn(line): gets each line that a worker writes there, here, in a task; default: they go to the
--   program's own)
-- @return the pool; closing or collecting it shuts it down soon
local function new(opts)
  opts = options.check(opts, pool_options, "troupe.pool", 2)
  local workers = opts.workers or 0
  if workers <= 0 then workers = math.max(1, core.cores() + workers) end
  local args = opts.init_args or {}
  if not opts.init and opts.init_args then error("troupe.pool: option 'init_args' needs 'init'", 2) end
  local order = {
    name = opts.name or "pool", workers = workers, idle_timeout = opts.idle_timeout, memory_limit = opts.memory_limit,
    path = opts.path or package.path, cpath = opts.cpath or package.cpath, max_jobs = opts.max_jobs,
    concurrency = opts.concurrency, queue_limit = opts.queue_limit,
  }
  order.rate_jobs, order.rate_per = rate_of(opts.rate)
  order.libs = vm_options.libs(opts.libs, "troupe.pool", 2)
  order.preload = vm_options.preload(opts.preload, "troupe.pool", 2)
  order.log_level = level_of(opts.log_level)
  process.add_to_pool(order, opts, 2)
  local pool
  if opts.init then pool = core.new(order, opts.init, table.unpack(args, 1, args.n or #args))
  else pool = core.new(order) end
  return with_settings(pool, opts)
end

-- ---- running and ending

local shutdown_options = { timeout = "seconds", soon = "boolean" }

--- Ends the pool: no more submits; waits for its jobs.
-- @param opts table: timeout (seconds), soon (boolean: pending jobs are cancelled, running ones stopped)
-- @return true; false when the timeout passed with some still running
function Pool.shutdown(self, opts)
  opts = options.check(opts, shutdown_options, "shutdown", 2)
  return core.shutdown(self, opts.soon, opts.timeout) or false
end

local function check_open(self, what)
  if core.is_closed(self) then error(what .. ": the pool is closed", 3) end
end

--- Cancels a job that has not begun, or without one all that are queued.
-- @param job     a job or its id, nil: all; those that have a delay, a time or an interval are spared, a repeating
--   one that is queued misses its turn
-- @param delayed boolean: those too
-- @return true when it, or they, will never run
function Pool.cancel(self, job, delayed)
  if getmetatable(job) == core.job_class then return job:cancel() end
  check_open(self, "cancel")
  if job == nil then return core.cancel(self, delayed) end
  if math.type(job) == "integer" and job > 0 then return core.cancel(self, false, job) end
  error("cancel: job or its id expected, got " .. type(job), 2)
end

--- Lets no job begin until resume. What has begun goes on; closing the pool ends the pause.
function Pool.pause(self)
  check_open(self, "pause")
  core.pause(self, true)
end

--- Lets jobs begin again.
function Pool.resume(self)
  check_open(self, "resume")
  core.pause(self, false)
end

Pool.resize = core.resize

for name, method in pairs(require "troupe.pool.stats".methods) do Pool[name] = method end

Pool.__index = Pool
Pool.__name = "troupe.pool"

--- Closes the pool: shutdown{ soon = true }. Closing twice is fine.
function Pool.close(self)
  if core.is_guest(self) then core.close(self)
  elseif not core.is_closed(self) then core.shutdown(self, true) end
end

Pool.__close = Pool.close

function Pool.__gc(self)
  core.close(self)
  core.forget(self)
end

function Pool.__tostring(self)
  return ("troupe.pool: %d workers%s"):format(core.workers(self), core.is_closed(self) and ", closed" or "")
end

return new
