--- threadpool - jobs that wait, on a stock of coroutines: a drop-in for lua-threadpool's base module.
--
-- A thread here is a coroutine with an id that runs one job after another. Times are absolute, by whatever clock
-- the program passes to check_timeout.
--
--     threadpool.init { logger = { warn = print, error = print, debug = print }, growing_thread_num = 10 }
--     threadpool.work(function() print(threadpool.wait("answer", now + 5)) end)
--     threadpool.notify(id, "answer", 42)
--     local next_timeout, resumed = threadpool.check_timeout(now)
--
-- 1. threads[1..count] are all there are; an id is a thread's index, so it comes back after the stock has shrunk.
-- 2. A thread is idle (on the stack), or busy; a busy one runs, waits, or has resumed one that runs.
-- 3. A waiting thread is in the heap, or ready: its time has come and check_timeout is on its way to it.
-- 4. running is the thread whose coroutine runs; whoever resumes one sets it and puts it back.

local timer_heap = require "troupe.timer_heap"

local assert, error, tostring, type, xpcall = assert, error, tostring, type, xpcall
local create, current, isyieldable, resume, status, yield =
  coroutine.create, coroutine.running, coroutine.isyieldable, coroutine.resume, coroutine.status, coroutine.yield
local floor, min, traceback = math.floor, math.min, debug.traceback
local push, remove = timer_heap.push, timer_heap.remove

local M = {}

--- What wait returns first when an event did not come in time; init's enum_timeout sets it.
M.TIMEOUT = 1

local logger, growing_count, upper_count, upper_idle_count

local threads, count = {}, 0
local idle, idle_count = {}, 0
local waiting = timer_heap.new()
local running
local due_now -- the timeout of the thread that check_timeout resumes

local function describe(e)
  return traceback(tostring(e), 2)
end

local function become_idle(thread)
  thread.busy = false
  idle_count = idle_count + 1
  idle[idle_count] = thread
end

local function run(thread, fn, ...)
  local ok, report = xpcall(fn, describe, ...)
  if not ok then logger.error("error in thread job:" .. tostring(report)) end
  -- become_idle, written out: every job passes here
  thread.busy = false
  idle_count = idle_count + 1
  idle[idle_count] = thread
end

local function new_coroutine(thread)
  return create(function(...)
    run(thread, ...)
    while true do run(thread, yield()) end
  end)
end

-- Runs the thread up to its next wait: true and that wait's timeout, true when the job has ended, or false, error.
-- A resume fails when the logger has raised, which ends the coroutine, and when coroutines are nested too deep for
-- Lua, which leaves it as it was and the thread busy.
local function enter(thread, ...)
  local outer = running
  running = thread
  local ok, timeout = resume(thread.co, ...)
  running = outer
  if not ok and status(thread.co) == "dead" then
    thread.co = new_coroutine(thread)
    become_idle(thread)
  end
  return ok, timeout
end

-- Ends the wait and enters; a job that could not be resumed waits on.
local function wake(thread, ...)
  local event = thread.event
  if thread.place then remove(waiting, thread) end
  thread.waits, thread.ready, thread.event = false, false, nil
  local ok, timeout = enter(thread, ...)
  if not ok and thread.busy then
    thread.waits, thread.event = true, event
    push(waiting, thread, thread.order)
  end
  return ok, timeout
end

-- What enter and wake return, for the program: errors go on to the caller.
local function outcome(ok, timeout)
  if not ok then error(timeout, 0) end
  if timeout == nil then return true end
  return true, timeout
end

--- Adds num threads to the stock, whatever the limits.
function M.grow(num)
  assert(num > 0, "num: number above 0 expected")
  for _ = 1, num do
    count = count + 1
    local thread = { id = count, tls = {}, busy = false, waits = false, ready = false }
    thread.co = new_coroutine(thread)
    threads[count] = thread
    idle_count = idle_count + 1
    idle[idle_count] = thread
  end
end

--- Sets the stock up.
-- @param cfg table: logger with warn, error and debug; growing_thread_num, by how many the stock grows;
--   init_thread_num (growing_thread_num); upper_thread_num (1000), which it never passes;
--   upper_idl_thread_num (a tenth of that), above which idle threads are given up; enum_timeout (1)
function M.init(cfg)
  M.TIMEOUT = cfg.enum_timeout or M.TIMEOUT
  logger = assert(cfg.logger, "logger must provide!")
  growing_count = assert(cfg.growing_thread_num, "growing_thread_num must provide!")
  assert(growing_count > 0, "growing_thread_num: number above 0 expected")
  upper_count = cfg.upper_thread_num or 1000
  upper_idle_count = cfg.upper_idl_thread_num or floor(upper_count / 10)
  assert(upper_count > upper_idle_count, "upper_idl_thread_num: number below upper_thread_num expected")
  local init_count = cfg.init_thread_num or growing_count
  assert(upper_count > init_count, "init_thread_num: number below upper_thread_num expected")
  assert(upper_count > growing_count, "growing_thread_num: number below upper_thread_num expected")
  M.grow(init_count)
end

--- Sets a value of the running thread's own. It stays for the thread's later jobs.
function M.tls_set(key, value)
  if not running then error("threadpool.tls_set: no thread is running", 2) end
  running.tls[key] = value
end

--- The running thread's own value, as tls_set set it.
function M.tls_get(key)
  if not running then error("threadpool.tls_get: no thread is running", 2) end
  return running.tls[key]
end

-- True when an idle thread is there, after the stock has grown if it must.
local function has_idle()
  if idle_count > 0 then return true end
  if not upper_count then error("threadpool.work: threadpool.init comes first", 3) end
  if count >= upper_count then
    logger.error("reach the upper_thread_num", upper_count, " #thread_list=", count)
    return false
  end
  logger.warn("not idle thread, thread count =", count, "growing =", growing_count)
  M.grow(min(growing_count, upper_count - count))
  return true
end

--- Runs fn(...) on an idle thread, at once, up to its first wait.
-- @return true and that wait's timeout; true alone when it has ended; false at the upper limit, which is logged
function M.work(fn, ...)
  if type(fn) ~= "function" then
    error("bad argument #1 to 'work' (function expected, got " .. type(fn) .. ")", 2)
  end
  if not has_idle() then return false end
  local thread = idle[idle_count]
  idle[idle_count] = nil
  idle_count = idle_count - 1
  thread.busy = true
  local ok, timeout = enter(thread, fn, ...)
  if ok and timeout == nil then return true end
  if not ok and thread.busy then become_idle(thread) end
  return outcome(ok, timeout)
end

--- The running thread's id, nil outside any.
function M.running()
  return running and running.id
end

--- Waits, in a thread: wait([event,] timeout).
-- @param event   what notify must name; any value, nil for none
-- @param timeout absolute time
-- @param order   number: where it stands among the waits, when that is not its timeout. No wait of a later order
--   returns before this one is due.
-- @return what notify passed; 0 after a timeout without an event; TIMEOUT and the event after one with
function M.wait(event, timeout, order)
  if timeout == nil then event, timeout = nil, event end
  if type(timeout) ~= "number" or timeout ~= timeout then
    error("threadpool.wait: timeout: number expected, got " .. tostring(timeout), 2)
  end
  local thread = running
  if not thread then error("threadpool.wait: no thread is running", 2) end
  if current() ~= thread.co then error("threadpool.wait: called in a coroutine of the job's own", 2) end
  if not isyieldable() then error("threadpool.wait: called where a coroutine cannot yield", 2) end
  thread.waits, thread.event, thread.timeout = true, event, timeout
  push(waiting, thread, order or timeout)
  return yield(timeout)
end

--- Resumes the thread that waits for event; its wait returns the rest. A plain wait waits for nil.
-- @return true and its next wait's timeout; true alone when it has ended; false, and a line in the log, when no
--   such thread waits for it
function M.notify(id, event, ...)
  local thread = threads[id]
  if not thread then
    logger.warn("try to wakeup thread not existed, id=" .. tostring(id))
  elseif not thread.busy then
    logger.warn("try to wakeup an idle thread, id=" .. tostring(id))
  elseif not thread.waits then
    logger.warn("try to wakeup a thread that does not wait, id=" .. tostring(id))
  elseif thread.event ~= event then
    logger.warn("unexpect event, expect[" .. tostring(thread.event) .. "], but recv [" .. tostring(event) .. "]")
  else
    return outcome(wake(thread, ...))
  end
  return false
end

--- Makes a waiting thread due at timeout, an absolute time; false when no such thread waits.
function M.hasten(id, timeout)
  local thread = threads[id]
  if not (thread and thread.waits) then return false end
  if thread.place then
    remove(waiting, thread)
    thread.timeout = timeout
    push(waiting, thread, timeout)
  end
  return true
end

--- The time at which the thread that check_timeout resumes was due, nil outside check_timeout.
function M.due()
  return due_now
end

-- Gives up the highest idle threads while more than upper_idle_count are idle; the others keep their order.
local function shrink()
  local last, spare = count, idle_count - (upper_idle_count or idle_count)
  while spare > 0 and count > 0 and not threads[count].busy do
    threads[count] = nil
    count, spare = count - 1, spare - 1
  end
  if count == last then return end
  local kept = 0
  for i = 1, idle_count do
    local thread = idle[i]
    idle[i] = nil
    if thread.id <= count then
      kept = kept + 1
      idle[kept] = thread
    end
  end
  idle_count = kept
end

-- Moves all that is due from the heap to a list, first due first; nil for none.
local function take_due(now)
  local ready, first = nil, waiting[1]
  while first and first.timeout <= now do
    remove(waiting, first)
    first.ready = true
    ready = ready or {}
    ready[#ready + 1] = first
    first = waiting[1]
  end
  return ready
end

local function wake_late(thread)
  due_now = thread.timeout
  if thread.event == nil then return wake(thread, 0) end
  return wake(thread, M.TIMEOUT, thread.event)
end

--- Resumes the threads whose timeout is not after now, in order of time, ties in order of their waits. Threads that
-- begin to wait meanwhile are for the next call. Then gives up idle threads that are too many.
-- @return the next timeout (nil when nothing waits) and how many threads were resumed
function M.check_timeout(now)
  local outer, resumed, failure = due_now, 0, nil
  local ready = take_due(now)
  for i = 1, ready and #ready or 0 do
    local thread = ready[i]
    if thread.ready then
      local ok, e = wake_late(thread)
      resumed = resumed + 1
      if not ok then failure = failure or e end
    end
  end
  due_now = outer
  shrink()
  if failure then error(failure, 0) end
  return waiting[1] and waiting[1].timeout, resumed
end

return M
