-- stats.lua - what pools are doing: one of them, and all of the program; pools found by their name.

require "troupe"
local core = require "troupe.core"
local settings = require "troupe.pool.settings"

local error, ipairs, table, type = error, ipairs, table, type

local M = { methods = {} }

local Pool = M.methods

--- What the pool is doing.
-- @return table: alive (workers), busy, pending (queued), delayed, scheduled (with a time or an interval), handed
--   (with a worker, begun or not), done, failed, stopped, cancelled, lost, retried, unclean (cleanups that could
--   not be run, or were cut short by the loss of their worker): counts; name; queue_wait and
--   run_time: tables with count, p50, p90, p99 and max, in seconds, of how long jobs waited until they went to a
--   worker and how long their runs took; workers: a table for each, with worker (its number), state ("starting",
--   "idle", "busy", "stopping"), executed (jobs), waiting (jobs it has begun and that wait), busy (seconds), since
--   (seconds since it became idle or busy, or last ended a job), memory (bytes of its values when it last ended
--   one), job (what it runs: id, name). nil when the pool was shut down through another handle
Pool.stats = core.stats

local function seconds(s)
  if s < 0.001 then return ("%.0f us"):format(s * 1e6) end
  if s < 1 then return ("%.1f ms"):format(s * 1e3) end
  return ("%.1f s"):format(s)
end

local function bytes(n)
  if n < 10240 then return ("%d B"):format(n) end
  if n < 10 << 20 then return ("%.0f KiB"):format(n / 1024) end
  return ("%.0f MiB"):format(n / (1 << 20))
end

local function times(what, h)
  return ("%-11s p50 %s, p90 %s, p99 %s, max %s"):format(what, seconds(h.p50), seconds(h.p90), seconds(h.p99),
    seconds(h.max))
end

-- Statistics as text.
local function usage_of(s)
  local lines = {
    ("%s: %d workers, %d busy; %d pending, %d delayed, %d scheduled"):format(s.name, s.alive, s.busy, s.pending,
      s.delayed, s.scheduled),
    ("jobs: %d done, %d failed, %d stopped, %d cancelled, %d lost, %d retried"):format(s.done, s.failed, s.stopped,
      s.cancelled, s.lost, s.retried),
    times("queue wait", s.queue_wait), times("run time", s.run_time),
    ("%6s  %-8s  %10s  %8s  %10s  %10s  %10s  %s"):format("worker", "state", "executed", "waiting", "busy", "memory",
      "since", "job"),
  }
  for _, w in ipairs(s.workers) do
    local job = w.job and (w.job.name or ("%d"):format(w.job.id)) or "-"
    lines[#lines + 1] = ("%6d  %-8s  %10d  %8d  %10s  %10s  %10s  %s"):format(w.worker, w.state, w.executed, w.waiting,
      seconds(w.busy), bytes(w.memory), seconds(w.since), job)
  end
  return table.concat(lines, "\n") .. "\n"
end

--- What the pool is doing, as text: a few lines, and one for each worker.
function Pool.usage(self)
  local stats = core.stats(self)
  return stats and usage_of(stats)
end

-- ---- all pools

--- Statistics of every pool of the program, whichever vm made it.
-- @return table: a list of tables as pool:stats() returns them, in no order
function M.all()
  local list = {}
  for _, pool in ipairs(core.pools() or {}) do list[#list + 1] = core.stats_of(pool[1]) end
  return list
end

--- A handle on a pool of the program, whichever vm made it. Closing or collecting the handle leaves the pool alone;
-- shutdown ends it. Its own jobs are this handle's: as_completed, join and groups are not shared.
-- @param name string, as given to troupe.pool; of several with that name, any
-- @return the handle; nil when there is none, or it is closing
function M.find(name)
  if type(name) ~= "string" then error("find_pool: string expected, got " .. type(name), 2) end
  require "troupe.pool"
  for _, pool in ipairs(core.pools() or {}) do
    local found = pool[2] == name and core.find(pool[1])
    if found then
      local handle = core.handle(pool[1], found[1], found[2], found[3])
      if found[4] then
        settings[handle] = { queue_limit = true }
        core.be_particular(handle)
      end
      return handle
    end
  end
  return nil
end

-- Until what was said has been written, in seconds.
local LOG = 5

--- Ends the program's actors, supervisors from the leaves up; then shuts down every pool of the program, one after the
-- other, and waits for them; then ends actors that keep the log, and waits until all that was said is written. Not from
-- a pool's job, which it would wait for.
-- @param now boolean: what is pending is cancelled, what runs is stopped
function M.shutdown(now)
  local some = package.loaded["troupe.actor_life"] or #require "troupe.registry.core".vms() > 0
  local actor = some and require "troupe.actor"
  if actor then actor.shutdown() end
  for _, pool in ipairs(core.pools() or {}) do core.shut(pool[1], now) end
  if actor then actor.shutdown(true) end
  require "troupe.log".flush(LOG)
end

return M
