-- cli_map.lua - `troupe map`: workers of each kind, results as lines, failures, options, exit statuses.

local t = require "harness"

local map = function(words, input) return t.troupe({ "map", table.unpack(words) }, input) end

-- A file that is gone when the body ends.
local function with_file(text, body)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  local ok, err = pcall(body, path)
  os.remove(path)
  if not ok then error(err, 0) end
end

local function seq(n)
  local lines = {}
  for i = 1, n do lines[i] = tostring(i) end
  return table.concat(lines, "\n") .. "\n"
end

local function check(words, input, status, out, err)
  local s, o, e = map(words, input)
  t.eq(o, out)
  if err then t.match(e, err) else t.eq(e, "") end
  t.eq(s, status)
end

t.test("code gets the item as ... and what it returns is a line", function()
  check({ "-e", "return (...) * 2", "1", "2", "3" }, nil, 0, "2\n4\n6\n")
end)

t.test("a file that returns a function is a worker", function()
  with_file("return function(item) return item .. '!' end", function(path)
    check({ path, "a", "-b" }, nil, 0, "a!\n-b!\n")
  end)
end)

t.test("a function of a module is a worker", function()
  check({ "string:upper", "abc" }, nil, 0, "ABC\n")
end)

t.test("a table that can be called is a worker", function()
  with_file("return setmetatable({}, { __call = function(_, item) return #item end })", function(path)
    check({ path, "four" }, nil, 0, "4\n")
  end)
end)

t.test("options end at the worker, or at two dashes", function()
  check({ "-e", "return ...", "--", "-p", "--json" }, nil, 0, "-p\n--json\n")
  check({ "string:len", "--json" }, nil, 0, "6\n")
end)

t.test("short options may stand together with their values", function()
  check({ "-0j2", "-ereturn #..." }, "a\0bc\0", 0, "1\n2\n")
  check({ "--chunk=3", "-j", "1", "-e", "return ..." }, "a\nb\n", 0, "a\nb\n")
end)

t.test("several results have tabs between them, nil is nothing, none is an empty line", function()
  check({ "-e", "return 1, nil, true, 1.5, 'x'", "i" }, nil, 0, "1\t\ttrue\t1.5\tx\n")
  check({ "-e", "return", "i" }, nil, 0, "\n")
  check({ "-e", "return nil", "i" }, nil, 0, "\n")
  check({ "-e", "return math.mininteger, math.maxinteger, 2^53, 1/0", "i" }, nil, 0,
    "-9223372036854775808\t9223372036854775807\t9.007199254741e+15\tinf\n")
end)

t.test("a table is a line of JSON, one with __tostring what that says", function()
  check({ "-e", "return { 1, { b = 'x\\n', a = 2.0 }, {} }", "i" }, nil, 0, '[1,{"a":2.0,"b":"x\\n"},{}]\n')
  check({ "-e", "return setmetatable({}, { __tostring = function() return 'me' end })", "i" }, nil, 0, "me\n")
end)

t.test("results may hold any bytes", function()
  check({ "-e", "return '\\0\\255' .. ...", "\xfe" }, nil, 0, "\0\255\254\n")
end)

t.test("a failed item goes to standard error with name and traceback, the others are done", function()
  local status, out, err = map { "-e", "if ... == 'b' then error 'no b' end return ...", "a", "b", "c" }
  t.eq(status, 1)
  t.eq(out, "a\nc\n")
  t.match(err, "^troupe map: item 'b': %(command line%):1: no b\nstack traceback:\n")
  t.match(err, "%(command line%):1: in main chunk\n$")
  t.ok(not err:find "troupe/cli", "frames of the command line's own")
end)

t.test("error values that are no strings are told", function()
  check({ "-e", "error({})", "a" }, nil, 1, "", "item 'a': %(error object is a table value%)\n")
  check({ "-e", "error(setmetatable({}, { __tostring = function() return 'sour' end }))", "a" }, nil, 1, "",
    "item 'a': sour\n")
  check({ "-e", "error()", "a" }, nil, 1, "", "item 'a': %(error object is a nil value%)\n")
end)

t.test("a result that has no text fails its item", function()
  check({ "-e", "return ... == 'f' and io.stdout or ...", "e", "f", "g" }, nil, 1, "e\ng\n",
    "^troupe map: item 'f': result 1 is a userdata %(FILE%*%), which has no text\n$")
  check({ "-e", "return 1, function() end", "a" }, nil, 1, "", "result 2 is a function, which has no text")
  check({ "-e", "local t = {} t.me = t return t", "a" }, nil, 1, "", "result 1%.me contains itself")
  check({ "-e", "return { f = print }", "a" }, nil, 1, "", "result 1%.f is a function")
end)

t.test("a __tostring that raises fails its item", function()
  check({ "-e", "return setmetatable({}, { __tostring = function() error({}) end })", "a" }, nil, 1, "",
    "item 'a': %(error object is a table value%)")
end)

t.test("an item's name in a message is one line, not too long", function()
  check({ "-e", "error('x', 0)", "a\nb" }, nil, 1, "", "item 'a\\x0Ab': x\n")
  check({ "-e", "error('x', 0)", ("y"):rep(1000) }, nil, 1, "", "item '" .. ("y"):rep(200) .. "%.%.%.': x\n")
end)

t.test("a lack of memory in one item does not end the others", function()
  check({ "-e", "return ... == '2' and #(('x'):rep(1 << 62)) or ...", "1", "2", "3" }, nil, 1, "1\n3\n", "item '2': ")
end)

t.test("results come in the order of the items", function()
  local code = "local n = 0 for i = 1, ... % 7 * 20000 do n = n + i end return ..."
  check({ "-j", "3", "--chunk", "1", "-e", code }, seq(200), 0, seq(200))
end)

t.test("items that turn out slower than those before them are handed round again, in order", function()
  local lines = {}
  for i = 1, 20000 do lines[i] = i % 100 == 99 and i > 10000 and "slow " .. i or tostring(i) end
  local text = table.concat(lines, "\n") .. "\n"
  local code = ("if (...):find 'slow' then local n = 0 for i = 1, %d do n = n + i end end return ..."):format(
    500000 // t.slowdown)
  check({ "-j2", "-e", code }, text, 0, text)
  local status, out = map({ "-j2", "--unordered", "-e", code }, text)
  t.eq(status, 0)
  t.eq(#out, #text)
end)

t.test("unordered, an early item does not hold up the later ones", function()
  -- The first item ends when the last one was printed, which it can see.
  with_file("", function(path)
    local code = ([[
      local path = %q
      if ... == "1" then
        repeat local f <close> = io.open(path) until f:read "a" == "go"
      end
      return ...]]):format(path)
    local shell = [["$TROUPE" map -j 2 --unordered --chunk 1 -e "$0" 1 2 3 | while read -r line; do
      echo "$line"; [ "$line" != 3 ] || printf go >"$1"; done]]
    local status, out = t.run { "sh", "-c", shell, code, path }
    t.eq(status, 0)
    t.eq(out, "2\n3\n1\n")
  end)
end)

t.test("as many workers as asked for work at the same time", function()
  -- Each of three items waits until all three have begun.
  with_file("", function(path)
    local code = ([[
      local path = %q
      local f = io.open(path, "a") f:write "." f:close()
      repeat local g <close> = io.open(path) until #g:read "a" >= 3
      return ...]]):format(path)
    check({ "-j3", "-e", code, "a", "b", "c" }, nil, 0, "a\nb\nc\n")
  end)
end)

t.test("a worker keeps its globals from item to item", function()
  check({ "-j1", "-e", "n = (n or 0) + 1 return n", "a", "b", "c" }, nil, 0, "1\n2\n3\n")
end)

t.test("items may use the library themselves", function()
  local code = "pool = pool or require 'troupe'.pool{ workers = 1 } "
    .. "return pool:submit(function(x) return x .. x end, (...)):await()"
  check({ "-j1", "-e", code, "a", "b" }, nil, 0, "aa\nbb\n")
end)

t.test("retries call again until one call succeeds, then tell of the last", function()
  local code = "n = (n or 0) + 1 if n < 3 then error('call ' .. n, 0) end return n"
  check({ "-j1", "--retries", "2", "-e", code, "a" }, nil, 0, "3\n")
  check({ "-j1", "--retries", "1", "-e", code, "a" }, nil, 1, "", "item 'a': call 2\n")
  check({ "-j1", "--retries", "0", "-e", code, "a" }, nil, 1, "", "item 'a': call 1\n")
end)

t.test("JSON: an object for each item", function()
  local status, out, err = map({ "--json", "-j1", "-e", "if ... == 'bad' then error('so\tbad', 0) end return ..., 1" },
    'x"\\\nbad\n\xff\xc3\xa4\x01\n')
  t.eq(status, 1)
  t.match(err, "^troupe map: item 'bad': so\tbad\n")
  local lines = {}
  for line in out:gmatch "[^\n]+" do lines[#lines + 1] = line:gsub('"seconds":%d+%.%d+}$', "S") end
  t.deep(lines, {
    '{"item":"x\\"\\\\","ok":true,"result":["x\\"\\\\",1],S',
    '{"item":"bad","ok":false,"result":null,"error":"so\\tbad",S',
    '{"item":"\\udcff\xc3\xa4\\u0001","ok":true,"result":["\\udcff\xc3\xa4\\u0001",1],S',
  })
end)

t.test("JSON: results of each kind", function()
  local function result(code, expected)
    local status, out = map { "--json", "-e", code, "i" }
    t.match(out, '"result":' .. expected:gsub("%p", "%%%0") .. ',"seconds":', code)
    t.eq(status, 0)
  end
  result("return", "null")
  result("return nil, false", "[null,false]")
  result("return 1, -2.5, 0.1, 1e300, 3.0", "[1,-2.5,0.1,1e+300,3.0]")
  result("return 0/0, -1/0", "[null,null]")
  result("return { x = { 1, 2 }, [5] = 'y' }", '{"5":"y","x":[1,2]}')
  result("return 2^53 + 0.5, 5e-324", "[9007199254740992.0,4.94065645841247e-324]")
end)

t.test("reduce folds the results in order and prints the last value", function()
  with_file("return function(text, a, b) return (text or '') .. a .. (b or '-') end", function(path)
    check({ "--reduce", path, "-e", "return ..., ... == '2' and 'x' or nil", "1", "2", "3" }, nil, 0, "1-2x3-\n")
    check({ "--reduce", path, "-e", "if ... == '2' then error 'two' end return ...", "1", "2", "3" }, nil, 1, "1-3-\n",
      "^troupe map: item '2': %(command line%):1: two\nstack traceback:")
    check({ "--reduce", path, "-e", "return ... == '2' and coroutine.create(print) or ...", "1", "2", "3" }, nil, 1,
      "1-3-\n", "item '2': .*thread")
    check({ "--reduce", path, "-e", "return ..." }, "", 0, "")
  end)
  with_file("return function(sum, n) return (sum or 0) + n end", function(path)
    check({ "--reduce", path, "-e", "return math.tointeger(...)" }, seq(20000), 0, "200010000\n")
  end)
  with_file("return function(all, n) all = all or {} all[#all + 1] = n return all end", function(path)
    check({ "--reduce", path, "--json", "-e", "return (...)", "a", "b" }, nil, 0, '["a","b"]\n')
  end)
end)

t.test("reduce that raises ends with its message", function()
  with_file("return function() error 'no sum' end", function(path)
    check({ "--reduce", path, "-e", "return 1", "a", "b" }, nil, 1, "", "^troupe map: %-%-reduce: .*no sum\nstack")
  end)
end)

t.test("what cannot be loaded is said once, in two lines at most, with status 2", function()
  local function misuse(words, pattern)
    local status, out, err = map(words, seq(100))
    t.match(err, pattern)
    t.ok(select(2, err:gsub("\n", "\n")) <= 2, err)
    t.eq(out, "")
    t.eq(status, 2)
  end
  misuse({ "-e", "return return" }, "^troupe map: %(command line%):1: unexpected symbol near 'return'\n$")
  misuse({ "/no/such.lua" }, "^troupe map: cannot open /no/such%.lua")
  misuse({ "no.such:thing" }, "^troupe map: module 'no%.such' is not found\npackage%.path of the worker: .*%?%.lua")
  misuse({ "string:nothing" }, "'nothing' of module 'string' is a nil, not a function")
  misuse({ "--reduce", "/no/fold.lua", "-e", "return 1" }, "cannot open /no/fold%.lua")
  with_file("error 'at load'", function(path)
    misuse({ path }, "^troupe map: while loading " .. path .. ": " .. path .. ":1: at load\n$")
    misuse({ "--reduce", path, "-e", "return 1" }, "while loading .*: at load\n")
  end)
  with_file("return 5", function(path)
    misuse({ path }, "what .* returns is a number, not a function\n$")
    misuse({ "--reduce", path, "-e", "return 1" }, "what .* returns is a number, not a function\n")
  end)
  with_file("return function( end", function(path) misuse({ path }, path .. ":1: ") end)
end)

t.test("a call that takes longer than --timeout fails, and the others are done", function()
  local loops = {
    "while true do end", "pcall(function() while true do end end)", "require 'troupe'.task.sleep(1000)",
    "coroutine.wrap(function() while true do pcall(string.rep, 'x', 10) end end)()", "io.popen('sleep 2'):read 'a'",
  }
  for _, loop in ipairs(loops) do
    check({ "--timeout", "0.1", "-e", "if ... == 'b' then " .. loop .. " end return ...", "a", "b", "c" }, nil, 1,
      "a\nc\n", "^troupe map: item 'b': timeout\nstack traceback:\n.*in main chunk\n$")
  end
end)

t.test("each try has the whole --timeout", function()
  check({ "--timeout", "0.1", "--retries", "2", "-e", "io.stdout:write 'try ' io.flush() while true do end", "a" }, nil,
    1, "try try try ", "^troupe map: item 'a': timeout\nstack traceback:\n[^\n]*in main chunk\n$")
end)

t.test("--timeout leaves errors, their places and what is folded as they are", function()
  check({ "--timeout", "60", "-e", "local function deep() error 'boo' end deep()", "a" }, nil, 1, "",
    "^troupe map: item 'a': [^\n]*: boo\nstack traceback:\n[^\n]*'error'\n[^\n]*'deep'\n[^\n]*in main chunk\n$")
  with_file("return function(sum, n) return (sum or 0) + n end", function(path)
    check({ "--timeout", "0.1", "--reduce", path, "-e", "if ... == '2' then while true do end end return tonumber(...)",
      "1", "2", "3" }, nil, 1, "4\n", "^troupe map: item '2': timeout\nstack traceback:\n[^\n]*in main chunk\n$")
  end)
end)

t.test("misuse is told with a hint, with status 2", function()
  local function misuse(words, pattern)
    local status, out, err = map(words)
    t.match(err, "^troupe map: " .. pattern .. "\nTry 'troupe help map'%.\n$")
    t.eq(out, "")
    t.eq(status, 2)
  end
  misuse({}, "a worker is missing.*")
  misuse({ "--frobnicate", "-e", "" }, "unknown option '%-%-frobnicate'")
  misuse({ "-x" }, "unknown option '%-x'")
  misuse({ "-e" }, "option '%-e' needs a value")
  misuse({ "-j", "many", "-e", "" }, "option '%-j': an integer expected, got 'many'")
  misuse({ "--chunk", "0", "-e", "" }, "option '%-%-chunk': an integer of at least 1 expected, got '0'")
  misuse({ "--retries=-1", "-e", "" }, "option '%-%-retries': an integer of at least 0 expected, got '%-1'")
  misuse({ "--json=yes", "-e", "" }, "option '%-%-json' takes no value")
  misuse({ "--timeout", "0", "-e", "" }, "option '%-%-timeout': a number of seconds above 0 expected, got '0'")
  misuse({ "--timeout", "soon", "-e", "" }, "option '%-%-timeout': a number of seconds above 0 expected, got 'soon'")
end)

t.test("workers may be processes, and one that dies costs its call", function()
  check({ "--process", "-j2", "-e", "return (...) * 2", "1", "2", "3" }, nil, 0, "2\n4\n6\n")
  check({ "--process", "-j1", "--chunk=1", "-e", "if ... == 'b' then os.exit(9) end return ...", "a", "b", "c" }, nil,
    1, "a\nc\n", "exit status 9")
end)

t.test("output that cannot be written is said, with status 1", function()
  local status, _, err = t.run { "sh", "-c", [[exec "$TROUPE" map -e 'return 1' a b >/dev/full]] }
  t.match(err, "^troupe map: .*No space left on device\n$")
  t.eq(status, 1)
end)

t.test("no byte of progress when standard error is no terminal", function()
  check({ "-p", "-e", "return ..." }, seq(1000), 0, seq(1000))
end)

t.finish()
