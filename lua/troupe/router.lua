-- router.lua - one address for a crew of alike actors: messages to the router go to members of the crew.
--
-- 1. The router is linked with its crew and traps exits: a member that ends is replaced in its place.
-- 2. A call is passed on as a call, and answered with what the member answers; others are passed on meanwhile.

require "troupe"
local actor = require "troupe.actor"
local supervise = require "troupe.actor_bonds".supervise
local options = require "troupe.options"

local error, ipairs, math, pairs, pcall, setmetatable, tostring, type =
  error, ipairs, math, pairs, pcall, setmetatable, tostring, type

local function hash(key)
  if math.type(key) == "integer" then return key end
  local text, sum = tostring(key), 5381
  for i = 1, #text do sum = sum * 33 + text:byte(i) & 0x7fffffff end
  return sum
end

-- kind -> function(router, first argument) that chooses a place in the crew.
local kinds = {
  round_robin = function(self)
    self.turn = self.turn % #self.crew + 1
    return self.turn
  end,
  random = function(self) return math.random(#self.crew) end,
  least_loaded = function(self)
    local best, least
    for i, member in ipairs(self.crew) do
      local info = member:info()
      local load = (info.mailbox or math.huge) + (info.state == "idle" and 0 or 1)
      if not least or load < least then best, least = i, load end
    end
    return best
  end,
  hash = function(self, key) return hash(key) % #self.crew + 1 end,
  broadcast = function() end,
}

local Router = { concurrent = true, trap_exit = true }

local function answers(crew, name, ...)
  local futures, list = {}, {}
  for i, member in ipairs(crew) do futures[i] = member:ask(name, ...) end
  for i, future in ipairs(futures) do list[i] = future:await() end
  return list
end

local function reply(token, ok, ...)
  if ok then token:reply(...) else token:fail((...)) end
end

function Router:otherwise(name, ...)
  local token, place = self:defer(), self.choose(self, ...)
  if not token then
    for i = place or 1, place or #self.crew do self.crew[i]:send(name, ...) end
  elseif place then
    reply(token, pcall(self.crew[place].call, self.crew[place], name, ...))
  else
    reply(token, pcall(answers, self.crew, name, ...))
  end
end

function Router:exit(ref)
  for i, member in ipairs(self.crew) do
    if member == ref then
      self.restarts[i] = self.restarts[i] + 1
      self.crew[i] = self.make(self.restarts[i])
    end
  end
end

function Router:terminate()
  for _, member in ipairs(self.crew) do
    actor.unlink(member)
    member:stop "shutdown"
  end
end

local router_options = { kind = "string", name = "string", link = "boolean", isolation = "string" }

--- Spreads messages over a crew of actors.
-- @param opts table: kind ("round_robin", default, "random", "least_loaded", "hash": by the first argument,
--   "broadcast": to all, a call gets the list of answers), [1] how many actors, [2] their behaviour; name, link,
--   isolation (of the crew, default "local")
-- @return a reference to send and call; nil, error
-- @usage local crew = troupe.router { kind = "round_robin", 4, "worker.lua" }
return function(opts)
  if type(opts) ~= "table" then error("router: options: table expected, got " .. type(opts), 2) end
  local named = {}
  for key, value in pairs(opts) do named[key] = value end
  local count, behaviour = opts[1], opts[2]
  named[1], named[2] = nil, nil
  options.check(named, router_options, "router", 2)
  if math.type(count) ~= "integer" or count < 1 then error("router: [1]: number of actors expected", 2) end
  if behaviour == nil then error("router: [2]: behaviour expected", 2) end
  local choose = kinds[named.kind or "round_robin"]
  if not choose then
    error("router: option 'kind': one of broadcast, hash, least_loaded, random, round_robin expected, got "
      .. named.kind, 2)
  end
  local function make(restarts)
    local member, why = actor.spawn { behaviour, isolation = named.isolation or "local", link = true }
    if not member then error(why, 0) end
    supervise(member, restarts)
    return member
  end
  local made = setmetatable({ init = function(self)
    self.choose, self.turn, self.crew, self.restarts, self.make = choose, 0, {}, {}, make
    for i = 1, count do self.crew[i], self.restarts[i] = make(0), 0 end
  end }, { __index = Router })
  return actor.spawn { made, isolation = "local", name = named.name, link = named.link }
end
