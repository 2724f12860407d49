-- examples_c.lua - the examples in C, as built with the library, do what their heads say.

local socket = require "socket"
local t = require "harness"

local directory = os.getenv "top_builddir" .. "/examples/"

t.test("api_lua runs a rule for each number", function()
  local status, out, err = t.run { directory .. "api_lua", "return (...) + 100" }
  t.eq(err, "")
  t.eq(status, 0)
  local lines = {}
  for line in out:gmatch "%d+" do lines[#lines + 1] = tonumber(line) end
  table.sort(lines)
  t.deep(lines, { 101, 102, 103, 104, 105, 106, 107, 108, 109, 110 })
end)

t.test("api_lua says why a rule fails", function()
  local status, out, err = t.run { directory .. "api_lua", "error 'no rule'" }
  t.eq(out, "")
  t.match(err, "no rule")
  t.eq(status, 1)
end)

t.test("api_steps hears of each step", function()
  local status, out, err = t.run { directory .. "api_steps" }
  t.eq(err, "")
  t.eq(out, "1000: 500500\n2000: 2001000\n3000: 4501500\n")
  t.eq(status, 0)
end)

t.test("api_embed uses troupe from a Lua state of its own", function()
  local status, out, err = t.run { directory .. "api_embed" }
  t.eq(err, "")
  t.eq(out, "1 4 9 16\n")
  t.eq(status, 0)
end)

t.test("api_gzip compresses files, and names those it cannot read", function()
  local content = ("all work and no play\n"):rep(20000)
  local paths = { os.tmpname(), os.tmpname() }
  for _, path in ipairs(paths) do
    local file <close> = assert(io.open(path, "w"))
    file:write(content)
  end
  local status, out, err = t.run { directory .. "api_gzip", paths[1], "/nowhere/missing", paths[2] }
  t.eq(err, "")
  t.match(out, "/nowhere/missing: failed\n")
  t.eq(status, 1)
  for _, path in ipairs(paths) do
    t.eq(out:find(path .. ": compressed\n", 1, true) ~= nil, true)
    local _, back = t.run { "gzip", "-dc", path .. ".gz" }
    t.eq(back == content, true)
    os.remove(path)
    os.remove(path .. ".gz")
  end
end)

local function ask(port, line)
  local client = assert(socket.connect("127.0.0.1", port))
  client:settimeout(60)
  client:send(line)
  return client
end

t.test("api_server stops the work of clients that leave, unless it outlives them", function()
  local server <close> = assert(io.popen("exec timeout 100 '" .. directory .. "api_server'"))
  local port = tonumber(server:read "l":match "^port (%d+)$")
  local counting = ask(port, "count 3\n")
  t.eq(counting:receive "*a", "1 squared is 1\n2 squared is 4\n3 squared is 9\n")
  counting:close()
  t.eq(server:read "l", "count: all")
  local leaving = ask(port, "count 2000000000\n")
  t.eq(leaving:receive "*l", "1 squared is 1")
  leaving:close()
  t.eq(server:read "l", "count: a part")
  local logging = ask(port, "log 5000\n")
  t.eq(logging:receive "*l", "1 squared is 1")
  logging:close()
  t.eq(server:read "l", "log: all")
  ask(port, "quit\n"):close()
  t.eq(server:read "a", "")
end)

t.finish()
