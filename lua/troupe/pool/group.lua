-- group.lua - groups: jobs that are waited for, counted and given up together.
--
-- 1. `jobs` has every job of the group in order of submission, ended ones too: the group is where their outcomes stay.
-- 2. `count` is what add and done count beside the jobs, as a Go programmer's WaitGroup.

local core = require "troupe.core"
local places = require "troupe.waiting"

local error, getmetatable, ipairs, math, pairs, select, setmetatable, type =
  error, getmetatable, ipairs, math, pairs, select, setmetatable, type

local Group = {}
Group.__index = Group
Group.__name = "troupe.group"

-- Raises unless a job with these options may join.
function Group._check(self, pool, opts, what, level)
  if getmetatable(self) ~= Group then error(what .. ": option 'group': a group expected", level + 1) end
  if pool ~= self.pool then error(what .. ": option 'group': it belongs to another pool", level + 1) end
  if self.closed then error(what .. ": the group is closed", level + 1) end
  if opts.discard then error(what .. ": option 'discard' leaves a group nothing to wait for", level + 1) end
end

function Group:_add(job, outlive)
  self.jobs[#self.jobs + 1] = job
  if outlive then self.outlive[job] = true end
end

--- Submits to the pool, as pool:submit does, and adds the job to the group.
function Group:submit(fn, ...)
  local opts = {}
  if type(fn) == "table" then
    for key, value in pairs(fn) do opts[key] = value end
  else
    opts[1] = fn
  end
  opts.group = self
  return self.pool._submit_for(self.pool, opts, ...)
end

--- Counts n more things that the group waits for; each is over with done().
function Group:add(n)
  n = n or 1
  if math.type(n) ~= "integer" then error("add: integer expected, got " .. type(n), 2) end
  if self.count + n < 0 then error("add: the count would be negative", 2) end
  self.count = self.count + n
  if self.count == 0 then places.wake(self.waiting) end
end

--- One of the things that add counted is over.
function Group:done()
  if self.count == 0 then error("done: the count is 0 already", 2) end
  self:add(-1)
end

local function left(deadline) return deadline and math.max(0, deadline - core.now()) end

--- Waits until all jobs of the group have ended and its count is 0.
-- @param timeout number of seconds; nil: for ever
-- @return true; nil, "timeout"
function Group:wait(timeout)
  if timeout ~= nil and (type(timeout) ~= "number" or timeout < 0) then
    error("wait: number of seconds of at least 0 expected", 2)
  end
  local deadline = timeout and core.now() + timeout
  local i = 1
  repeat
    while i <= #self.jobs do
      local job = self.jobs[i]
      if job:_seen() == "pending" and job:join(left(deadline)) == nil then return nil, "timeout" end
      i = i + 1
    end
    local over = places.wait(self.waiting, function() return self.count == 0 end, left(deadline))
    if not over then return nil, "timeout" end
  until i > #self.jobs
  return true
end

--- What the jobs that have finished returned: a table, index of submission -> first result, and n, the number of jobs.
function Group:results()
  local results = { n = #self.jobs }
  for i, job in ipairs(self.jobs) do
    if job:_seen() == "finished" then results[i] = select(2, job:join(0)) end
  end
  return results
end

--- Why jobs failed: a table, index of submission -> error. Empty when none did.
function Group:errors()
  local errors = {}
  for i, job in ipairs(self.jobs) do
    local seen = job:_seen()
    if seen ~= "pending" and seen ~= "finished" and seen ~= "detached" then errors[i] = select(2, job:join(0)) end
  end
  return errors
end

--- How many jobs there are of each kind: a table with total, pending, finished, failed, cancelled, lost, stopped.
function Group:counts()
  local counts = { total = #self.jobs, pending = 0, finished = 0, failed = 0, cancelled = 0, lost = 0, stopped = 0 }
  for _, job in ipairs(self.jobs) do
    local seen = job:_seen()
    counts[seen] = (counts[seen] or 0) + 1
  end
  return counts
end

--- Cancels the jobs of the group that have not begun.
-- @return integer: how many
function Group:cancel()
  local count = 0
  for _, job in ipairs(self.jobs) do
    if job:_seen() == "pending" and job:cancel() then count = count + 1 end
  end
  return count
end

--- Ends the group: pending jobs are cancelled, running ones asked to stop, but for those with the option outlive.
-- Nothing more can be submitted to it. Closing twice is fine.
function Group:close()
  if self.closed then return end
  self.closed = true
  local running = {}
  for _, job in ipairs(self.jobs) do
    local goes = job:_seen() == "pending" and not self.outlive[job]
    if goes and not job:cancel() then running[#running + 1] = job end
  end
  for _, job in ipairs(running) do job:stop() end -- now none of the others gets its worker
end

Group.__close = Group.close

function Group:__tostring()
  return ("troupe.group: %d jobs%s"):format(#self.jobs, self.closed and ", closed" or "")
end

local M = { _check_group = Group._check }

--- Makes a group of jobs of this pool.
-- @param n integer, what its count begins with; nil: 0
-- @return the group
-- @usage local group <close> = pool:group()
-- for _, path in ipairs(paths) do group:submit(read, path) end
-- group:wait()
function M:group(n)
  if n ~= nil and (math.type(n) ~= "integer" or n < 0) then error("group: integer of at least 0 expected", 2) end
  return setmetatable({ pool = self, jobs = {}, outlive = {}, count = n or 0, waiting = {} }, Group)
end

return M
