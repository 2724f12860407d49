-- actor_receive.lua - self:receive: an actor takes its next message by itself, or the first that matches.
--
-- The queue's layout is in src/lua_actor_send.c. What is passed over stays, in order; an order of our own (kind 0) is
-- carried out where it is met.

local core = require "troupe.actor.core"
local now = require "troupe".now

local error, table, tostring, type = error, table, tostring, type

local M = {}

local function any() return true end

-- A function name, arguments -> true for what is looked for; whether that looks at the arguments.
local function matcher(match)
  if match == nil then return any end
  if type(match) == "function" then return match, true end
  if type(match) == "string" then
    return function(name) return name == match end
  end
  if type(match) ~= "table" then
    error("receive: name, list of names or function expected, got " .. type(match), 3)
  end
  local wanted = {}
  for i = 1, #match do wanted[match[i]] = true end
  return function(name) return wanted[name] end
end

-- The message at a place: its end, name, call or nil, first and last argument's place; name nil: an order.
local function parse(queue, place)
  local kind = queue[place]
  if type(kind) == "string" then return place + 1, kind, nil, place + 1, place end
  if kind == 0 then return place + 4 end
  if kind > 0 then return place + 2 + kind, queue[place + 1], nil, place + 2, place + 1 + kind end
  return place + 2 - kind, queue[place + 1], queue[place + 2], place + 3, place + 1 - kind
end

-- Takes what stands between two places out of the queue.
local function cut(ref, queue, head, place, after, tail)
  if place == head then
    core.take(ref, after, tail, true)
    return
  end
  table.move(queue, after, tail, place)
  local left = tail - (after - place)
  for i = left + 1, tail do queue[i] = nil end
  core.take(ref, head, left, true)
end

-- The first message that matches, from so many places behind the front on; `sender` is whose the message there is.
-- Found; or how far the search came, and whose that is. What is called in between may send to this very actor, and so
-- move the queue.
local function search(self, wanted, curious, from, sender)
  local ref = self.ref
  local queue, head, tail = core.mail(ref)
  if from == 0 then sender = queue and queue[1] end
  while queue and head + from <= tail do
    local place = head + from
    local kind = queue[place]
    if type(kind) ~= "string" and type(kind) ~= "number" then
      sender = kind
      if from == 0 then
        queue[1] = sender
        core.take(ref, place + 1, tail)
        head = place + 1
      else
        from = from + 1
      end
    else
      local after, name, call, first, last = parse(queue, place)
      if name == nil then
        local order, a, b = queue[place + 1], queue[place + 2], queue[place + 3]
        cut(ref, queue, head, place, after, tail)
        order(self, a, b, ref, true)
        queue, head, tail = core.mail(ref)
      else
        local found
        if curious then
          found = wanted(name, table.unpack(queue, first, last))
          queue, head, tail = core.mail(ref)
        else
          found = wanted(name)
        end
        local moved = head + from - place
        if found then
          local message = table.pack(name, table.unpack(queue, first + moved, last + moved))
          cut(ref, queue, head, place + moved, after + moved, tail)
          self.sender = sender or nil
          core.received(ref, call or 0)
          return message
        end
        from = from + after - place
      end
    end
  end
  return nil, from, sender
end

--- self:receive([match] [, timeout]): waits for the next message, or the first that matches; others stay, in order.
-- @param match name, list of names, or predicate (name, arguments...) -> true; nil: any message
-- @param timeout seconds, at most so long; nil: for ever. A number in match's place is the timeout
-- @return name, arguments...; nil, "timeout". self.sender is its sender; a call is answered by self:defer():reply(...)
function M.receive(self, match, timeout)
  if type(match) == "number" and timeout == nil then match, timeout = nil, match end
  if timeout ~= nil and (type(timeout) ~= "number" or timeout < 0) then
    error("receive: number of seconds of at least 0 expected, got " .. tostring(timeout), 2)
  end
  local wanted, curious = matcher(match)
  local deadline = timeout and now() + timeout
  local from, sender = 0, nil
  while true do
    local message
    message, from, sender = search(self, wanted, curious, from, sender)
    if message then return table.unpack(message, 1, message.n) end
    if deadline and now() >= deadline or not core.wait_mail(self.ref, deadline) then return nil, "timeout" end
  end
end

return M
