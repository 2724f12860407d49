-- shorthands.lua - submit with one or two options, under the names that users of fastthreadpool know.

local core = require "troupe.core"
local submit_with = require "troupe.pool.submit"._submit_with

local error, type = error, type

local M = {}

local function same(...) return ... end

-- submit, for functions that are there to be called by others: what is wrong is told as their caller's mistake, if they
-- call this last of all.
function M._submit_for(self, opts, ...)
  if core.is_closed(self) then error("submit: the pool is closed", 2) end
  return same(submit_with(self, opts, ...)) -- no tail call: levels are counted
end

local submit = M._submit_for

-- What a callback asks for: a function is called with the job and its results; false: nobody will ask for the outcome.
local function done_option(callback, what)
  if type(callback) == "function" then return "on_success", callback end
  if type(callback) == "boolean" then return "discard", not callback end
  error(("%s: callback: function or boolean expected, got %s"):format(what, type(callback)), 3)
end

-- The options of a repeating job; 0 seconds: it runs once.
local function interval_option(interval, what)
  if type(interval) ~= "number" or interval < 0 or interval ~= interval then
    local got = type(interval) == "number" and interval or type(interval)
    error(("%s: interval: number of seconds of at least 0 expected, got %s"):format(what, got), 3)
  end
  return interval > 0 and interval or nil
end

--- Submits to the front of the queue: submit{ fn, first = true }.
function M:submit_first(fn, ...) return submit(self, { fn, first = true }, ...) end

--- Submits in `delay` seconds: submit{ fn, delay = delay }.
function M:submit_later(delay, fn, ...) return submit(self, { fn, delay = delay }, ...) end

--- Submits at a wall-clock time: submit{ fn, at = time, every = interval }.
-- @param time     number as of os.time, or table as of os.date "*t"
-- @param interval number of seconds between runs; 0: it runs once
function M:submit_at(time, interval, fn, ...)
  return submit(self, { fn, at = time, every = interval_option(interval, "submit_at") }, ...)
end

--- Submits every `interval` seconds, first in `interval` seconds: submit{ fn, every = interval, delay = interval }.
function M:schedule(interval, fn, ...)
  local every = interval_option(interval, "schedule")
  return submit(self, { fn, every = every, delay = every }, ...)
end

--- Submits with a callback.
-- @param fn       as for submit
-- @param callback function: called here with the job and its results; false: nobody will ask for the outcome
-- @param ...      arguments
function M:submit_done(fn, callback, ...)
  local name, value = done_option(callback, "submit_done")
  return submit(self, { fn, [name] = value }, ...)
end

--- submit_done to the front of the queue.
function M:submit_done_first(fn, callback, ...)
  local name, value = done_option(callback, "submit_done_first")
  return submit(self, { fn, first = true, [name] = value }, ...)
end

--- submit_done in `delay` seconds.
function M:submit_done_later(delay, fn, callback, ...)
  local name, value = done_option(callback, "submit_done_later")
  return submit(self, { fn, delay = delay, [name] = value }, ...)
end

--- submit_at with a callback, called after each run.
function M:submit_done_at(time, interval, fn, callback, ...)
  local name, value = done_option(callback, "submit_done_at")
  return submit(self, { fn, at = time, every = interval_option(interval, "submit_done_at"), [name] = value }, ...)
end

--- schedule with a callback, called after each run.
function M:schedule_done(interval, fn, callback, ...)
  local name, value = done_option(callback, "schedule_done")
  local every = interval_option(interval, "schedule_done")
  return submit(self, { fn, every = every, delay = every, [name] = value }, ...)
end

return M
