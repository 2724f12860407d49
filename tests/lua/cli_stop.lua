-- cli_stop.lua - Ctrl-C and its kin: what is done so far is printed, in order, and the status says which signal it was.
--
-- Each test waits until the program has shown that it is where it shall be interrupted.

local t = require "harness"

-- `start` starts the program with standard input from the fifo `to`, which stays open as descriptor 3. `finish`
-- awaits the end and prints the status.
local prelude = t.awaiting .. [[
  d=$(mktemp -d) || exit 99; pid=; cd "$d" || exit 99
  trap '[ -z "$pid" ] || kill -9 $pid; rm -rf "$d"' EXIT
  ended() { wait $pid; status=$?; pid=; return $status; }
  start() { mkfifo to; "$TROUPE" "$@" <to >out 2>err & pid=$!; exec 3>to; }
  finish() { ended; echo "status $?"; cat out err; }
]]

local function interrupt(script, expected)
  local _, out, err = t.run { "sh", "-c", prelude .. script }
  t.eq(out, expected)
  t.eq(err, "")
end

t.test("Ctrl-C while the input is silent prints what was done and ends with 130", function()
  interrupt([[start map -e 'return (...) * 2'; echo 1 >&3; echo 2 >&3; see out 4; kill -INT $pid; finish]],
    "status 130\n2\n4\n")
end)

t.test("SIGTERM ends in the same way with 143", function()
  interrupt([[start map -e 'return ...'; echo 1 >&3; see out 1; kill -TERM $pid; finish]], "status 143\n1\n")
end)

t.test("Ctrl-C with endless input prints whole lines in order", function()
  local _, out = t.run { "sh", "-c", prelude .. [[
    start map -j2 -e 'return ...'
    seq 100000000 >&3 2>/dev/null & feeder=$!
    see out 100000; kill -INT $pid; ended; echo "status $?"
    exec 3>&-; kill $feeder 2>/dev/null
    # What was broken into is missing, and nothing else: two workers, so a later block may be done before it.
    awk '!/^[0-9]+$/ || $0 + 0 <= last { print "line", NR, "is", $0; exit } { last = $0 + 0 }' out
    tail -c 1 out | od -An -c; cat err]] }
  t.eq(out, "status 130\n  \\n\n")
end)

t.test("an item that never ends is broken into, and items after it that were done are printed", function()
  interrupt([[start map -j2 -e 'if ... == "2" then io.open("in", "a"):write "2":close() while true do end end
      if ... == "4" then io.open("in4", "a"):write "4":close() end return ...' 1 2 3 4
    see in 2; see in4 4; kill -INT $pid; finish]], "status 130\n1\n3\n4\n")
end)

t.test("no pcall and no coroutine outlasts it", function()
  interrupt([[start map -j1 -e 'io.open("in", "a"):write "x":close()
      while true do pcall(coroutine.wrap(function() while true do end end)) end' 1 2
    see in x; kill -INT $pid; finish]], "status 130\n")
end)

t.test("an interrupted fold prints its value so far", function()
  interrupt([[echo 'return function(sum, n) sum = (sum or 0) + n
        io.open("sum", "w"):write(sum):close() return sum end' >fold.lua
    start map --reduce fold.lua -e 'return math.tointeger(...)'; printf '1\n2\n' >&3; see sum 3; kill -INT $pid
    finish]], "status 130\n3\n")
end)

t.test("a program that an item waits for does not keep the others from stopping", function()
  interrupt([[start map -j1 -e 'if ... == "2" then while true do end end
      os.execute "echo x >in; until [ -e go ]; do sleep 0.01; done" return ...' 1 2
    see in x; kill -INT $pid; : >go; finish]], "status 130\n1\n")
end)

t.test("a second Ctrl-C ends at once, whatever runs", function()
  interrupt([[start map -j1 -e 'while true do pcall(function()
      local f <close> = setmetatable({}, { __close = function()
        io.open("in", "a"):write "x":close() while true do end end })
      error() end) end' 1
    see in x; kill -INT $pid; kill -INT $pid; finish]], "status 130\n")
end)

t.test("run: Ctrl-C raises an error in the script, which closes its pools in order", function()
  interrupt([[cat >script.lua <<'EOT'
      local troupe = require "troupe"
      local done <close> = setmetatable({}, { __close = function() print "closed" end })
      local pool <close> = troupe.pool { workers = 1 }
      local job = pool:submit(function() while true do end end)
      pool:submit(function() io.open("in", "a"):write "never":close() end)
      io.open("in", "a"):write "ready":close()
      job:await()
      print "not reached"
EOT
    start run script.lua; see in ready; kill -INT $pid; finish; grep -c never in]], "status 130\nclosed\n0\n")
end)

t.test("run: Ctrl-C reaches a loop in a coroutine", function()
  interrupt([[echo 'io.open("in", "a"):write "x":close() coroutine.wrap(function() while true do end end)()' >script.lua
    start run script.lua; see in x; kill -INT $pid; finish]], "status 130\n")
end)

t.test("run: a script may catch the error and end as it likes", function()
  interrupt([[echo 'io.open("in", "a"):write "x":close() print(pcall(function() while true do end end)) os.exit(3)' \
      >script.lua
    start run script.lua; see in x; kill -INT $pid; finish]],
    "status 3\nfalse\tscript.lua:1: llthreads: thread was interrupted\n")
end)

t.test("run: a second Ctrl-C ends at once", function()
  interrupt([[echo 'local f <close> = setmetatable({}, { __close = function()
        io.open("in", "a"):write "closing":close() while true do end end }) io.open("in", "a"):write "x":close()
      while true do end' >script.lua
    start run script.lua; see in x; kill -INT $pid; see in closing; kill -INT $pid; finish]], "status 130\n")
end)

t.finish()
