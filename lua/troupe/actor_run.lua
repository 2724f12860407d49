-- actor_run.lua - how messages are handled: the Lua side of a drainer (src/lua_actor_run.c).
--
-- A drainer is a task that goes from one ready actor to the next. The queue's layout is in src/lua_actor_send.c; its
-- place 1 is where the message stands that is being handled.
--
-- 1. drain writes place 1 before it calls a handler. Where that is not what it finds afterwards, the handler waited,
--    received, stopped its actor or changed its behaviour: core.again says how to go on.
-- 2. A call is answered by what its handler returns, unless it was deferred.

local core = require "troupe.actor.core"
local bonds = require "troupe.actor_bonds"

local math, table = math, table
local next_actor, again, reply, note_call = core.next, core.again, core.reply, core.note_call
local unpack = table.unpack

local M = {}

-- A message that has no handler: what `otherwise` makes of it. Nobody needs to hear of an end.
local function unhandled(class, self, name, ...)
  if class.otherwise then return class.otherwise(self, name, ...) end
  if name ~= "down" and name ~= "exit" then bonds.undelivered(self.ref, name, ...) end
end

local function handle_call(drainer, queue, place, kind, self, handlers)
  local name, id, count = queue[place + 1], queue[place + 3], -1 - kind
  local handler, class = handlers[name], handlers[true]
  self.sender = queue[place + 2] or nil
  if not handler and not class.otherwise then
    core.reply_late(id, false, ("%s has no handler '%s'"):format(class.name, name))
    return
  end
  note_call(drainer, id)
  if not handler then
    reply(id, class.otherwise(self, name, unpack(queue, place + 4, place + 3 + count)))
  elseif count == 0 then
    reply(id, handler(self))
  elseif count == 1 then
    reply(id, handler(self, queue[place + 4]))
  else
    reply(id, handler(self, unpack(queue, place + 4, place + 3 + count)))
  end
  note_call(drainer, 0)
end

-- Any message but the frequent ones. Returns the place behind it.
local function handle(drainer, queue, place, kind, self, handlers)
  queue[1] = place
  if math.type(kind) ~= "integer" then
    self.sender = queue[place + 1] or nil
    unhandled(handlers[true], self, kind)
    return place + 2
  elseif kind < 0 then
    handle_call(drainer, queue, place, kind, self, handlers)
    return place + 3 - kind
  elseif kind == 0 then
    queue[place + 1](self, queue[place + 2], queue[place + 3], self.ref)
    return place + 4
  end
  local name = queue[place + 1]
  local handler = handlers[name]
  self.sender = queue[place + 2] or nil
  if handler then
    handler(self, unpack(queue, place + 3, place + 2 + kind))
  else
    unhandled(handlers[true], self, name, unpack(queue, place + 3, place + 2 + kind))
  end
  return place + 3 + kind
end

local function terminate(reason, ref, self, handlers)
  local class = handlers[true]
  if class.terminate then class.terminate(self, reason) end
  core.finish(ref, reason)
end

--- Handles messages of ready actors; the body of a drainer's task.
function M.drain(drainer)
  local queue, place, last, self, handlers = next_actor(drainer)
  while self do
    local sender
    while queue and place <= last do
      local kind = queue[place]
      local handler = handlers[kind]
      local after
      if handler then
        local from = queue[place + 1]
        if from ~= sender then
          self.sender = from or nil
          sender = from
        end
        queue[1] = place
        handler(self)
        after = place + 2
      elseif kind == 1 then
        handler = handlers[queue[place + 1]]
        local from, value = queue[place + 2], queue[place + 3]
        if from ~= sender then
          self.sender = from or nil
          sender = from
        end
        queue[1] = place
        if handler then
          queue[place + 3] = false
          handler(self, value)
        else
          unhandled(handlers[true], self, queue[place + 1], value)
        end
        after = place + 4
      else
        after = handle(drainer, queue, place, kind, self, handlers)
        sender = nil
      end
      if queue[1] == place then
        place = after
      else
        queue, place, last, self, handlers = again(drainer)
        sender = nil
        if not self then return end
      end
    end
    if queue == false then terminate(place, last, self, handlers) end
    queue, place, last, self, handlers = next_actor(drainer, place)
  end
end

return M
