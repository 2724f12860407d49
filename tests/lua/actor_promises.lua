-- actor_promises.lua - what holds between the actors of many vms: no message lost, doubled or out of order, and when
-- actors are killed at random, every call ends and every message has one fate.
--
-- TROUPE_ACTOR_MESSAGES=10000000 runs the first with so many.

local t = require "harness"
local await = require "await"
local troupe = require "troupe"
local task = require "troupe.task"

local test, eq, ok = t.test, t.eq, t.ok

local VMS = 8

-- Sends numbers to its peers and checks theirs.
local Peer = {
  init = function(self, index, each, main)
    self.index, self.each, self.main = index, each, main
    self.sent, self.due, self.open = 0, {}, 0
  end,
  meet = function(self, peers)
    self.peers = peers
    for i in pairs(peers) do
      if i ~= self.index then self.due[i], self.open = 1, self.open + 1 end
    end
  end,
  start = function(self) self.ref:send "burst" end,
  burst = function(self)
    local last = math.min(self.each, self.sent + 200)
    for number = self.sent + 1, last do
      for i, peer in pairs(self.peers) do
        if i ~= self.index then assert(peer:send("number", self.index, number)) end
      end
    end
    self.sent = last
    if last < self.each then self.ref:send "burst" end
  end,
  number = function(self, from, number)
    if number ~= self.due[from] then
      self.main:send("wrong", ("%d from %d, expected %d"):format(number, from, self.due[from]))
    end
    self.due[from] = number + 1
    if number == self.each then
      self.open = self.open - 1
      if self.open == 0 then self.main:send "complete" end
    end
  end,
}

test("messages between eight vms are neither lost nor doubled nor out of order", function()
  local total = tonumber(os.getenv "TROUPE_ACTOR_MESSAGES") or 200000 // t.slowdown ^ 2
  local each = math.max(1, total // (VMS * (VMS - 1)))
  local complete, wrong = 0, nil
  local main = assert(troupe.spawn { {
    complete = function() complete = complete + 1 end,
    wrong = function(_, what) wrong = wrong or what end,
  }, isolation = "local" })
  local peers = {}
  for i = 1, VMS do peers[i] = assert(troupe.spawn(Peer, i, each, main)) end
  for i = 1, VMS do peers[i]:send("meet", peers) end
  for i = 1, VMS do peers[i]:call_with({ timeout = 60 * t.slowdown }, "start") end
  while complete < VMS and not wrong do task.sleep(0.01) end -- as long as it takes: the runner has a deadline
  eq(wrong, nil)
  for i = 1, VMS do ok(peers[i]:stop(nil, 60 * t.slowdown)) end
end)

test("killed at random: every call ends, and every message was handled or is a dead letter", function()
  local rounds = 24 // t.slowdown
  local seen, sent, refused, kills = 0, 0, 0, 0
  local collector = assert(troupe.spawn { { seen = function() seen = seen + 1 end }, isolation = "local" })
  local Worker = {
    init = function(self, to) self.to = to end,
    item = function(self) self.to:send "seen" end,
    ask = function(self) self.to:send "seen" return true end,
  }
  local before = troupe.dead_letters()
  local crew, futures = {}, {}
  for i = 1, 4 do crew[i] = assert(troupe.spawn(Worker, collector)) end
  local function send(actor)
    if actor:send "item" then sent = sent + 1 else refused = refused + 1 end
  end
  for round = 1, rounds do
    for _, actor in ipairs(crew) do
      for _ = 1, 50 do send(actor) end
      local known, future = pcall(actor.ask, actor, "ask")
      if known then futures[#futures + 1], sent = future, sent + 1 else refused = refused + 1 end
    end
    local victim = math.random(#crew)
    if round % 2 == 0 then task.sleep(0) end
    crew[victim]:kill()
    kills = kills + 1
    for _ = 1, 10 do send(crew[victim]) end
    crew[victim] = assert(troupe.spawn(Worker, collector))
  end
  for _, future in ipairs(futures) do
    local good, why = future:join(60 * t.slowdown)
    ok(good or why == "killed" or why == "lost" or why == "dead", why)
  end
  -- A message at hand when its actor is broken into was handled, though it may not have got so far as to say so.
  local function open() return sent - seen - (troupe.dead_letters() - before - refused) end
  await(function() return open() <= kills end, function() return ("%d messages have no fate"):format(open()) end)
  for _, actor in ipairs(crew) do ok(actor:stop(nil, 60 * t.slowdown)) end
  task.sleep(0)
  ok(open() >= 0 and open() <= kills, open())
end)

test("hundreds of thread actors live at once, call each other and end", function()
  local count = (tonumber(os.getenv "TROUPE_ACTOR_THREADS") or 120) // t.slowdown
  local Link = {
    init = function(self, next_one) self.next = next_one end,
    pass = function(self, n)
      if self.next then return self.next:call_with({ timeout = 600 }, "pass", n + 1) end
      return n
    end,
  }
  local chain = {}
  for i = 1, count do chain[i] = assert(troupe.spawn(Link, chain[i - 1])) end
  eq(chain[count]:call_with({ timeout = 600 }, "pass", 1), count)
  for i = 1, count do chain[i]:kill() end
  await(function()
    for i = 1, count do
      if chain[i]:alive() then return false end
    end
    return true
  end, "their ends")
end)

t.finish()
