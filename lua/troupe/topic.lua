-- topic.lua - topics: what is published goes to all actors that subscribed.
--
-- A topic is words with dots between them. In a subscription `*` stands for one word, `>` at the end for one or more.
-- 1. subscribers has no empty table; an actor that ended is in none (`forget`, from the end of every actor).

local core = require "troupe.actor.core"

local error, next, pairs, type = error, next, pairs, type

local M = {}

local exact, wild = {}, {} -- pattern -> { actor -> true }
local of_actor = {}        -- actor -> { pattern -> true }

local function check(topic, what)
  if type(topic) ~= "string" or topic == "" or topic:find "^%." or topic:find "%.$" or topic:find("..", 1, true) then
    error(what .. ": words with dots between them expected for a topic", 3)
  end
end

local function is_wild(pattern) return ("." .. pattern .. "."):find "%.[*>]%." ~= nil end

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

local function room(pattern) return is_wild(pattern) and wild or exact end

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
  local all = room(topic)
  all[topic] = all[topic] or {}
  of_actor[ref] = of_actor[ref] or {}
  core.note(ref)
  all[topic][ref], of_actor[ref][topic] = true, true
  return true
end

local function drop(topic, ref)
  local all = room(topic)
  local who = all[topic]
  if not (who and who[ref]) then return false end
  who[ref] = nil
  if not next(who) then all[topic] = nil end
  return true
end

--- Takes a subscription back.
-- @return true when there was one
function M.unsubscribe(topic, ref)
  check(topic, "unsubscribe")
  ref = subscriber(ref, "unsubscribe")
  if not drop(topic, ref) then return false end
  of_actor[ref][topic] = nil
  if not next(of_actor[ref]) then of_actor[ref] = nil end
  return true
end

-- By `send` to all who subscribed to the topic, each once; to how many.
function M.tell(send, topic, ...)
  local to, count = {}, 0
  for ref in pairs(exact[topic] or {}) do to[ref] = true end
  for pattern, who in pairs(wild) do
    if fits(pattern, topic) then
      for ref in pairs(who) do to[ref] = true end
    end
  end
  for ref in pairs(to) do
    if send(ref, topic, ...) then count = count + 1 end
  end
  return count
end

--- Sends a message to all who subscribed to its topic, each once.
-- @param topic string, without wildcards
-- @param ...   arguments, which must be able to cross
-- @return integer: to how many
function M.publish(topic, ...)
  check(topic, "publish")
  return M.tell(core.send, topic, ...)
end

--- An actor has ended.
function M.forget(ref)
  for topic in pairs(of_actor[ref] or {}) do drop(topic, ref) end
  of_actor[ref] = nil
end

--- True when anybody subscribed to exactly this.
function M.has(topic) return exact[topic] ~= nil end

return M
