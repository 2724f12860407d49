-- actor_control.lua - what is asked of an actor of another vm beside messages, and what its vm makes of that.
--
-- An order that has an answer is a call to the vm: it is answered at once, also while the actor handles something long.

local core = require "troupe.actor.core"
local bonds = require "troupe.actor_bonds"
local later = require "troupe.later"
local task_core = require "troupe.task.core"

local future = later "troupe.actor_future"
local shutdown = later "troupe.actor_shutdown"

local M = {}

-- Seconds within which a vm that is not stuck has answered.
local ANSWER = 5

-- An order: met by receive, it ends the handler that waits there.
local function stop_now(_, reason, _, ref, receiving)
  if receiving then core.exit(ref, reason, false) else core.stop(ref, reason) end
end

--- An actor of this vm ends after the messages it has.
function M.stop_in_turn(ref, reason) core.order(ref, stop_now, core.copy(reason), nil) end

-- operation -> fn(reference, sender or false, address of the sender's vm, ...) -> the answer
local orders = {}

function orders.watch(ref, _, vm) bonds.interest(ref, vm) end

function orders.link(ref, _, _, other) bonds.tied(ref, other) end

function orders.unlink(ref, _, _, other) bonds.untie(ref, other) end

function orders.stop(ref, _, _, reason) M.stop_in_turn(ref, reason) end

function orders.kill(ref) core.exit(ref, "killed", true, true) end

function orders.info(ref) return ref:info() end

function orders.reload(ref) return ref:reload() end

function orders.supervised(ref, _, _, restarts) bonds.supervise(ref, restarts) end

function orders.keeps_log(ref) return shutdown.keeps_log(ref) end

function orders.here() return true end -- the vm reads its mail

-- operation -> fn(call, ...), which answers when it is done; for the vm itself
local works = {}
M.works = works

function works.shutdown(call, last)
  task_core.spawn(function()
    shutdown.end_own(last)
    core.reply_late(call, true)
  end)
end

--- Hook: another vm asks. `call` 0: it awaits no answer.
function M.control(call, ref, sender, vm, operation, ...)
  local order = orders[operation]
  if works[operation] then return works[operation](call, ...) end
  if call ~= 0 then core.reply_late(call, true, order(ref, sender, vm, ...)) else order(ref, sender, vm, ...) end
end

local function inquire(ref, operation)
  local id = core.inquire(ref, operation)
  if not id then return false end
  return future.of(id):join(ANSWER)
end

--- ref:info() of another vm's actor.
-- @return table; nil, "timeout"
function M.info(ref)
  local ok, answer = inquire(ref, "info")
  if ok == nil then return nil, answer end
  if not ok then return { state = "dead", reason = core.reason(ref) } end
  return answer
end

--- ref:reload() of another vm's actor.
-- @return true; nil, error or "timeout"; nil, error, true
function M.reload(ref)
  local ok, answer, why, runs = inquire(ref, "reload")
  if ok == nil then return nil, answer end
  if not ok then return nil, "dead" end
  return answer, why, runs
end

return M
