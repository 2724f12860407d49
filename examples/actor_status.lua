-- actor_status.lua - a program that tells what it is at: jobs run, and the status page's metrics are read over HTTP, as
-- Prometheus would. Needs lua-socket. With an argument, a port, it goes on for a browser until Ctrl-C.
local socket = require "socket"
local task = require "troupe.task"
local troupe = require "troupe"

local status = assert(troupe.spawn("actors/http_status.lua", arg[1] or 0))
local host, port = status:call_with({ timeout = 60 }, "address")

local pool <close> = troupe.pool { workers = 2, name = "squares" }
for i, square in ipairs(pool:map(function(n) return n * n end, { 1, 2, 3 })) do print(i, square) end
pool:submit(function() return "one job more" end):await()

-- A page of it.
local function get(path)
  local sock = assert(socket.connect(host, port))
  sock:settimeout(60)
  sock:send(("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n"):format(path, host))
  return assert(sock:receive "*a")
end

for line in get("/metrics"):gmatch "[^\n]+" do
  local pool_name, failed = line:match '^troupe_pool_jobs_total{outcome="failed",pool="([^"]*)",number="1"} (%d+)$'
  if failed then print(failed .. " failed jobs in pool " .. pool_name) end
end
print(get("/"):match "^HTTP/1.1 ([^\r]*)", get("/stats"):match "\r\n\r\n{" and "and JSON")

if arg[1] then
  print(("look at http://%s:%d/"):format(host, port))
  while true do
    pool:submit(math.sqrt, 2)
    task.sleep(0.05)
  end
end
