-- stream.lua - what a job sends while it runs, taken by its owner. The work is in C (src/lua_stream.c).

local core = require "troupe.core"

local error, math, select, setmetatable, type = error, math, select, setmetatable, type

local Job = core.job_class

-- ---- what is in C (src/lua_job.c, lua_stream.c)

--- Asks a job to end: from now on its checkin, emit and sync return false. One that has not begun is cancelled. A job
-- that then returns has status "stopped", and its results are its outcome.
-- @function stop
-- @return true if it was live

--- Stops a job, and ends it by force if it has not ended after the grace: wherever it runs in Lua or waits. Its status
-- is "stopped" then and its error "killed". If it is stuck in C, it and its worker are given up a second later, and
-- another worker takes that one's place.
-- @function kill
-- @param grace seconds of at least 0; default 1
-- @return true if it was live; nil when there was no memory for it: then the job was only asked to end

--- Lets a job go on after a sync that was taken.
-- @function resume
-- @param stop boolean: it shall end: its sync returns false
-- @return true; false when it waits for nothing that was taken

--- What is known of a job: id, name, status, submitted (seconds, as troupe.now gives them), attempt (runs begun), and
-- as far as there is such: worker (its number in the pool), started and ended (seconds, as above), seconds
-- (that the last run
-- took), progress (what it last told checkin, at most 0.1 s old), traceback.
-- @function info
-- @return table

-- What a job may call, in troupe: job() -> table (id, name, attempt, worker), nil outside any; checkin([progress]) ->
-- true, or false once it was asked to end; emit(...) -> the same, sends the values to whoever submitted it,
-- and waits while a
-- window of them is not taken; sync(...) -> the same, sends them and waits until it is resumed. Outside a job the last
-- three raise an error.

-- ---- streams

-- What _next gave, as an iterator does; the job's own error at the end.
local function item(job, got, ...)
  if not got then
    job:await()
    return nil
  end
  if (...) == nil then return false, select(2, ...) end
  return ...
end

--- Iterates over what a job emits and syncs, in order, to its end; then its error is raised, as await would, if it
-- failed. What it synced lets it go on when the next is asked for. Leaving the loop early stops the job.
-- @param window integer of at least 1: how many may be under way before emit waits; default 64
-- @return iterator: the values of each emit or sync, false in place of a first one that is nil
-- @usage for line in job:stream() do print(line) end
function Job.stream(job, window)
  if window ~= nil and (math.type(window) ~= "integer" or window < 1) then
    error("stream: integer, a window of at least 1, expected", 2)
  end
  Job._open(job, window)
  local function step()
    job:resume()
    return item(job, job:_next())
  end
  return step, nil, nil, setmetatable({}, { __close = function() job:_close() end })
end

local function taken(got, ...)
  if got then return ... end
  return nil, got == nil and "timeout" or "ended"
end

--- Takes the next that a job synced or emitted. After a sync the job waits for resume.
-- @param timeout seconds, at most so long; nil: for ever
-- @return its values; nil, "timeout"; nil, "ended" when the job has ended without another
function Job.take(job, timeout)
  if timeout ~= nil and (type(timeout) ~= "number" or timeout < 0 or timeout ~= timeout) then
    error("take: number of seconds, not negative, expected", 2)
  end
  return taken(Job._next(job, timeout))
end
