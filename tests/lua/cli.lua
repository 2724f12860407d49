-- cli.lua - the troupe program beside map: run, help, version, misuse.

local t = require "harness"

local troupe = require "troupe"

local function with_script(text, body)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  local ok, err = pcall(body, path)
  os.remove(path)
  if not ok then error(err, 0) end
end

local function run(text, words, input)
  local status, out, err
  with_script(text, function(path)
    status, out, err = t.troupe({ "run", path, table.unpack(words or {}) }, input)
    err = err:gsub(path:gsub("%p", "%%%0"), "SCRIPT")
  end)
  return status, out, err
end

t.test("run: a script gets its arguments in ... and arg, as from lua5.4", function()
  local status, out, err = run([[
    print(select("#", ...), ...)
    print(#arg, arg[1], arg[2], arg[0]:match "^/" ~= nil, arg[-1], arg[-2])]], { "one", "-e" })
  t.eq(err, "")
  t.eq(out, "2\tone\t-e\n2\tone\t-e\ttrue\trun\ttroupe\n")
  t.eq(status, 0)
end)

t.test("run: the library is at hand, and its pools end with the script", function()
  local status, out = run [[
    local troupe = require "troupe"
    local pool = troupe.pool { workers = 2 }
    print(pool:submit(function(a, b) return a + b end, 1, 2):await())
    print(require "llthreads".new "return 7":start():join())
    pool:submit(function() while true do end end)]]
  t.eq(out, "3\ntrue\t7\n")
  t.eq(status, 0)
end)

t.test("run: standard input is the script's, or the script", function()
  local _, out = run([[print(io.read "n" * 2)]], {}, "21\n")
  t.eq(out, "42\n")
  t.eq(select(2, t.troupe({ "run", "-", "a" }, "print('from input', ...)")), "from input\ta\n")
end)

t.test("run: a first line for the shell is skipped", function()
  t.eq(select(2, run "#!/usr/bin/env -S troupe run\nprint 'ran'"), "ran\n")
end)

t.test("run: an error is told with its traceback, and the status is 1", function()
  local status, out, err = run "local function f() error 'no' end\nprint 'first'\nf()\nprint 'never'"
  t.eq(out, "first\n")
  t.eq(err, "troupe: SCRIPT:1: no\nstack traceback:\n\t[C]: in function 'error'\n\tSCRIPT:1: in local 'f'\n"
    .. "\tSCRIPT:3: in main chunk\n\t[C]: in ?\n")
  t.eq(status, 1)
end)

t.test("run: error values that are no strings are told", function()
  t.match(select(3, run "error {}"), "^troupe: %(error object is a table value%)\nstack")
  t.eq(select(3, run "error(setmetatable({}, { __tostring = function() return 'sour' end }))"), "troupe: sour\n")
  t.match(select(3, run "error()"), "^troupe: %(error object is a nil value%)\n")
end)

t.test("run: os.exit gives the status", function()
  t.eq(run "os.exit(7)", 7)
  t.eq(run "os.exit(false)", 1)
  t.eq(run "local p = require 'troupe'.pool{} p:submit(function() while true do end end) os.exit(3, true)", 3)
end)

t.test("run: a script that is missing or wrong is told in a line", function()
  local status, out, err = t.troupe { "run", "/no/such.lua" }
  t.match(err, "^troupe: cannot open /no/such%.lua[^\n]*\n$")
  t.eq(status .. out, "1")
  status, out, err = run "return return"
  t.eq(err, "troupe: SCRIPT:1: unexpected symbol near 'return'\n")
  t.eq(status .. out, "1")
end)

t.test("version takes no arguments", function()
  local status, out, err = t.troupe { "version", "extra" }
  t.eq(out, "")
  t.match(err, "^troupe version: no arguments expected\n")
  t.eq(status, 2)
end)

-- The program with so many descriptors at most, whatever the tests were started with.
local limited = [[import os, resource, sys
os.closerange(3, 1024)
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[1])))
os.execv(sys.argv[2], sys.argv[2:])]]

t.test("too few descriptors are told in a line", function()
  local refused, done = 0, 0
  for limit = 6, 24 do
    local status, out, err = t.run { os.getenv "PYTHON", "-c", limited, limit, os.getenv "TROUPE", "map", "-e",
      "return ...", "a" }
    if status == 0 then
      done = done + 1
      t.eq(out, "a\n")
      t.eq(err, "")
    else
      refused = refused + 1
      t.eq(status, 1)
      t.eq(out, "")
      t.match(err, "^troupe map: [^\n]*no more [^\n]*ulimit %-n[^\n]*\n$")
    end
  end
  t.eq(refused > 0, true)
  t.eq(done > 0, true)
end)

t.test("version names troupe, Lua and libzmq", function()
  for _, word in ipairs { "version", "--version", "-V" } do
    local status, out, err = t.troupe { word }
    t.match(out, "^troupe " .. troupe._VERSION:gsub("%.", "%%.") .. "\nLua 5%.4%.%d+\nlibzmq 4%.%d+%.%d+\n$")
    t.eq(status .. err, "0")
  end
end)

t.test("help lists the commands, and has a page for each", function()
  local status, all = t.troupe { "help" }
  t.eq(status, 0)
  for command in all:gmatch "\n    troupe (%a+)" do
    local page
    status, page = t.troupe { "help", command }
    t.match(page, "^troupe " .. command)
    t.eq(status, 0)
    t.eq(select(2, t.troupe { command, "--help" }), page)
  end
  t.eq(select(2, t.troupe { "--help" }), all)
  t.match(all, "troupe map .*troupe run ")
end)

t.test("help names every option that map takes", function()
  local _, page = t.troupe { "help", "map" }
  for _, option in ipairs { "-e CODE", "-j N", "-0", "-p", "--unordered", "--chunk N", "--retries N", "--json",
    "--reduce FILE" } do
    t.ok(page:find("\n    " .. option .. " ", 1, true), option)
  end
end)

t.test("misuse is told with a hint, with status 2", function()
  local function misuse(words, expected)
    local status, out, err = t.troupe(words)
    t.eq(err, expected)
    t.eq(status .. out, "2")
  end
  misuse({}, "troupe: a command is missing\nTry 'troupe help'.\n")
  misuse({ "frobnicate" }, "troupe: unknown command 'frobnicate'\nTry 'troupe help'.\n")
  misuse({ "help", "frobnicate" }, "troupe help: there is no command 'frobnicate'\nTry 'troupe help'.\n")
  misuse({ "run" }, "troupe: run: a script is missing\nTry 'troupe help run'.\n")
  misuse({ "run", "-x" }, "troupe: run: unknown option '-x'\nTry 'troupe help run'.\n")
end)

t.test("without its parts in Lua the program says where it looked", function()
  local status, out, err = t.run { "sh", "-c", [[
    d=$(mktemp -d) && cp "$TROUPE" "$d/troupe" && cd "$d" && LUA_PATH=/no/where/?.lua ./troupe version
    status=$?; rm -rf "$d"; exit $status]] }
  if err == "" then -- the same version is installed on this machine, where the program finds it
    t.match(out, "^troupe ")
  else
    t.match(err, "^troupe: the parts in Lua are nowhere; .*\n    /no/where/%?%.lua\n.*/%.%./share/lua/5%.4/%?%.lua;")
    t.eq(status .. out, "1")
  end
end)

t.test("the program finds its parts in Lua beside itself", function()
  local status, out = t.run { "sh", "-c", [[
    d=$(mktemp -d) && mkdir -p "$d/bin" "$d/share/lua" && ln -s "$top_srcdir/lua" "$d/share/lua/5.4" &&
    cp "$TROUPE" "$d/bin" && unset LUA_PATH && "$d/bin/troupe" map -e 'return ... .. "!"' found
    status=$?; rm -rf "$d"; exit $status]] }
  t.eq(out, "found!\n")
  t.eq(status, 0)
end)

t.finish()
