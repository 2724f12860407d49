-- http_status.lua - what the program is at, over HTTP: for Prometheus, for scripts, for a browser. It needs lua-socket.
--
--     local status = assert(troupe.spawn("actors/http_status.lua", 9100))   port (0, default: a free one), host
--     status:call("address")                                                "127.0.0.1", 9100
--
--     GET /metrics    Prometheus' text format
--     GET /stats      JSON: pools as troupe.stats() has them, named actors as ref:info() has them, dead letters
--     GET /           a page that draws these, once a second
--
-- It listens on the loopback alone unless another host is named. Each connection is a task and gets one answer; one
-- that says nothing for 10 seconds is closed.

local troupe = require "troupe"
local json = require "troupe.cli.json"
local task = require "troupe.task"

local assert, error, ipairs, math, pairs, pcall, require, table, tonumber, tostring, type =
  assert, error, ipairs, math, pairs, pcall, require, table, tonumber, tostring, type

local SILENCE, LONGEST = 10, 8192 -- seconds; bytes of a request's head
local RECOVERY = 0.1 -- seconds until a connection is accepted after one could not be

-- ---- what there is to tell

-- Named actors, in order. All are asked at once, for one may be slow to answer.
local function actors()
  local list, asked = {}, {}
  for i, name in ipairs(troupe.registered()) do
    list[i] = { name = name, state = "unknown" }
    asked[i] = task.spawn(function()
      local ref = troupe.whereis(name)
      local info = ref and ref:info()
      for key, value in pairs(info or {}) do list[i][key] = type(value) == "number" and value or tostring(value) end
      list[i].name = name
    end)
  end
  for _, id in ipairs(asked) do task.join(id) end
  return list
end

local function state()
  return { now = troupe.now(), pools = troupe.stats(), actors = actors(), dead_letters = troupe.dead_letters() }
end

local function labelled(labels)
  local parts = {}
  for i = 1, #labels, 2 do
    local text = tostring(labels[i + 1]):gsub('[\\"\n]', { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" })
    parts[#parts + 1] = ('%s="%s"'):format(labels[i], text)
  end
  return #parts > 0 and "{" .. table.concat(parts, ",") .. "}" or ""
end

-- A page of metrics: add(name, kind, help, value, labels) in any order, text() at the end.
local function page()
  local order, families = {}, {}
  local self = {}
  function self.add(name, kind, help, value, labels, suffix)
    if type(value) ~= "number" or value ~= value then return end
    local family = families[name]
    if not family then
      family = { ("# HELP %s %s\n# TYPE %s %s\n"):format(name, help, name, kind) }
      families[name], order[#order + 1] = family, name
    end
    family[#family + 1] = ("%s%s%s %.14g\n"):format(name, suffix or "", labelled(labels or {}), value)
  end
  function self.text()
    local parts = {}
    for i, name in ipairs(order) do parts[i] = table.concat(families[name]) end
    return table.concat(parts)
  end
  return self
end

local outcomes = { "done", "failed", "cancelled", "stopped", "lost" }
local waiting = { "pending", "delayed", "scheduled", "busy", "alive" }
local times = { { "queue_wait", "Seconds that jobs waited for a worker" }, { "run_time", "Seconds that jobs ran" } }
local quantiles = { { "p50", "0.5" }, { "p90", "0.9" }, { "p99", "0.99" }, { "max", "1" } }

local function add_times(metrics, name, help, histogram, labels)
  for _, quantile in ipairs(quantiles) do
    metrics.add(name, "summary", help, histogram[quantile[1]], { "quantile", quantile[2], table.unpack(labels) })
  end
  metrics.add(name, "summary", help, histogram.count, labels, "_count")
end

local function add_pool(metrics, pool, number)
  local own = { "pool", pool.name, "number", number } -- names may be shared
  for _, outcome in ipairs(outcomes) do
    metrics.add("troupe_pool_jobs_total", "counter", "Jobs that have ended, by how", pool[outcome],
      { "outcome", outcome, table.unpack(own) })
  end
  metrics.add("troupe_pool_retries_total", "counter", "Runs that were tried again", pool.retried, own)
  for _, key in ipairs(waiting) do
    metrics.add("troupe_pool_" .. key, "gauge", "What troupe.stats() calls " .. key, pool[key], own)
  end
  for _, time in ipairs(times) do
    add_times(metrics, "troupe_pool_" .. time[1] .. "_seconds", time[2], pool[time[1]] or {}, own)
  end
  for _, worker in ipairs(pool.workers or {}) do
    metrics.add("troupe_worker_memory_bytes", "gauge", "Memory of a worker's vm", worker.memory,
      { "worker", worker.worker, table.unpack(own) })
  end
end

local gauges = { { "mailbox", "Messages that wait" }, { "memory", "Bytes that Lua has in its vm" },
  { "uptime", "Seconds alive" } }

local function metrics_of(now)
  local metrics = page()
  for number, pool in ipairs(now.pools) do add_pool(metrics, pool, number) end
  for _, actor in ipairs(now.actors) do
    for _, gauge in ipairs(gauges) do
      metrics.add("troupe_actor_" .. gauge[1], "gauge", gauge[2], actor[gauge[1]], { "actor", actor.name })
    end
    metrics.add("troupe_actor_restarts_total", "counter", "Times it was started again", actor.restarts,
      { "actor", actor.name })
  end
  metrics.add("troupe_dead_letters_total", "counter", "Messages that reached nobody", now.dead_letters)
  return metrics.text()
end

local html = [[
<!doctype html><meta charset="utf-8"><title>troupe</title>
<style>body{font:14px sans-serif;margin:2em}td,th{padding:2px 12px;text-align:right}svg{background:#f4f4f4}</style>
<h1>troupe</h1><div id="t"></div><script>
const past = {};
const esc = x => String(x ?? "").replace(/[&<>"]/g, c => "&#" + c.charCodeAt(0) + ";");
function line(key, value) {
  const p = past[key] = (past[key] || []).concat(value).slice(-120), top = Math.max(1, ...p);
  const at = p.map((v, i) => i * 2 + "," + (30 - 28 * v / top)).join(" ");
  return `<svg width="240" height="32"><polyline fill="none" stroke="#36c" points="${at}"/></svg>`;
}
function table(title, keys, rows, key) {
  return `<h2>${title}</h2><table><tr>${keys.map(k => `<th>${k}</th>`).join("")}</tr>` + rows.map((r, i) => "<tr>" +
    keys.map(k => `<td>${esc(r[k])}</td>`).join("") + `<td>${line(title + i + r.name, r[key] || 0)}</td></tr>`).join("")
    + "</table>";
}
async function draw() {
  try {
    const s = await (await fetch("stats")).json(), list = x => Array.isArray(x) ? x : [];
    document.getElementById("t").innerHTML =
      table("pools", ["name", "alive", "busy", "pending", "done", "failed", "lost"], list(s.pools), "pending") +
      table("actors", ["name", "state", "handler", "mailbox", "memory", "restarts"], list(s.actors), "mailbox") +
      `<p>${esc(s.dead_letters)} dead letters</p>`;
  } catch (e) {}
  setTimeout(draw, 1000);
}
draw();
</script>
]]

-- Path -> content type, fn() -> body.
local pages = {
  ["/"] = { "text/html; charset=utf-8", function() return html end },
  ["/stats"] = { "application/json", function() return json.encode(state()) .. "\n" end },
  ["/metrics"] = { "text/plain; version=0.0.4; charset=utf-8", function() return metrics_of(state()) end },
}

-- ---- HTTP

-- Waits until the socket is ready; false after too long a silence.
local function ready(sock, how)
  local me = task.running()
  local seen = false
  local _ <close> = task.watch(sock, how, function()
    if not seen then
      seen = true
      task.notify(me, sock)
    end
  end)
  return task.wait(sock, SILENCE) ~= task.TIMEOUT
end

-- The head of a request; nil when it does not come.
local function read_head(sock)
  local head = ""
  while not head:find "\r?\n\r?\n" do
    if #head > LONGEST then return nil end
    local some, why, part = sock:receive(1024)
    some = some or part
    head = head .. some
    if some == "" and (why ~= "timeout" or not ready(sock, "r")) then return nil end
  end
  return head
end

local function write(sock, text)
  local at = 1
  while at <= #text do
    local last, why, reached = sock:send(text, at)
    at = (last or reached) + 1
    if not last and (why ~= "timeout" or not ready(sock, "w")) then return end
  end
end

-- Status and, for 200, content type and body.
local function answer(head)
  local method, path = head:match "^(%u+) ([^%s?]+)%S* HTTP/1%.[01]\r?\n"
  if not method then return "400 Bad Request" end
  if method ~= "GET" and method ~= "HEAD" then return "405 Method Not Allowed" end
  if not pages[path] then return "404 Not Found" end
  local ok, body = pcall(pages[path][2])
  if not ok then return "500 Internal Server Error", "text/plain", tostring(body) .. "\n" end
  return "200 OK", pages[path][1], body
end

local function serve(sock)
  sock:settimeout(0)
  local head = read_head(sock)
  if head then
    local status, kind, body = answer(head)
    body = body or status .. "\n"
    write(sock, ("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n%s\r\n"):format(status,
      kind or "text/plain", #body, status:find "^405" and "Allow: GET, HEAD\r\n" or "")
      .. (head:find "^HEAD " and "" or body))
  end
  sock:close()
end

-- ---- the actor

local Status = {}

function Status:init(port, host)
  local found, socket = pcall(require, "socket")
  if not found then error("http_status: lua-socket is needed, which is not there (Debian's lua-socket)", 0) end
  local number = math.tointeger(tonumber(port or 0))
  if not number or number < 0 or number > 65535 then
    error("http_status: port: integer from 0 to 65535 expected, got " .. tostring(port), 0)
  end
  local server, why = socket.bind(host or "127.0.0.1", number)
  if not server then error(("http_status: %s port %d: %s"):format(host or "127.0.0.1", number, why), 0) end
  server:settimeout(0)
  self.server = server
  self.watch = task.watch(server, "r", function()
    local sock = server:accept()
    if sock then task.spawn(serve, sock) else task.sleep(RECOVERY) end
  end)
end

--- call("address"): the host and the port that it listens on.
function Status:address()
  local host, port = assert(self.server:getsockname())
  return host, math.tointeger(tonumber(port))
end

function Status:terminate()
  if self.watch then self.watch:close() end
  if self.server then self.server:close() end
end

return Status
