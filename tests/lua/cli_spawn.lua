-- cli_spawn.lua - troupe spawn: one actor from a script, started again when it fails, reloaded when the script changes.
--
-- Each test waits until the program has written what shows how far it is.

local t = require "harness"

-- `start` starts the program. `script` makes the actor of what it reads, at once. `finish` awaits the
-- end and prints the status, the output, and what was said of the actor.
local prelude = t.awaiting .. [[
  d=$(mktemp -d) || exit 99; pid=; cd "$d" || exit 99
  trap '[ -z "$pid" ] || kill -9 $pid; rm -rf "$d"' EXIT
  ended() { wait $pid; status=$?; pid=; return $status; }
  start() { "$TROUPE" spawn "$@" >out 2>err & pid=$!; }
  script() { cat >new; mv new actor.lua; }
  finish() { ended; echo "status $?"; cat out; grep '^troupe spawn' err; }
]]

local function spawn(script, expected)
  local _, out, err = t.run { "sh", "-c", prelude .. script }
  t.eq(out, expected)
  t.eq(err, "")
end

-- A script with this init, and with more.
local function actor(init, more)
  return ([[script <<'EOT'
    local Actor = {}
    local function tell(...) print(...) io.stdout:flush() end
    function Actor:init(...) %s end
    function Actor:terminate(reason) tell("terminate", (reason:gsub("\n.*", ""))) end
    %s
    return Actor
EOT
]]):format(init, more or "")
end

t.test("init gets the arguments as strings; an actor that stops ends the program well", function()
  spawn(actor "tell(select('#', ...), ...) self:stop()" .. "start actor.lua 1 -x --watch; finish",
    "status 0\n3\t1\t-x\t--watch\nterminate\tnormal\n")
end)

t.test("Ctrl-C ends it by way of its terminate, with 130; SIGTERM with 143", function()
  spawn(actor "tell 'up'" .. "start actor.lua; see out up; kill -INT $pid; finish",
    "status 130\nup\nterminate\tshutdown\n")
  spawn(actor "tell 'up'" .. "start actor.lua; see out up; kill -TERM $pid; finish",
    "status 143\nup\nterminate\tshutdown\n")
end)

t.test("a second Ctrl-C ends the program at once, whatever runs", function()
  spawn([[script <<'EOT'
    return { init = function() print "up" io.stdout:flush() end,
      terminate = function() print "down" io.stdout:flush() while true do end end }
EOT
    start actor.lua; see out up; kill -INT $pid; see out down; kill -INT $pid; finish]], "status 130\nup\ndown\n")
end)

t.test("an actor that fails is started again", function()
  spawn(actor([[if io.open "failed" then tell "again" self:stop() else tell "first" self:send_after(0, "fail") end]],
      [[function Actor:fail() io.open("failed", "w"):close() error("no", 0) end]])
    .. "start actor.lua; finish",
    "status 0\nfirst\nterminate\tno\nagain\nterminate\tnormal\ntroupe spawn: actor.lua failed: no; started again\n")
end)

t.test("one that fails too often is given up, with status 1", function()
  spawn([[script <<'EOT'
    return { init = function(self) self:send_after(0, "fail") end, fail = function() error("no", 0) end }
EOT
    start actor.lua; finish >all; sed -n '1p;$p' all]], -- how often it is started depends on how long it takes
    "status 1\ntroupe spawn: actor.lua failed too often, the last time: no\n")
end)

t.test("one that does not start is told of with its error, and the status is 1", function()
  local status, _, err = t.troupe { "spawn", "/no/such.lua" }
  t.eq(err, "troupe spawn: /no/such.lua does not start: no such behaviour: cannot open /no/such.lua\n")
  t.eq(status, 1)
  spawn(actor "error('not today', 0)" .. "start actor.lua; finish",
    "status 1\ntroupe spawn: actor.lua does not start: not today\n")
end)

t.test("the crew's scripts and modules are found by their names", function()
  spawn([[echo 'return { init = function(self) print "found" self:stop() end }' >crew_member.lua
    LUA_PATH="./?.lua;$LUA_PATH"; export LUA_PATH; start crew_member; finish]], "status 0\nfound\n")
  local status, _, err = t.troupe { "spawn", "actors/rate_limiter.lua" } -- it wants options
  t.match(err, "^troupe spawn: actors/rate_limiter.lua does not start: [^\n]*rate_limiter")
  t.eq(status, 1)
end)

-- A script that makes a file WORD1, WORD2, ... for each of its turns.
local function counter(word)
  return actor([[self.n = 0 self:send_after(0, "tick")]], ([[function Actor:tick()
      self.n = self.n + 1
      io.open("%s" .. self.n, "w"):close()
      self:send_after(0.01, "tick")
    end
    function Actor:code_change() tell("now %s", self.n > 0) end]]):format(word, word))
end

t.test("--watch: a script that changes is loaded anew, and self stays", function()
  spawn(counter "a" .. "start --watch actor.lua; await [ -e a1 ]\n" .. counter "b"
    .. [[see err reloaded; see out 'now b'; kill -INT $pid; finish]],
    "status 130\nnow b\ttrue\nterminate\tshutdown\ntroupe spawn: actor.lua reloaded\n")
end)

t.test("--watch: a script that does not load changes nothing and says why; the next one may", function()
  spawn(counter "a" .. [[start --watch actor.lua; await [ -e a1 ]
    echo 'return return' | script; see err 'not reloaded'
    rm -f a[0-9]*; await eval 'ls a[0-9]*'
    ]] .. counter "b" .. "see out 'now b'; see err ' reloaded'; kill -INT $pid; finish", [[
status 130
now b	true
terminate	shutdown
troupe spawn: actor.lua not reloaded: actor.lua:1: unexpected symbol near 'return'
troupe spawn: actor.lua reloaded
]])
end)

t.test("--watch: what does not start is started when the script changes", function()
  spawn("echo 'return return' | script; start --watch actor.lua; see err waiting\n" .. actor "tell 'up' self:stop()"
    .. "finish", [[
status 0
up
terminate	normal
troupe spawn: actor.lua does not start: actor.lua:1: unexpected symbol near 'return'
troupe spawn: waiting for actor.lua to change
]])
end)

t.test("--watch: Ctrl-C ends it while it waits for the script; one that is nowhere cannot be watched", function()
  spawn("echo 'return return' | script; start --watch actor.lua; see err waiting; kill -INT $pid; ended; echo $?",
    "130\n")
  spawn("start --watch actor.lua; finish", "status 1\ntroupe spawn: cannot open actor.lua\n")
end)

t.test("--watch: an actor that is a function is started anew", function()
  spawn([[echo 'return function(self) print "one" io.stdout:flush() self:receive() end' | script
    start --watch actor.lua; see out one
    echo 'return function() print "two" io.stdout:flush() end' | script; finish]],
    "status 0\none\ntwo\ntroupe spawn: actor.lua is started anew\n")
end)

t.test("misuse is told with a hint, with status 2", function()
  local function misuse(words, expected)
    local status, out, err = t.troupe { "spawn", table.unpack(words) }
    t.eq(err, "troupe spawn: " .. expected .. "\nTry 'troupe help spawn'.\n")
    t.eq(status .. out, "2")
  end
  misuse({}, "an actor is missing: a script, or the name of a module")
  misuse({ "--watch" }, "an actor is missing: a script, or the name of a module")
  misuse({ "-x", "actor.lua" }, "unknown option '-x'")
end)

t.finish()
