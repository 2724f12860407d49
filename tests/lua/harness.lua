-- harness.lua - what a Lua test file needs: named tests, comparisons, scripts run apart, output as TAP.
--
-- 1. A test runs at once where it is written; an error fails it and the file goes on.
-- 2. Every file ends with finish(), which prints the plan: a file that stops early has no plan and fails.
-- 3. The deadline of the file is the runner's (tests/run-test); a script has one of its own.

local io, os, string, table = io, os, string, table
local error, getmetatable, ipairs, next, pcall, tonumber, tostring, type, xpcall =
  error, getmetatable, ipairs, next, pcall, tonumber, tostring, type, xpcall
local rawequal, rawget = rawequal, rawget
local arg, assert, require, traceback, mathtype = arg, assert, require, debug.traceback, math.type

local M = {}

local count, failed = 0, 0

-- A value as text for a message: strings quoted, everything on one line.
local function show(value)
  if type(value) ~= "string" then return tostring(value) end
  if #value > 300 then value = value:sub(1, 300) .. "..." end
  return (string.format("%q", value):gsub("\\\n", "\\n"))
end

-- Fails the running test; level counts from the caller of the function that calls this.
local function fail(message, text, level)
  if message ~= nil then text = tostring(message) .. ": " .. text end
  error(text, (level or 1) + 2)
end

local function comment(text)
  io.write("# ", (text:gsub("\n", "\n# ")), "\n")
end

--- Runs body as the test called name.
function M.test(name, body)
  count = count + 1
  local ok, why = xpcall(body, function(e)
    return traceback(type(e) == "string" and e or show(e), 2)
  end)
  io.write(ok and "ok " or "not ok ", count, " - ", (name:gsub("[#\n]", " ")), "\n")
  if not ok then
    failed = failed + 1
    comment(why)
  end
  io.flush()
end

--- Fails unless a and b are equal: the same value, and for numbers also the same subtype. NaN equals itself.
function M.eq(a, b, message)
  if a ~= a and b ~= b then return end
  if a ~= b or mathtype(a) ~= mathtype(b) then
    fail(message, "got " .. show(a) .. ", expected " .. show(b))
  end
end

--- Fails unless v is true.
function M.ok(v, message)
  if not v then fail(message, "got " .. show(v) .. ", expected a true value") end
  return v
end

--- Fails unless the string matches the Lua pattern.
function M.match(s, pattern, message)
  if type(s) ~= "string" or not s:find(pattern) then
    fail(message, "got " .. show(s) .. ", expected a match of " .. show(pattern))
  end
end

--- Fails unless fn(...) raises an error that matches the pattern (its tostring does, if it is no string).
function M.raises(pattern, fn, ...)
  local ok, e = pcall(fn, ...)
  if ok then fail(nil, "raised nothing, expected an error that matches " .. show(pattern)) end
  if not tostring(e):find(pattern) then
    fail(nil, "raised " .. show(e) .. ", expected an error that matches " .. show(pattern))
  end
  return e
end

-- The path of the first difference, or nil. seen pairs tables of a with those of b, so that cycles end and
-- sharing must agree. Keys that are tables themselves are looked up as they are.
local function difference(a, b, path, seen)
  if type(a) ~= "table" or type(b) ~= "table" then
    if (a ~= a and b ~= b) or (rawequal(a, b) and mathtype(a) == mathtype(b)) then return nil end
    return path .. ": got " .. show(a) .. ", expected " .. show(b)
  end
  if seen[a] ~= nil or seen[b] ~= nil then
    if seen[a] == b and seen[b] == a then return nil end
    return path .. ": the two share their tables differently"
  end
  seen[a], seen[b] = b, a
  if getmetatable(a) ~= getmetatable(b) then return path .. ": the metatables differ" end
  for k, v in next, a do
    local found = difference(v, rawget(b, k), path .. "[" .. show(k) .. "]", seen)
    if found then return found end
  end
  for k, v in next, b do
    if rawget(a, k) == nil then return path .. "[" .. show(k) .. "]: got nil, expected " .. show(v) end
  end
  return nil
end

--- Fails unless a and b are equal to the last table, metatables included; tells where they differ first.
function M.deep(a, b, message)
  local found = difference(a, b, "value", {})
  if found then fail(message, found) end
end

local function quote(word)
  return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end

local function contents(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

--- The interpreter that runs this file: the first word of the command line.
function M.interpreter()
  local first = 0
  while arg[first - 1] do first = first - 1 end
  return arg[first]
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

--- Runs a command, a list of words, in a process of its own: input (a string; default nothing) on its
-- standard input, killed after script_deadline seconds.
-- Returns its exit status (a signal's number plus 128 if one ended it; 124 for the deadline), what it wrote
-- to standard output, and what it wrote to standard error.
function M.run(words, input)
  local base = os.tmpname()
  local from, out, err = base .. ".in", base .. ".out", base .. ".err"
  write(from, input or "")
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = quote(word) end
  local _, how, status = os.execute(string.format("exec timeout -k 10 %d %s <%s >%s 2>%s",
    M.script_deadline, table.concat(quoted, " "), quote(from), quote(out), quote(err)))
  if how == "signal" then status = status + 128 end
  local stdout, stderr = contents(out), contents(err)
  for _, path in ipairs { base, from, out, err } do os.remove(path) end
  return status, stdout, stderr
end

--- Runs a chunk of code, with the arguments in `arg` and `...`, as `run` does: by the same interpreter as
-- this file, with the same module paths.
function M.script(code, ...)
  local base = os.tmpname()
  local source = base .. ".lua"
  write(source, code)
  local status, stdout, stderr = M.run { M.interpreter(), source, ... }
  os.remove(source)
  os.remove(base)
  return status, stdout, stderr
end

--- Runs the troupe program of this build with the arguments, as `run` does.
function M.troupe(words, input)
  return M.run({ assert(os.getenv "TROUPE", "TROUPE names no program"), table.unpack(words) }, input)
end

local slowdown = math.tointeger(tonumber(os.getenv("TEST_SLOWDOWN") or "1")) or 1

-- Seconds a script may take: what only a hang can miss, not a machine that has other things to do.
M.script_deadline = 300 * slowdown

-- How many times slower than a plain build this one runs: tests that repeat something may divide by it.
M.slowdown = slowdown

--- What scripts of the shell begin with that wait: `await COMMAND...` runs the command until it succeeds, `see FILE
-- TEXT` waits until the file holds the text. After a deadline that only a hang can miss they end the script, and say
-- for what they waited.
M.awaiting = ([[
  turns=0
  await() {
    until "$@" >/dev/null 2>&1; do
      turns=$((turns + 1))
      [ $turns -lt %d ] || { echo "never came: $*" >&2; exit 98; }
      sleep 0.01
    done
  }
  see() { await grep -q -- "$2" "$1"; }
]]):format(10000 * slowdown)

--- How the workers of pools run that say nothing of it: "thread" or "process" (tests/lua/isolations.lua).
M.isolation = os.getenv("TEST_ISOLATION") or "thread"

-- From now on a pool of this file's own vm has that isolation unless it names another.
local function isolate()
  local troupe = require("troupe")
  local new = require("troupe.pool")
  troupe.pool = function(opts)
    if type(opts) ~= "table" or opts.isolation ~= nil then return new(opts) end
    local isolated = { isolation = M.isolation }
    for key, value in next, opts do isolated[key] = value end
    return new(isolated)
  end
end

if M.isolation ~= "thread" then isolate() end

--- Ends the file: prints the plan and exits, with status 1 if a test failed.
function M.finish()
  io.write("1..", count, "\n")
  io.flush()
  os.exit(failed == 0, true)
end

return M
