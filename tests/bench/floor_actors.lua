-- floor_actors.lua - the floor for actors: the smallest scheduler of coroutines with mailboxes in one Lua state, on the
-- benchmarks of examples/savina. Usage: floor_actors.lua NAME COUNT; prints the figure that the example of that name
-- prints. Of troupe it uses the clock alone.

local create, resume, yield = coroutine.create, coroutine.resume, coroutine.yield
local error, print, tonumber = error, print, tonumber
local clock = require "troupe".now

local ready, first, last = {}, 1, 0
local stopped = false

local function spawn(fn)
  local actor = { head = 1, tail = 0, waiting = false }
  actor.co = create(function() fn(actor) end)
  last = last + 1
  ready[last] = actor
  return actor
end

local function send(actor, message)
  local tail = actor.tail + 1
  actor[tail] = message
  actor.tail = tail
  if actor.waiting then
    actor.waiting = false
    last = last + 1
    ready[last] = actor
  end
end

local function receive(actor)
  local head = actor.head
  if head > actor.tail then
    actor.head, actor.tail, actor.waiting = 1, 0, true
    yield()
    head = actor.head
  end
  local message = actor[head]
  actor[head] = nil
  actor.head = head + 1
  return message
end

local function run()
  local begin = clock()
  while first <= last and not stopped do
    local actor = ready[first]
    ready[first] = nil
    first = first + 1
    if first > last then first, last = 1, 0 end
    local ok, err = resume(actor.co)
    if not ok then error(err) end
  end
  return clock() - begin
end

local floors = {}

function floors.ping_pong(count)
  local pong = spawn(function(me)
    while true do send(receive(me), "pong") end
  end)
  spawn(function(me)
    for _ = 1, count do
      send(pong, me)
      receive(me)
    end
  end)
  return run() / (2 * count) * 1e9
end

function floors.counting(count)
  local counter = spawn(function(me)
    local total = 0
    while true do
      local message = receive(me)
      if message == "increment" then total = total + 1 else send(message, total) end
    end
  end)
  spawn(function(me)
    for _ = 1, count do send(counter, "increment") end
    send(counter, me)
    receive(me)
  end)
  return count / run() / 1e6
end

function floors.fork_join_create(count)
  local begin = clock()
  local parent = spawn(function(me)
    for _ = 1, count do receive(me) end
  end)
  for i = 1, count do
    send(spawn(function(me)
      math.sin(receive(me))
      send(parent, "done")
    end), i)
  end
  run()
  return count / (clock() - begin)
end

function floors.fork_join_throughput(count)
  local crew = {}
  for i = 1, 60 do
    crew[i] = spawn(function(me)
      for _ = 1, count do receive(me) end
    end)
  end
  spawn(function()
    for _ = 1, count do
      for i = 1, 60 do send(crew[i], "work") end
    end
  end)
  return 60 * count / run() / 1e6
end

function floors.thread_ring(hops)
  local ring = {}
  for i = 1, 503 do
    ring[i] = spawn(function(me)
      local next_member = ring[i % 503 + 1]
      while true do
        local left = receive(me)
        if left == 0 then
          stopped = true
          return
        end
        send(next_member, left - 1)
      end
    end)
  end
  send(ring[1], hops)
  return run() / hops * 1e9
end

local function blend(a, b) return a == b and a or 3 - a - b end

local function creature(mall, colour)
  return function(me)
    local met = 0
    send(mall, { kind = "meet", colour = colour, from = me })
    while true do
      local message = receive(me)
      if message.kind == "leave" then
        send(mall, { kind = "count", met = met })
        return
      end
      met = met + 1
      if message.kind == "meet" then
        colour = blend(colour, message.colour)
        send(message.from, { kind = "change", colour = colour })
      else
        colour = message.colour
      end
      send(mall, { kind = "meet", colour = colour, from = me })
    end
  end
end

function floors.chameneos(meetings)
  local left = meetings
  local mall = spawn(function(me)
    local waiting, gone = nil, 0
    while gone < 100 do
      local message = receive(me)
      if message.kind == "count" then
        gone = gone + 1
      elseif left == 0 then
        send(message.from, { kind = "leave" })
      elseif waiting then
        local partner = waiting
        waiting, left = nil, left - 1
        send(partner, message)
      else
        waiting = message.from
      end
    end
  end)
  for i = 1, 100 do spawn(creature(mall, i % 3)) end
  return meetings / run()
end

function floors.big(count)
  local crew, done = {}, 0
  local function member(seed)
    return function(me)
      local left = count
      local function ping()
        seed = (seed * 1309 + 13849) & 65535
        send(crew[1 + seed % 120], me)
      end
      ping()
      while true do
        local message = receive(me)
        if message ~= "pong" then
          send(message, "pong")
        else
          left = left - 1
          if left > 0 then ping() else done = done + 1 end
          if done == 120 then
            stopped = true
            return
          end
        end
      end
    end
  end
  for i = 1, 120 do crew[i] = spawn(member(i)) end
  return 2 * 120 * count / run() / 1e6
end

print(floors[arg[1]](tonumber(arg[2])))
