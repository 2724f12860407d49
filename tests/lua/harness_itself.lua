-- The harness itself: a test tool that passes everything would make every other test worthless.

local t = require "harness"

-- Runs a test file in a process of its own and returns its status and output.
local function run(body)
  return t.script("local t = require 'harness'\n" .. body .. "\nt.finish()")
end

t.test("a file of passing tests exits with 0 and prints its plan", function()
  local status, out = run "t.test('one', function() end) t.test('two', function() end)"
  t.eq(status, 0)
  t.eq(out, "ok 1 - one\nok 2 - two\n1..2\n")
end)

t.test("a failing test is reported with its place and the file goes on", function()
  local status, out = run "t.test('bad', function() t.eq(1, 2, 'sum') end) t.test('good', function() end)"
  t.eq(status, 1)
  t.match(out, "^not ok 1 %- bad\n# [^\n]*:2: sum: got 1, expected 2\n")
  t.match(out, "\nok 2 %- good\n1%.%.2\n$")
end)

t.test("a file that dies prints no plan and fails", function()
  local status, out = run "t.test('one', function() end) error 'dead'"
  t.eq(status, 1)
  t.ok(not out:find "1%.%.")
end)

t.test("a test fails with an error object that is no string", function()
  local status, out = run "t.test('bad', function() error { } end)"
  t.eq(status, 1)
  t.match(out, "^not ok 1 %- bad\n# table: ")
end)

t.test("eq tells integers from floats and takes NaN as equal to itself", function()
  t.eq(0 / 0, 0 / 0)
  t.raises("got 1, expected 1%.0", t.eq, 1, 1.0)
  t.raises("got nil, expected false", t.eq, nil, false)
end)

t.test("ok, match and raises fail when they should", function()
  t.raises("expected a true value", t.ok, false)
  t.raises("expected a match of \"b\"", t.match, "a", "b")
  t.raises("expected a match", t.match, nil, "b")
  t.raises("raised nothing", t.raises, "x", function() end)
  t.raises("raised \"y\"", t.raises, "x", function() error("y", 0) end)
end)

t.test("deep finds the first difference, whichever side has more", function()
  t.deep({ 1, { a = { 2 } } }, { 1, { a = { 2 } } })
  t.raises("value%[2%]%[\"a\"%]%[1%]: got 2, expected 3", t.deep, { 1, { a = { 2 } } }, { 1, { a = { 3 } } })
  t.raises("value%[2%]: got nil, expected 5", t.deep, { 1 }, { 1, 5 })
  t.raises("value%[2%]: got 5, expected nil", t.deep, { 1, 5 }, { 1 })
  t.raises("metatables differ", t.deep, setmetatable({}, {}), {})
end)

t.test("deep follows cycles and compares sharing", function()
  local a, b, shared = {}, {}, {}
  a.self, b.self = a, b
  t.deep(a, b)
  t.raises("share their tables differently", t.deep, { shared, shared }, { {}, {} })
end)

t.test("a script gets its arguments, and its three outcomes come back", function()
  local code = "io.write(arg[1], '|', select(2, ...)) io.stderr:write 'e' os.exit(7)"
  local status, out, err = t.script(code, "it's", "b c")
  t.eq(status, 7)
  t.eq(out, "it's|b c")
  t.eq(err, "e")
end)

t.test("a command gets its words unchanged and its input to the last byte", function()
  local status, out = t.run({ "sh", "-c", "echo \"$1\"; cat", "sh", "a 'b' $c\nd" }, "in\0put")
  t.eq(status, 0)
  t.eq(out, "a 'b' $c\nd\nin\0put")
end)

t.test("a command ended by a signal says which", function()
  t.eq(t.run { "sh", "-c", "kill -TERM $$" }, 128 + 15)
end)

t.test("a script that fails to compile exits with 1 and says why", function()
  local status, _, err = t.script("= nonsense")
  t.eq(status, 1)
  t.match(err, "unexpected symbol")
end)

t.test("a script past its deadline is ended", function()
  local saved = t.script_deadline
  t.script_deadline = 1
  local status = t.script("while true do end")
  t.script_deadline = saved
  t.eq(status, 124)
end)

t.test("a script sees the modules of this build and not the caller's standard input", function()
  local status, out = t.script("io.write(package.path, '\\n', package.cpath, '\\n', tostring(io.read()))")
  t.eq(status, 0)
  t.eq(out, package.path .. "\n" .. package.cpath .. "\nnil")
end)

t.finish()
