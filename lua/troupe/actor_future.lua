-- actor_future.lua - answers to come: what ref:ask returns, and how a call waits where no task can park.
--
-- A future is pending until its outcome is set, once: by hook `answered`. One that nobody holds any more gets none.

local core = require "troupe.actor.core"
local wait = require "troupe.waiting"

local error, getmetatable, setmetatable, table, type = error, getmetatable, setmetatable, table, type

local M = {}

local Future = {}
Future.__index = Future
Future.__name = "troupe.future"

local pending = setmetatable({}, { __mode = "v" })

--- Asks; what ref:ask does.
-- @param ref an actor's reference
-- @param name string: the message
-- @param ... arguments, which must be able to cross
-- @return a future, with await, join and status. Raises "dead" when the actor is known to be gone
function M.ask(ref, name, ...) return M.of(core.ask(ref, name, ...)) end

--- The answer to a call by its number.
-- @return a future
function M.of(id)
  local future = setmetatable({ waiting = {} }, Future)
  pending[id] = future
  return future
end

--- Hook: call `id` is answered.
function M.answered(id, ...)
  local future = pending[id]
  if not future then return end
  pending[id] = nil
  future.outcome = table.pack(...)
  wait.wake(future.waiting)
end

local function check(self, what)
  if type(self) ~= "table" or getmetatable(self) ~= Future then
    error(what .. ": future expected, got " .. type(self), 3)
  end
  return self
end

--- Waits for the answer.
-- @param seconds number: at most so long; nil: for ever
-- @return true, results...; false, error; nil, "timeout"
function Future:join(seconds)
  check(self, "join")
  if not wait.wait(self.waiting, function() return self.outcome end, seconds) then return nil, "timeout" end
  return table.unpack(self.outcome, 1, self.outcome.n)
end

local function raise_or_return(ok, ...)
  if ok == false then error((...), 0) end
  if ok == nil then return nil, ... end
  return ...
end

--- Waits for the answer.
-- @param seconds number: at most so long; nil: for ever
-- @return the results; nil, "timeout". Raises the error of the handler
function Future:await(seconds) return raise_or_return(check(self, "await"):join(seconds)) end

--- What became of it: "pending", "done" or "failed".
function Future:status()
  local outcome = check(self, "status").outcome
  if not outcome then return "pending" end
  return outcome[1] and "done" or "failed"
end

--- Hook: a call from where no task can park.
function M.call_outside(seconds, ref, name, ...) return M.ask(ref, name, ...):await(seconds) end

return M
