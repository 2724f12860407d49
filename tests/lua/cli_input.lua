-- cli_input.lua - what `troupe map` reads: lines and NULs, long and many, late and endless.

local t = require "harness"

local MANY = 100000 // t.slowdown

local function check(words, input, out)
  local status, stdout, stderr = t.troupe({ "map", table.unpack(words) }, input)
  t.eq(stderr, "")
  t.eq(stdout, out)
  t.eq(status, 0)
end

-- Runs a shell script that knows the program as $TROUPE, in a directory of its own.
local function shell(script, ...)
  return t.run { "sh", "-c", "d=$(mktemp -d) || exit 99; trap 'rm -rf \"$d\"' EXIT; cd \"$d\" || exit 99; " .. script,
    "sh", ... }
end

t.test("each line of standard input is an item, also an empty one and a last one that is not ended", function()
  check({ "-e", "return '<' .. ... .. '>'" }, "a\n\nb c\r\n\td", "<a>\n<>\n<b c\r>\n<\td>\n")
  check({ "-e", "return '<' .. ... .. '>'" }, "\n", "<>\n")
end)

t.test("no input, no output", function()
  check({ "-e", "return 1" }, "", "")
  check({ "-0", "-e", "return 1" }, "", "")
  check({ "--json", "-e", "return 1" }, "", "")
end)

t.test("with -0 a NUL ends an item, and a newline is a byte like others", function()
  check({ "-0", "-e", "return #..., ..." }, "a\nb\0\0c", "3\ta\nb\n0\t\n1\tc\n")
end)

t.test("items may hold any bytes", function()
  local bytes = {}
  for i = 0, 255 do bytes[#bytes + 1] = i ~= 10 and string.char(i) or nil end
  local line = table.concat(bytes)
  check({ "-e", "return ..." }, line .. "\n" .. line, line .. "\n" .. line .. "\n")
end)

t.test("many lines come back in order", function()
  local lines = {}
  for i = 1, MANY do lines[i] = ("%d:%s"):format(i, ("x"):rep(i % 50)) end
  local text = table.concat(lines, "\n") .. "\n"
  check({ "-j", "3", "-e", "return ..." }, text, text)
  check({ "-j", "3", "--chunk", "777", "-e", "return ..." }, text, text)
end)

t.test("many lines come back unordered, each once", function()
  local lines = {}
  for i = 1, MANY do lines[i] = tostring(i) end
  local status, out = t.troupe({ "map", "-j", "3", "--unordered", "-e", "return ..." }, table.concat(lines, "\n"))
  t.eq(status, 0)
  local seen, count = {}, 0
  for line in out:gmatch "[^\n]+" do
    t.ok(not seen[line], line)
    seen[line], count = true, count + 1
  end
  t.eq(count, MANY)
end)

t.test("lines of a mebibyte", function()
  local line = ("0123456789abcdef"):rep(65536)
  check({ "-e", "return #..." }, (line .. "\n"):rep(5) .. line .. "!", ("1048576\n"):rep(5) .. "1048577\n")
  check({ "-e", "return ..." }, line .. "\nshort\n" .. line, line .. "\nshort\n" .. line .. "\n")
end)

t.test("a slow producer sees each result before it says more", function()
  local status, out = shell [[
    mkfifo to from
    "$TROUPE" map -e 'return (...) * 2' <to >from &
    exec 3>to 4<from
    for i in 1 2 3; do echo $i >&3; read -r double <&4; echo "$i $double"; done
    exec 3>&-
    wait $!; echo $?]]
  t.eq(out, "1 2\n2 4\n3 6\n0\n")
  t.eq(status, 0)
end)

t.test("a result is printed while the input is silent and another item runs", function()
  -- The first line runs until the file `go` is there, which is made when the second one's result was seen.
  local _, out = shell [[
    mkfifo to from
    "$TROUPE" map -j2 --unordered -e 'if ... == "1" then repeat local f = io.open "go" until f end return ...' \
      <to >from &
    exec 3>to 4<from
    echo 1 >&3; echo 2 >&3; read -r line <&4; echo "$line"
    : >go; read -r line <&4; echo "$line"
    exec 3>&-; wait $!; echo $?]]
  t.eq(out, "2\n1\n0\n")
end)

t.test("input that comes while an item runs goes to the other worker", function()
  local _, out = shell [[
    mkfifo to from
    "$TROUPE" map -j2 -e 'if ... == "1" then repeat local f = io.open "go" until f else io.open("go", "w"):close() end
      return ...' <to >from &
    exec 3>to 4<from
    echo 1 >&3
    echo 2 >&3; read -r line <&4; echo "$line"; read -r line <&4; echo "$line"
    exec 3>&-; wait $!; echo $?]]
  t.eq(out, "1\n2\n0\n")
end)

t.test("endless input ends with its reader", function()
  local status, out, err = shell [[yes | "$TROUPE" map -e 'return ...' | head -n 3]]
  t.eq(out, "y\ny\ny\n")
  t.eq(err, "")
  t.eq(status, 0)
end)

t.test("the status of a map whose reader has gone is that of any filter", function()
  local _, out, err = shell [[(yes | "$TROUPE" map -e 'return ...'; echo $? >status) | head -n 1; cat status]]
  t.eq(out, "y\n141\n")
  t.eq(err, "")
end)

t.test("also where the signal of a broken pipe is ignored", function()
  local _, out, err = shell [[trap '' PIPE
    (yes 2>/dev/null | "$TROUPE" map -e 'return ...'; echo $? >status) | head -n 1; cat status]]
  t.eq(out, "y\n141\n")
  t.eq(err, "")
end)

t.test("input that cannot be read is said, with status 1", function()
  local status, out, err = shell [[exec "$TROUPE" map -e 'return 1' </]]
  t.eq(out, "")
  t.eq(err, "troupe map: cannot read standard input: Is a directory\n")
  t.eq(status, 1)
end)

t.test("closed descriptors are told, with status 1", function()
  local status, out, err = shell [[exec "$TROUPE" map -e 'return 1' <&-]]
  t.eq(out, "")
  t.eq(err, "troupe map: cannot read standard input: Bad file descriptor\n")
  t.eq(status, 1)
  status, out, err = shell [[exec "$TROUPE" map -e 'return 1' a b >&-]]
  t.eq(out, "")
  t.eq(err, "troupe map: Bad file descriptor\n")
  t.eq(status, 1)
end)

t.test("memory stays bounded however much goes through", function()
  -- What AddressSanitizer keeps of freed memory is none of ours.
  local script = [[
    export ASAN_OPTIONS="$ASAN_OPTIONS:quarantine_size_mb=4"
    awk 'BEGIN { for (i = 0; i < %d; i++) print i, "some words to fill the line with" }' |
    "$TROUPE" map -j2 'io_peak:line' | tail -n 1]]
  local function peak(lines)
    local status, out = shell("printf '%s' \"$1\" >io_peak.lua; export LUA_PATH=\"./?.lua;$LUA_PATH\"; "
      .. script:format(lines), [[
      local M = {}
      function M.line(text)
        local f <close> = io.open "/proc/self/status"
        return text:find "99 " and f:read "a":match "VmRSS:%s*(%d+)" or ""
      end
      return M]])
    t.eq(status, 0)
    return math.tointeger(out:match "%d+")
  end
  local few, many = peak(10000), peak(3 * MANY)
  t.ok(many < few + 30000 * t.slowdown, ("%d KiB after 10000 lines, %d after %d"):format(few, many, 3 * MANY))
end)

t.finish()
