-- threadpool_shape.lua - the peer of spawning a task: the loop that lua-threadpool runs a job in, and no more of it.
--
-- Threads are wrapped coroutines that call job after job under xpcall; an idle one stands on a stack. For each job
-- a thread is popped, marked as working, made the running one, entered and, at the job's end, put back: what
-- lua-threadpool does for a job that never waits, step for step, so that its cost can be measured beside ours.

local assert, type, xpcall = assert, type, xpcall
local wrap, yield, traceback = coroutine.wrap, coroutine.yield, debug.traceback

local M = {}

local function handled(fn, ...)
  return fn, traceback, ...
end

--- A pool of count threads: pool.work(fn, ...) runs fn to its end or its first yield; pool.working has the busy ids.
function M.new(count)
  local entries, contexts, working = {}, {}, {}
  local stack, height = {}, 0
  local running

  local function serve(id, context)
    while true do
      local ok, report = xpcall(handled(yield()))
      assert(ok, report)
      running = context.parent
      height = height + 1
      stack[height] = id
      working[id] = nil
    end
  end

  for id = 1, count do
    local entry, context = wrap(serve), { id = id }
    entries[id], contexts[id] = entry, context
    height = height + 1
    stack[height] = id
    entry(id, context)
  end

  local function work(fn, ...)
    assert(type(fn) == "function")
    assert(height > 0, "every thread is busy")
    local id = stack[height]
    stack[height] = nil
    height = height - 1
    working[id] = id
    local context = contexts[id]
    context.parent = running
    running = context
    return true, entries[id](fn, ...)
  end

  return { work = work, working = working }
end

return M
