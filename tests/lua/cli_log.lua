-- cli_log.lua - `troupe log`, a process of its own: its options, its signals, eight programs that write to it at once.

local t = require "harness"

local lines_of = require "log_fixture".lines_of

-- What the shell scripts below share. serve OPTION... runs a sink in the background, its number in $sink, and waits
-- until it listens; $endpoint is its first endpoint. say TEXT... logs, from a program of its own.
local prelude = t.awaiting .. [[
  set -u
  dir=$(mktemp -d)
  cd "$dir"
  sink=
  trap '[ -z "$sink" ] || kill -9 $sink 2>/dev/null; cd /; rm -rf "$dir"' EXIT
  serve() {
    : >err
    "$TROUPE" log "$@" >>out 2>err &
    sink=$!
    await grep -q 'listening to' err
    endpoint=$(sed -n 's/^troupe log: listening to //p' err | head -n 1)
  }
  end() { kill -$1 $sink; wait $sink; echo "status $?"; sink=; }
  cat >say.lua <<'EOT'
    local log = require "troupe.log"
    log.set_level_all "trace"
    assert(log.to(arg[1]))
    for i = 2, #arg do log.info(arg[i]) end
    assert(log.flush(]] .. t.script_deadline .. [[))
EOT
  say() { "$LUA" say.lua "$endpoint" "$@"; }
]]

local function shell(script, ...)
  local status, out, err = t.run { "env", "LUA=" .. t.interpreter(), "sh", "-c", prelude .. script, "sh", ... }
  t.eq(status, 0, err)
  return out, err
end

t.test("records are printed to standard output, and SIGTERM and Ctrl-C end it in order", function()
  for _, signal in ipairs { "TERM", "INT" } do
    local out, err = shell([[
      serve --pull 'tcp://127.0.0.1:*'
      say one two
      end $1
      cat out ]], signal)
    t.eq(err, "")
    local lines = lines_of(out)
    t.eq(lines[1], "status 0")
    t.match(lines[2], " %[INFO%] .*: one$")
    t.match(lines[3], " %[INFO%] .*: two$")
    t.eq(#lines, 3)
  end
end)

t.test("it ends when nobody reads what it prints", function()
  local out, err = shell [[
    mkfifo pipe
    "$TROUPE" log --pull ipc://s >pipe 2>err &
    sink=$!
    head -n 1 <pipe >out &
    endpoint=ipc://s
    cat >sender.lua <<'EOT'
      local log = require "troupe.log"
      assert(log.to("ipc://s"))
      log.error "first"
      repeat
        log.error "more"
        require "troupe.task".sleep(0.05)
        local stop = io.open "stop"
      until stop
EOT
    "$LUA" sender.lua 2>/dev/null &
    sender=$!
    wait $sink
    : >stop
    wait $sender
    sink=
    sed 's/.*: //' out
    ! grep -v listening err ]]
  t.eq(err, "")
  t.eq(out, "first\n")
end)

t.test("SIGHUP has it open its file anew", function()
  local out, err = shell [[
    serve --pull 'tcp://127.0.0.1:*' --file x.log
    say before
    await grep before x.log
    mv x.log y.log
    kill -HUP $sink
    await test -f x.log
    say after
    end TERM
    sed 's/.*: //' y.log x.log ]]
  t.eq(err, "")
  t.eq(out, "status 0\nbefore\nafter\n")
end)

t.test("JSON, levels, patterns, rotation", function()
  local out, err = shell [[
    serve --pull 'tcp://127.0.0.1:*' --json --level info --grep 'keep|hold'
    say keep drop hold
    end TERM
    cat out
    serve --pull 'tcp://127.0.0.1:*' --file r.log --rotate 1K --keep 2
    for i in 1 2 3 4 5 6 7 8; do say "$(printf '%0300d' $i)"; done
    end TERM
    ls r.log* ]]
  t.eq(err, "")
  t.match(out, '^status 0\n{"time":[^\n]*"message":"keep"}\n{[^\n]*"message":"hold"}\n'
    .. 'status 0\nr%.log\nr%.log%.1\nr%.log%.2\n$')
end)

t.test("a publisher that binds is connected to, and a day has its file", function()
  local out, err = shell [[
    mkdir days
    cat >publish.py <<'EOT'
import os, sys, time, zmq
s = zmq.Context().socket(zmq.PUB)
s.bind("ipc://pub")
while not os.path.exists("stop"):
    s.send(b"\0042014-10-03 12:34:56published")
    time.sleep(0.01)
EOT
    "$PYTHON" publish.py &
    publisher=$!
    serve --connect ipc://pub --dir days
    await grep published days/*.log
    : >stop
    wait $publisher
    end TERM
    ls days | grep -c '^....-..-..\.log$'
    sort -u days/*.log ]]
  t.eq(err, "")
  t.eq(out, "status 0\n1\n2014-10-03 12:34:56 [ERROR] published\n")
end)

t.test("CURVE: certificates are made, and only those of the list get in", function()
  local out, err = shell [[
    "$TROUPE" log --make-cert server
    "$TROUPE" log --make-cert client >/dev/null
    "$TROUPE" log --make-cert client; echo "again: $?"
    mkdir clients
    cp client clients
    serve --pull 'tcp://127.0.0.1:*' --file x.log --server-cert server --client-certs clients
    cat >curve.lua <<'EOT'
      local log = require "troupe.log"
      assert(log.to(arg[1], { server_cert = "server", cert = arg[2] }))
      log.error(arg[3])
      print(log.flush(tonumber(arg[4])))
EOT
    "$LUA" curve.lua "$endpoint" client hello 100
    await grep -q hello x.log
    "$TROUPE" log --make-cert stranger >/dev/null
    "$LUA" curve.lua "$endpoint" stranger sneaked 0.5 2>/dev/null
    end TERM
    grep -c hello x.log
    ! grep sneaked x.log ]]
  t.match(err, "^troupe log: client: there is a certificate already\n$")
  t.eq(out, "server (public: to be given away), server_secret (to be kept)\nagain: 1\ntrue\nnil\ttimeout\n"
    .. "status 0\n1\n")
end)

t.test("a sink that is killed and started again loses no sender", function()
  local out, err = shell [[
    serve --pull ipc://s --file 1.log
    cat >sender.lua <<'EOT'
      local log, task = require "troupe.log", require "troupe.task"
      assert(log.to("ipc://s", { queue = 50000 }))
      local i = 0
      repeat
        for _ = 1, 100 do
          i = i + 1
          log.error("record %d", i)
        end
        task.sleep(0.001)
        local stop = io.open "stop"
      until stop
      log.error("last %d", i)
      print(log.flush(1000))
EOT
    "$LUA" sender.lua &
    sender=$!
    for i in 1 2 3; do
      await test -s $i.log
      kill -9 $sink
      wait $sink
      rm -f s
      serve --pull ipc://s --file $((i + 1)).log
    done
    await test -s 4.log
    : >stop
    wait $sender; echo "sender $?"
    end TERM
    cat 1.log 2.log 3.log 4.log | sed 's/.*: //' ]]
  t.eq(err:gsub("[^\n]*Killed[^\n]*\n", ""), "")
  local lines = lines_of(out)
  t.eq(lines[1], "true")
  t.eq(lines[2], "sender 0")
  t.eq(lines[3], "status 0")
  local before = 0
  for i = 4, #lines - 1 do
    local number = tonumber(lines[i]:match "^record (%d+)$")
    if number then
      t.ok(number > before, lines[i])
      before = number
    end
  end
  t.match(lines[#lines], "^last %d+$")
end)

t.test("many records from eight programs over tcp arrive complete, in order for each", function()
  local each = 125000 // (t.slowdown > 1 and 25 * t.slowdown or 1)
  local out, err = shell([[
    cat >sender.lua <<'EOT'
      local log = require "troupe.log"
      log.set_level_all "info"
      assert(log.to(arg[1]))
      for i = 1, tonumber(arg[3]) do log.info("sender %s record %d", arg[2], i) end
      assert(log.flush(]] .. t.script_deadline .. [[))
      assert(log.counts().dropped == 0)
      repeat
        require "troupe.task".sleep(0.05)
        local arrived = io.open "arrived"
      until arrived
EOT
    serve --pull 'tcp://127.0.0.1:*' --file x.log
    senders=
    for i in 1 2 3 4 5 6 7 8; do
      "$LUA" sender.lua "$endpoint" $i $1 &
      senders="$senders $!"
    done
    all=$((8 * $1))
    await eval '[ $(wc -l <x.log) -ge $all ]'
    : >arrived
    for sender in $senders; do wait $sender || echo "a sender failed"; done
    end TERM
    awk '{
      for (i = 1; i <= NF; i++) if ($i == "sender") { if ($(i + 3) != ++count[$(i + 1)]) bad++; break }
    } END { print NR, bad + 0; for (i = 1; i <= 8; i++) print count[i] }' x.log ]], each)
  t.eq(err, "")
  t.eq(out, "status 0\n" .. 8 * each .. " 0\n" .. (each .. "\n"):rep(8))
end)

t.test("misuse is told with a hint, with status 2, and what cannot be had with 1", function()
  local function told(words, expected, code)
    local status, out, err = t.troupe { "log", table.unpack(words) }
    t.match(err, "^troupe log: " .. expected)
    t.eq(out, "")
    t.eq(status, code)
  end
  told({}, "an endpoint is missing: %-%-pull, .*\nTry 'troupe help log'%.\n$", 2)
  told({ "--pul" }, "unknown option '%-%-pul'\n", 2)
  told({ "--pull" }, "option '%-%-pull' needs a value\n", 2)
  told({ "--pull", "x", "y" }, "unexpected word 'y'\n", 2)
  told({ "--pull", "x", "--rotate", "10X" }, "option '%-%-rotate': a number of bytes, as 500000, 500K or 10M expec", 2)
  told({ "--pull", "x", "--rotate", "10M" }, "%-%-rotate needs %-%-file\n", 2)
  told({ "--pull", "x", "--keep", "1" }, "%-%-keep needs %-%-rotate\n", 2)
  told({ "--pull", "x", "--file", "y", "--dir", "z" }, "%-%-file or %-%-dir, not both\n", 2)
  told({ "--pull", "x", "--level", "loud" }, "option '%-%-level': there is no level 'loud'\n", 2)
  told({ "--pull", "x", "--server-cert", "y" }, "%-%-server%-cert and %-%-client%-certs need each other\n", 2)
  told({ "--make-cert", "x", "--json" }, "%-%-make%-cert stands alone\n", 2)
  told({ "--pull", "tcp://127.0.0.1:*", "--file", "/no/such/x" }, "/no/such/x: No such file or directory\n$", 1)
  told({ "--pull", "carrier-pigeon" }, "carrier%-pigeon: ", 1)
end)

t.test("help names every option that log takes", function()
  local _, page = t.troupe { "help", "log" }
  for _, option in ipairs { "--pull", "--sub", "--connect", "--connect-pull", "--file", "--rotate", "--keep", "--dir",
    "--json", "--level", "--grep", "--server-cert", "--client-certs", "--make-cert" } do
    t.ok(page:find("\n    " .. option .. " ", 1, true), option)
  end
end)

t.finish()
