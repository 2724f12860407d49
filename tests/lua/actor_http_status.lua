-- actor_http_status.lua - the status page: what it says, to whom, and what it makes of bad requests.

local t = require "harness"
local socket = require "socket"
local troupe = require "troupe"

local test, eq, ok, match = t.test, t.eq, t.ok, t.match

local status = assert(troupe.spawn "actors/http_status.lua")
local host, port = status:call_with({ timeout = 60 * t.slowdown }, "address")

-- What comes back when the texts are sent, each after the other.
local function exchange(...)
  local sock = assert(socket.connect(host, port))
  sock:settimeout(60 * t.slowdown)
  for _, text in ipairs { ... } do assert(sock:send(text)) end
  local answer = assert(sock:receive "*a")
  sock:close()
  return answer
end

-- Status, head and body of the answer to a GET.
local function get(path)
  local answer = exchange("GET " .. path .. " HTTP/1.1\r\nHost: here\r\n\r\n")
  local head, body = answer:match "^(.-\r\n)\r\n(.*)$"
  return head:match "^HTTP/1.1 (%d+)", head, body
end

test("it listens on the loopback, and says where", function()
  eq(host, "127.0.0.1")
  eq(math.type(port), "integer")
end)

test("/metrics has pools, workers, named actors and dead letters", function()
  local pool <close> = troupe.pool { workers = 1, name = 'the "pool"' }
  eq(pool:submit(function() return 1 end):await(60 * t.slowdown), 1)
  local actor <const> = assert(troupe.spawn { {}, name = "named" })
  local code, head, body = get "/metrics"
  eq(code, "200")
  match(head, "\r\nContent%-Type: text/plain; version=0%.0%.4; charset=utf%-8\r\n")
  match(head, "\r\nContent%-Length: " .. #body .. "\r\n")
  for _, line in ipairs {
    [[# TYPE troupe_pool_jobs_total counter]],
    [[troupe_pool_jobs_total{outcome="done",pool="the \"pool\"",number="1"} 1]],
    [[troupe_pool_jobs_total{outcome="failed",pool="the \"pool\"",number="1"} 0]],
    [[troupe_pool_run_time_seconds_count{pool="the \"pool\"",number="1"} 1]],
    [[troupe_actor_mailbox{actor="named"} 0]],
    [[troupe_actor_restarts_total{actor="named"} 0]],
  } do ok(body:find("\n" .. line .. "\n", 1, true), line .. " in\n" .. body) end
  match(body, "\ntroupe_dead_letters_total %d+\n")
  match(body, '\ntroupe_worker_memory_bytes{worker="1",pool="the \\"pool\\"",number="1"} %d+\n')
  for line in body:gmatch "[^\n]+" do
    if not line:find "^#" then match(line, "^troupe_[%l_]+{?.*}? [%d.e+-]+$") end
  end
  actor:stop()
end)

test("/stats is JSON", function()
  local actor <const> = assert(troupe.spawn { {}, name = "another" })
  local code, head, body = get "/stats?now"
  eq(code, "200")
  match(head, "\r\nContent%-Type: application/json\r\n")
  match(body, '^{"actors":%[{.*"name":"another".*"state":"%a+".*"dead_letters":%d+,"now":.*"pools":.*}\n$')
  actor:stop()
end)

test("/ is a page that draws them", function()
  local code, head, body = get "/"
  eq(code, "200")
  match(head, "\r\nContent%-Type: text/html; charset=utf%-8\r\n")
  match(body, 'fetch%("stats"%)')
end)

test("HEAD has no body, other methods and paths are refused, and so is what is no HTTP", function()
  match(exchange "HEAD / HTTP/1.0\r\n\r\n", "^HTTP/1.1 200 OK\r\n.*\r\n\r\n$")
  match(exchange "POST / HTTP/1.1\r\n\r\n", "^HTTP/1.1 405 .*\r\nAllow: GET, HEAD\r\n")
  eq(get "/nowhere", "404")
  match(exchange "hello\r\n\r\n", "^HTTP/1.1 400 ")
end)

test("a head that never ends is given up", function()
  local sock = assert(socket.connect(host, port))
  sock:settimeout(60 * t.slowdown)
  local sent, why
  repeat sent, why = sock:send(("x"):rep(4096)) until not sent
  eq(why, "closed")
  sock:close()
  eq(get "/", "200")
end)

test("who is slow keeps nobody else waiting", function()
  local slow = assert(socket.connect(host, port))
  slow:settimeout(60 * t.slowdown)
  assert(slow:send "GET / HT")
  eq(get "/", "200")
  assert(slow:send "TP/1.1\r\n\r\n")
  match(slow:receive "*a", "^HTTP/1.1 200 OK\r\n")
  slow:close()
end)

test("a port that is taken, or none, is told at the start", function()
  local ref, why = troupe.spawn("actors/http_status.lua", port)
  eq(ref, nil)
  match(why, "^http_status: 127.0.0.1 port " .. port .. ": address already in use")
  match(select(2, troupe.spawn("actors/http_status.lua", "x")), "^http_status: port: integer from 0 to 65535 expected")
end)

test("without lua-socket it says so", function()
  local _, why = troupe.spawn { "actors/http_status.lua", path = "/nowhere/?.lua", cpath = "/nowhere/?.so" }
  match(why, "^http_status: lua%-socket is needed")
end)

test("it ends when it is told to", function()
  ok(status:stop(nil, 60 * t.slowdown))
  eq(status:info().reason, "normal")
end)

t.finish()
