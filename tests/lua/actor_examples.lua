-- actor_examples.lua - the examples with actors run, and print what they say; none is longer than 40 lines.

local t = require "harness"

local top = os.getenv "top_srcdir"

local function run(name, ...)
  local path = top .. "/examples/" .. name .. ".lua"
  local lines = 0
  for _ in io.lines(path) do lines = lines + 1 end
  t.ok(lines <= 40, name .. " has " .. lines .. " lines")
  local status, out, err = t.troupe { "run", path, ... }
  t.eq(err, "")
  t.eq(status, 0)
  return out
end

t.test("a bank's transfers add up while its clerks are killed", function()
  local said = "^(%d+) transfers answered, (%d+) clerks killed at work, 1500 in the bank\n$"
  local done, killed = run "actor_bank":match(said)
  t.eq(done + killed, 300)
end)

t.test("a chat's room crashes and comes back, and its guests with it", function()
  local socket = require "socket"
  local path = top .. "/examples/actor_chat.lua"
  local command = ("echo $$; exec timeout %d '%s' run '%s'"):format(t.script_deadline, os.getenv "TROUPE", path)
  local pipe = io.popen(command)
  local process, port = pipe:read "l", tonumber(pipe:read "l":match "%d+")
  local function guest()
    local sock = assert(socket.connect("127.0.0.1", port))
    sock:settimeout(t.script_deadline)
    return sock
  end
  local ada = guest()
  t.eq(ada:receive(), "* 1 in the lobby")
  local bob = guest()
  t.eq(bob:receive(), "* 2 in the lobby")
  ada:send "hello\n"
  t.eq(ada:receive() .. bob:receive(), "hellohello")
  bob:send "/crash\n"
  local back = { ada:receive(), bob:receive() }
  table.sort(back)
  t.deep(back, { "* 1 in the lobby", "* 2 in the lobby" })
  bob:send "still here\n"
  t.eq(ada:receive() .. bob:receive(), "still herestill here")
  ada:close()
  bob:close()
  os.execute("kill " .. process)
  pipe:close()
  local lines = 0
  for _ in io.lines(path) do lines = lines + 1 end
  t.ok(lines <= 40, lines)
end)

t.test("the crew works together", function()
  t.eq(run "actor_crew", "30 values in 3 lines, not too fast: true, heat 10 times\n")
end)

t.test("a program tells what it is at, over HTTP", function()
  t.eq(run "actor_status", "1\t1\n2\t4\n3\t9\n0 failed jobs in pool squares\n200 OK\tand JSON\n")
end)

t.test("a logger gets what actors, jobs, threads and other programs say", function()
  t.eq(run "actor_logger", [[
INFO baked loaf=1
INFO baked loaf=2
NOTICE delivered by a job
WARNING a thread found no change
ERROR another program has no flour
]])
end)

t.test("philosophers all dine", function() t.eq(run "actor_philosophers", "50 meals\n") end)

t.test("a pipeline holds back its first stage", function()
  t.eq(run "actor_pipeline", "the squares of 1 to 100 make 338350; never more than 4 waited: true\n")
end)

local function small(count) return tostring(count // t.slowdown) end

for name, unit in pairs {
  ping_pong = "ns a message", counting = "M messages a second", fork_join_create = "actors a second",
  fork_join_throughput = "M messages a second", thread_ring = "ns a hop", chameneos = "meetings a second",
  big = "M messages a second",
} do
  t.test("savina: " .. name .. " prints its figure", function()
    t.match(run("savina/" .. name, small(400)), "^[%d.]+ " .. unit .. "\n$")
  end)
end

t.finish()
