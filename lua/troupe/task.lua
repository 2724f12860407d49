-- task.lua - tasks: many waits in one vm. What every call needs is in C (src/lua_task.c).
--
-- joiners[id], ends[id] and tls[id] exist only for live tasks.

require "troupe"
local task_core = require "troupe.task.core"
local places = require "troupe.waiting"

local error, math, pairs, require, setmetatable, table, tostring, type =
  error, math, pairs, require, setmetatable, table, tostring, type

local M = {}

-- ---- what is in C

--- Starts a task, which runs at once up to its first wait; then the caller goes on.
-- @param fn  function
-- @param ... its arguments
-- @return integer: the task's id, unique in the program
-- @usage local id = task.spawn(function(name) task.sleep(1) print(name) end, "late")
M.spawn = task_core.spawn

--- Sleeps.
-- @param seconds number of at least 0. Never less is slept, and with 0 the others that are ready run first
M.sleep = task_core.sleep

--- Waits for an event, in a task; with one argument sleeps so many seconds and returns 0.
-- @param event   any value; told apart from others as rawequal does
-- @param seconds number of at least 0: how long; nil: for ever
-- @return what notify passed; or task.TIMEOUT, event
-- @usage local what = task.wait("answer", 5)
M.wait = task_core.wait

--- What wait returns when its time is up, as its first result.
M.TIMEOUT = task_core.TIMEOUT

--- Tells a task of an event, wherever in the program it lives; events and values for another vm must be able to cross.
-- @param id    integer, as spawn and running give it
-- @param event any value
-- @param ...   what the task's wait returns
-- @return true when the task was waiting for the event, which it no longer is; for a task of another vm, when the
--   news is on its way. Else false, the event is lost, and a warning is in the log, of the vm where the task lived
M.notify = task_core.notify

--- The id of the running task, nil outside any.
M.running = task_core.running

--- Ends a task where it waits, and closes its to-be-closed variables; a running one ends at its next wait.
-- @param id integer
-- @return true if it lived. A task that kills itself does not come back
M.kill = task_core.kill

--- A descriptor for other loops: it is readable when poll has something to do. It knows of what was begun outside of
-- poll from the next poll on: call poll after spawn and notify there.
-- @return integer, the same each time; it stays open
M.fd = task_core.fd

--- Seconds until poll next has something to do, 0 when it has now; nil when no task is ready or has a time to wait for.
M.next_deadline = task_core.next_deadline

local joiners, ends, tls = {}, {}, {}

-- Says once that a task failed.
local function report(id, err, traceback)
  local text = ("task %d failed: %s"):format(id, type(err) == "string" and err or tostring(err))
  if traceback and traceback ~= "" then text = text .. "\n" .. traceback end
  require "troupe.log.core".say("error", text)
end

-- A task has failed, or somebody was interested in its end. What it left behind is kept already.
task_core.on_end(function(id, failed, err, traceback)
  local waiting, after = joiners[id], ends[id]
  joiners[id], ends[id], tls[id] = nil, nil, nil
  if failed then report(id, err, traceback) end
  if after then
    for key, release in pairs(after) do release(key, id) end
  end
  if waiting then places.wake(waiting) end
end)

local function check_id(id, what)
  if math.type(id) ~= "integer" then error(("%s: integer id expected, got %s"):format(what, type(id)), 3) end
end

local function check_seconds(seconds, what)
  if seconds ~= nil and (type(seconds) ~= "number" or seconds < 0) then
    error(("%s: number of seconds of at least 0 expected, got %s"):format(what, tostring(seconds)), 3)
  end
end

--- Waits for a task's end.
-- @param id      integer, as spawn gave it, of a task of this vm
-- @param seconds number, at most so long; nil: for ever
-- @return true, results...; false, error ("killed" for one that was killed); nil, "timeout". A task that ended long
--   ago, or never was, is forgotten: true
function M.join(id, seconds)
  check_id(id, "join")
  check_seconds(seconds, "join")
  if id == task_core.running() then error("join: a task cannot join itself", 2) end
  if task_core.alive(id) then
    local waiting = joiners[id]
    if not waiting then
      waiting = {}
      joiners[id] = waiting
      task_core.watch_end(id)
    end
    local ended = places.wait(waiting, function() return not task_core.alive(id) end, seconds)
    if not ended then return nil, "timeout" end
  end
  return task_core.outcome(id)
end

--- Waits until a function says so; it is asked at once, and after each turn in which the vm has run something.
-- @param fn  function, which must not wait itself
-- @param ... its arguments
-- @return what fn(...) returned when that was true
function M.wait_until(fn, ...)
  local results = table.pack(fn(...))
  while not results[1] do
    if task_core.may_park() then task_core.idle() else task_core.turn() end
    results = table.pack(fn(...))
  end
  return table.unpack(results, 1, results.n)
end

-- The table of the running task in which a room keeps what belongs to it; gone when the task ends.
local function of_task(room, what)
  local id = task_core.running()
  if not id then error(what .. ": only inside a task", 3) end
  local own = room[id]
  if not own then
    own = {}
    room[id] = own
    task_core.watch_end(id)
  end
  return own
end

--- Keeps a value for the running task, under any key but nil, until the task ends. Raises outside any.
function M.tls_set(key, value) of_task(tls, "tls_set")[key] = value end

--- What tls_set kept for the running task, nil when nothing.
function M.tls_get(key)
  local id = task_core.running()
  local own = id and tls[id]
  return own and own[key]
end

-- ---- critical sections

local Section = {}
Section.__index = Section
Section.__name = "troupe.critical_section"

local function pass_on(section)
  while section.first <= section.last do
    local id = section.queue[section.first]
    section.queue[section.first] = nil
    section.first = section.first + 1
    if id and task_core.alive(id) then
      section.holder, section.depth = id, 1
      task_core.resume(id)
      return
    end
  end
  section.holder, section.depth = nil, 0
end

local function died_inside(section, id)
  if section.holder == id then pass_on(section) end
end

--- Enters, when all who came before have left. The task that is inside may enter again, and leaves as often.
-- @param seconds number, at most so long; nil: for ever
-- @return true; nil, "timeout"
function Section:enter(seconds)
  check_seconds(seconds, "enter")
  local me = task_core.running()
  if not me then error("enter: only inside a task", 2) end
  of_task(ends, "enter")[self] = died_inside
  if self.holder == me then
    self.depth = self.depth + 1
    return true
  end
  if not self.holder then
    self.holder, self.depth = me, 1
    return true
  end
  self.last = self.last + 1
  local place = self.last
  self.queue[place] = me
  if places.wait({}, function() return self.holder == me end, seconds) then return true end -- woken by pass_on
  self.queue[place] = false
  return nil, "timeout"
end

--- Leaves; the next in line is inside then. Raises when the running task is not inside.
function Section:leave()
  if self.holder ~= task_core.running() or not self.holder then
    error("leave: the running task is not inside", 2)
  end
  self.depth = self.depth - 1
  if self.depth > 0 then return end
  local own = ends[self.holder]
  if own then own[self] = nil end
  pass_on(self)
end

--- The id of the task inside, nil when there is none.
function Section:owner() return self.holder end

local Lock = { __close = function(lock) lock.section:leave() end }

--- Enters, however long that takes, and leaves when the variable goes out of scope: local _ <close> = section:lock()
function Section:lock()
  self:enter()
  return setmetatable({ section = self }, Lock)
end

--- A section that one task of this vm at a time is in, first come, first served. A task that ends inside leaves it.
-- @return the section, with enter, leave, owner and lock
-- @usage local section = task.critical_section()
-- do local _ <close> = section:lock() write(file) end
function M.critical_section()
  return setmetatable({ queue = {}, first = 1, last = 0, depth = 0 }, Section)
end

-- ---- driving

local function results(done, ...)
  if not done then error((...), 0) end
  return ...
end

--- Runs until every task has ended.
-- @param fn function to start as a task first; or nil
-- @return fn's results; its error is raised
function M.run(fn, ...)
  if task_core.running() then error("run: not inside a task", 2) end
  local id = fn and task_core.spawn(fn, ...)
  while task_core.count() > 0 do task_core.turn() end
  if id then return results(task_core.outcome(id)) end
end

--- Runs what is due: one turn of the vm's loop, for programs with a loop of their own.
-- @param seconds number, how long to wait for something to do; nil: not at all
-- @return true when anything was done
function M.poll(seconds)
  check_seconds(seconds, "poll")
  return task_core.turn(seconds or 0)
end

--- Calls fn(ready) in a task of its own whenever a descriptor is ready; not again before that task has ended.
-- @param descriptor integer, or an object with getfd() or fileno()
-- @param mode       "r", "w" or "rw"; ready says the same of what is ready
-- @return a handle with close()
function M.watch(descriptor, mode, fn)
  if type(descriptor) == "table" or type(descriptor) == "userdata" then
    local get = descriptor.getfd or descriptor.fileno
    if not get then error("watch: integer or object with getfd() expected", 2) end
    descriptor = get(descriptor)
  end
  return task_core.watch(descriptor, mode, fn)
end

return M
