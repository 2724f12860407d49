-- actor_self.lua - what self has beside mail and timers: the actor becomes another, answers later.

local core = require "troupe.actor.core"
local behaviours = require "troupe.actor_behaviour"

local setmetatable = setmetatable

local M = {}

--- self:become(behaviour): from the next message on, another behaviour handles them; self stays, init is not called.
-- @return true; nil, error when a script does not load
function M.become(self, behaviour)
  local class, why = behaviours.find(behaviour, "become")
  if not class then return nil, why end
  core.become(self.ref, class.handlers, class.terminate ~= nil, class.concurrent)
  setmetatable(self, class.meta)
  return true
end

--- self:hibernate(): gives back what memory it can.
function M.hibernate(self) core.order(self.ref, function(_, _, _, ref) core.shrink(ref) end) end

local Token = {}
Token.__index = Token
Token.__name = "troupe.actor.token"

--- What a token crosses as: the call's number, and the vm of the actor that was called.
function Token.__troupe_pack(token) return { token.id, token.vm or core.own_address() }, "troupe.actor_self:token" end

function M.token(packed)
  return setmetatable({ id = packed[1], vm = packed[2] ~= core.own_address() and packed[2] or nil }, Token)
end

local function answer(token, ...)
  if token.vm then return core.send_reply(token.id, token.vm, ...) end
  return core.reply_late(token.id, ...)
end

--- token:reply(...): the results of the call. The first reply counts.
-- @return true when it was the first, and the actor lives; in another vm than the actor's: when that vm lives
function Token:reply(...) return answer(self, true, ...) end

--- token:fail(error): the call fails.
function Token:fail(err) return answer(self, false, err) end

--- self:defer(): the call being handled is answered later, by the token; the handler's results are ignored.
-- @return token with reply(...) and fail(error); nil when the message is no call
function M.defer()
  local id = core.defer()
  return id and setmetatable({ id = id }, Token)
end

return M
