-- pubsub.lua - a hub of its own for topics, apart from the program's (troupe.publish).
--
--     local hub = troupe.spawn { "actors/pubsub.lua", isolation = "light" }
--     hub:call("subscribe", "news.*")            the calling actor; or another: hub:call("subscribe", "news.>", ref)
--     hub:send("publish", "news.sport", 1, 2)    subscribers get the message "news.sport"(1, 2), each once
--     hub:call("unsubscribe", "news.*")          true when there was such a subscription
--
-- `*` stands for one word, `>` at the end for one or more. A subscriber that ended is dropped.

local troupe = require "troupe"
local fits = require "troupe.topic".fits

local error, next, pairs = error, next, pairs

local Hub = {}

function Hub:init() self.subscribers = {} end -- reference -> { pattern -> true }

local function whom(self, ref) return ref or self.sender or error("pubsub: a reference expected", 0) end

function Hub:subscribe(pattern, ref)
  ref = whom(self, ref)
  local patterns = self.subscribers[ref]
  if not patterns then
    patterns = {}
    self.subscribers[ref] = patterns
    troupe.monitor(ref)
  end
  patterns[pattern] = true
  return true
end

function Hub:unsubscribe(pattern, ref)
  local patterns = self.subscribers[whom(self, ref)]
  if not (patterns and patterns[pattern]) then return false end
  patterns[pattern] = nil
  if not next(patterns) then
    self.subscribers[whom(self, ref)] = nil
    troupe.demonitor(whom(self, ref))
  end
  return true
end

function Hub:down(ref) self.subscribers[ref] = nil end

local function wants(patterns, topic)
  for pattern in pairs(patterns) do
    if fits(pattern, topic) then return true end
  end
  return false
end

function Hub:publish(topic, ...)
  local count = 0
  for ref, patterns in pairs(self.subscribers) do
    if wants(patterns, topic) and ref:send(topic, ...) then count = count + 1 end
  end
  return count
end

return Hub
