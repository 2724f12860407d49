-- shorthands.lua - submit with one or two options, under the names that users of fastthreadpool know.

local error, type = error, type

local M = {}

-- What a callback asks for: a function is called with the job and its results; false: nobody will ask for the outcome.
local function done_option(callback, what)
  if type(callback) == "function" then return "on_success", callback end
  if type(callback) == "boolean" then return "discard", not callback end
  error(("%s: callback: function or boolean expected, got %s"):format(what, type(callback)), 3)
end

-- The options of a repeating job; 0 seconds: it runs once.
local function interval_option(interval, what)
  if type(interval) ~= "number" or interval < 0 then
    error(("%s: interval: number of seconds of at least 0 expected, got %s"):format(what, type(interval)), 3)
  end
  return interval > 0 and interval or nil
end

--- Submits to the front of the queue: submit{ fn, first = true }.
function M:submit_first(fn, ...) return self:submit({ fn, first = true }, ...) end

--- Submits in `delay` seconds: submit{ fn, delay = delay }.
function M:submit_later(delay, fn, ...) return self:submit({ fn, delay = delay }, ...) end

--- Submits at a wall-clock time: submit{ fn, at = time, every = interval }.
-- @param time     number as of os.time, or table as of os.date "*t"
-- @param interval number of seconds between runs; 0: it runs once
function M:submit_at(time, interval, fn, ...)
  return self:submit({ fn, at = time, every = interval_option(interval, "submit_at") }, ...)
end

--- Submits every `interval` seconds, first in `interval` seconds: submit{ fn, every = interval, delay = interval }.
function M:schedule(interval, fn, ...)
  local every = interval_option(interval, "schedule")
  return self:submit({ fn, every = every, delay = every }, ...)
end

--- Submits with a callback.
-- @param fn       as for submit
-- @param callback function: called here with the job and its results; false: nobody will ask for the outcome
-- @param ...      arguments
function M:submit_done(fn, callback, ...)
  local name, value = done_option(callback, "submit_done")
  return self:submit({ fn, [name] = value }, ...)
end

--- submit_done to the front of the queue.
function M:submit_done_first(fn, callback, ...)
  local name, value = done_option(callback, "submit_done_first")
  return self:submit({ fn, first = true, [name] = value }, ...)
end

--- submit_done in `delay` seconds.
function M:submit_done_later(delay, fn, callback, ...)
  local name, value = done_option(callback, "submit_done_later")
  return self:submit({ fn, delay = delay, [name] = value }, ...)
end

--- submit_at with a callback, called after each run.
function M:submit_done_at(time, interval, fn, callback, ...)
  local name, value = done_option(callback, "submit_done_at")
  return self:submit({ fn, at = time, every = interval_option(interval, "submit_done_at"), [name] = value }, ...)
end

--- schedule with a callback, called after each run.
function M:schedule_done(interval, fn, callback, ...)
  local name, value = done_option(callback, "schedule_done")
  local every = interval_option(interval, "schedule_done")
  return self:submit({ fn, every = every, delay = every, [name] = value }, ...)
end

return M
