-- topic.lua - topics: what is published goes to all actors of the program that subscribed, whichever vm they are in.
--
-- A topic is words with dots between them. In a subscription `*` stands for one word, `>` at the end for one or more.
-- Who subscribed is known in C, by address (src/registry.h); what ends an actor takes its subscriptions away. The vm
-- that publishes sends to each of them itself, so what it publishes reaches a subscriber in order.

local core = require "troupe.actor.core"
local names = require "troupe.registry"
local registry = require "troupe.registry.core"

local error, table, type = error, table, type
local select = select

local M = {}

local function check(topic, what)
  if type(topic) ~= "string" or topic == "" or topic:find "^%." or topic:find "%.$" or topic:find("..", 1, true) then
    error(what .. ": words with dots between them expected for a topic", 3)
  end
end

--- True when the pattern stands for the topic, word by word.
local function fits(pattern, topic)
  local at = 1
  for want, dot in pattern:gmatch "([^.]+)(%.?)" do
    if want == ">" and dot == "" then return at <= #topic end
    local word = topic:match("^[^.]+", at)
    if not word or want ~= "*" and want ~= word then return false end
    at = at + #word + 1
  end
  return at > #topic
end

M.fits = fits

local function subscriber(ref, what)
  ref = ref or core.current()
  if not ref then error(what .. ": actor reference expected outside of actors", 3) end
  if not core.is(ref) then error(("%s: actor reference expected, got %s"):format(what, type(ref)), 3) end
  return ref
end

--- Subscribes an actor: what is published under the topic reaches it as a message of the topic's name; one without such
-- a handler gets it by otherwise(topic, ...).
-- @param topic string, with * and > as wildcards
-- @param ref   an actor's reference; nil: the running one
-- @return true; nil, "dead"
function M.subscribe(topic, ref)
  check(topic, "subscribe")
  ref = subscriber(ref, "subscribe")
  if not core.alive(ref) then return nil, "dead" end
  local done = registry.subscribe(topic, (core.address(ref)))
  if not done then error("not enough memory", 2) end
  names.watch(ref)
  return true
end

--- Takes a subscription back.
-- @return true when there was one
function M.unsubscribe(topic, ref)
  check(topic, "unsubscribe")
  return registry.unsubscribe(topic, (core.address(subscriber(ref, "unsubscribe"))))
end

-- By `send` to all who subscribed to the topic, each once; to how many.
local function tell(send, topic, ...)
  local to = registry.subscribers(topic) or error("not enough memory", 3)
  local count = 0
  for i = 1, #to do
    if send(core.find(to[i]), topic, ...) then count = count + 1 end
  end
  return count
end

--- Sends a message to all who subscribed to its topic, each once.
-- @param topic string, without wildcards
-- @param ...   arguments, which must be able to cross
-- @return integer: to how many
function M.publish(topic, ...)
  check(topic, "publish")
  return tell(core.send, topic, ...)
end

-- ---- dead letters

-- Under this topic, whoever wants to see them gets dead letters, as (reference, name, arguments...).
local DEAD_LETTERS = "troupe.dead_letters"

local unseen -- those that a task is about to publish

local function publish_unseen()
  while unseen do
    local list = unseen
    unseen = nil
    for i = 1, #list do tell(core.try_send, DEAD_LETTERS, table.unpack(list[i], 1, list[i].n)) end
  end
end

--- A message that reached nobody is counted, and shown to who wants to see it. Does not wait: in a worker process,
-- where the program has to be asked who does, a task of its own waits.
function M.dead_letter(ref, name, ...)
  registry.count_dead(1)
  if name == DEAD_LETTERS then return end -- shown already, to somebody without a handler for it
  if not registry.is_away() then
    tell(core.try_send, DEAD_LETTERS, ref, name, ...)
  elseif unseen then
    unseen[#unseen + 1] = { n = 2 + select("#", ...), ref, name, ... }
  else
    unseen = { { n = 2 + select("#", ...), ref, name, ... } }
    require "troupe.task".spawn(publish_unseen)
  end
end

--- How many messages did not reach a live actor, in all vms of the program: they were sent to a dead one, lay unread
-- when it died, or had no handler. Who subscribes to "troupe.dead_letters" sees them: reference, name, arguments.
-- @return integer
function M.dead_letters() return registry.dead_letters() or error("not enough memory", 2) end

return M
