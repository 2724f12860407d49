-- log_sink.lua - sinks of logs inside a program: what they take, where they put it, whom they let in.

local t = require "harness"
local zmtp = require "zmtp"

local troupe = require "troupe"
local log = require "troupe.log"
local fixture = require "log_fixture"
local log_sink = require "troupe.log_sink"
local certificates = require "troupe.certificates"

local await, lines_of, read, with_directory = fixture.await, fixture.lines_of, fixture.read, fixture.with_directory

local function await_records(sink, count)
  await(count .. " records", function() return sink:counts().records >= count end)
end

-- What a sink writes that body makes `count` records for: a sequence of lines.
local function written(options, count, body)
  local lines
  with_directory(function(dir)
    options.file = dir .. "/x.log"
    local sink <close> = assert(log_sink.open(options))
    body(sink:endpoints(), dir)
    await_records(sink, count)
    sink:close()
    lines = lines_of(read(options.file))
  end)
  return lines
end

local ANY = "tcp://127.0.0.1:*"
local levels = { "EMERG", "ALERT", "FATAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG", "TRACE" }

t.test("a sink takes what troupe.log sends", function()
  local lines = written({ pull = ANY }, 3, function(endpoints)
    assert(log.to(endpoints[1]))
    log.error("first of %d", 3)
    log.warning { "second", n = 2 }
    require "llthreads".new "require 'troupe.log'.error 'third\\nwith a line more'":start():join()
  end)
  t.match(lines[1], "^%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d%.%d+ %[ERROR%] [^ ]+:%d+%.1 .*log_sink%.lua:%d+: first of 3$")
  t.match(lines[2], " second n=2$")
  t.match(lines[3], ": third\\nwith a line more$")
  t.eq(#lines, 3)
end)

t.test("inproc, ipc, PUB and a socket that binds will do too", function()
  with_directory(function(dir)
    local ipc = "ipc://" .. dir .. "/sink"
    local sink <close> = assert(log_sink.open { pull = { "inproc://sink", ipc }, sub = "ipc://" .. dir .. "/sub",
      connect = "ipc://" .. dir .. "/pub", connect_pull = "ipc://" .. dir .. "/push", file = dir .. "/x.log" })
    t.eq(#sink:endpoints(), 5)
    local count = 0
    local function say_to(endpoint, options, again)
      assert(log.to(endpoint, options))
      local deadline = troupe.now() + t.script_deadline
      repeat -- a publisher loses what it says before its subscriber has subscribed
        log.error("to %s", endpoint)
        local before = sink:counts().records
        if again then troupe.task.sleep(0.01) else await_records(sink, count + 1) end
        if troupe.now() > deadline then error(endpoint .. ": nothing came") end
      until not again or before > count
      assert(log.to "stderr")
      count = sink:counts().records
    end
    say_to "inproc://sink"
    say_to(ipc)
    say_to("ipc://" .. dir .. "/sub", { socket = "pub" }, true)
    say_to("ipc://" .. dir .. "/pub", { socket = "pub", bind = true }, true)
    say_to("ipc://" .. dir .. "/push", { bind = true })
    sink:close()
    local text = read(dir .. "/x.log")
    for _, name in ipairs { "inproc://sink", "/sink", "/sub", "/pub", "/push" } do
      t.ok(text:find(name .. "\n", 1, true), name)
    end
  end)
end)

t.test("lua-log's packed frames, from PUSH and from PUB", function()
  for _, kind in ipairs { "PUSH", "PUB" } do
    local lines = written({ [kind == "PUSH" and "pull" or "sub"] = ANY }, 10, function(endpoints)
      local client = zmtp.connect(endpoints[1], kind)
      for level = 1, 9 do client:send(string.char(level) .. "2014-10-03 12:34:56message " .. level) end
      client:send "\0072014-10-03 12:34:57any bytes: \0\1\n\255"
      client:close()
    end)
    for level = 1, 9 do t.eq(lines[level], ("2014-10-03 12:34:56 [%s] message %d"):format(levels[level], level)) end
    t.eq(lines[10], "2014-10-03 12:34:57 [INFO] any bytes: \\x00\\x01\\n\255")
    t.eq(#lines, 10)
  end
end)

t.test("lua-log's text frames, from PUSH and from PUB", function()
  for _, kind in ipairs { "PUSH", "PUB" } do
    local lines = written({ [kind == "PUSH" and "pull" or "sub"] = ANY }, 11, function(endpoints)
      local client = zmtp.connect(endpoints[1], kind)
      for level = 1, 9 do client:send(("2014-10-03 12:34:56 [%s] message %d"):format(levels[level], level)) end
      client:send("2014-10-03 12:34:57 [ERROR] " .. ("x"):rep(300))
      client:send "2014-10-03 12:34:57 [ERROR] "
      client:close()
    end)
    for level = 1, 9 do t.eq(lines[level], ("2014-10-03 12:34:56 [%s] message %d"):format(levels[level], level)) end
    t.eq(lines[10], "2014-10-03 12:34:57 [ERROR] " .. ("x"):rep(300))
    t.eq(lines[11], "2014-10-03 12:34:57 [ERROR]")
  end
end)

-- What came of a program in Python that has the endpoint as its argument.
local function python(endpoint, code)
  local status, _, err = t.run { os.getenv "PYTHON", "-c", [[import sys, zmq
context = zmq.Context()
def connect(kind, at=1):
    s = context.socket(kind)
    s.connect(sys.argv[at])
    return s
]] .. code .. "\ncontext.destroy(linger=60000)", endpoint }
  t.eq(err, "")
  t.eq(status, 0)
end

t.test("frames from Python's zmq, in both forms of lua-log, and ours", function()
  local lines = written({ pull = ANY, json = true }, 3, function(endpoints)
    python(endpoints[1], [[
import msgpack
s = connect(zmq.PUSH)
s.send(b"\x052014-10-03 12:34:56packed")
s.send(b"2014-10-03 12:34:56 [NOTICE] text")
s.send(msgpack.packb(["troupe.log", "afar:1"])
    + msgpack.packb([4, 1400000000000001, 7, 0, 0, 9, "x.lua:3", "ours", {"k": [1, None, 2.5], 1: b"\xff"}]))]])
  end)
  t.match(lines[1], '^{"time":"2014%-10%-03T%d%d:34:56Z","level":"warning","message":"packed"}$')
  t.match(lines[2], '"level":"notice","message":"text"}$')
  t.eq(lines[3], '{"time":"2014-05-13T16:53:20.000001Z","level":"error","process":"afar:1","vm":7,"task":9,'
    .. '"source":"x.lua:3","message":"ours","fields":{"k":[1,null,2.5],"1":"\\udcff"}}')
end)

t.test("the error of a thread arrives with its traceback, through a logger of lua-log's kind", function()
  local lines = written({ pull = ANY }, 1, function(endpoints)
    local thread = require "llthreads".new([[
      local client = require "zmtp".connect(..., "PUSH")
      require "llthreads".set_logger(function(message)
        client:send("\004" .. os.date "%Y-%m-%d %H:%M:%S" .. message)
        client:close()
      end)
      local function deep() error "SOME ERROR" end
      deep()]], endpoints[1])
    t.eq((thread:start():join()), false)
  end)
  t.match(lines[1], "^%d[^\n]* %[ERROR%] Error from thread: .*:6: SOME ERROR\\nstack traceback:.*in .*'deep'")
end)

t.test("whatever else arrives is a record that shows it", function()
  local head = "\x92\xaatroupe.log\xa1x"
  local record = "\x99\4\1\0\0\0\0\xa0\xa1m\x80"
  local frames = {
    { "", "0 bytes" },
    { "\0", "1 bytes.*\\x00" },
    { "\0042014-10-03 12:34", "17 bytes" }, -- half a packed one
    { "\0042014-13-03 12:34:56no such month", "33 bytes" },
    { "\0082014-10-03 12:34:56eighth level", nil },
    { "\n2014-10-03 12:34:56level ten", "\\n2014" },
    { "2014-10-03 12:34:56 [LOUD] no such level", "%[LOUD%]" },
    { "2014-10-03 12:34:56 [ERROR", "%[ERROR$" },
    { ("z"):rep(1000), "1000 bytes, which begin%): zzz" },
    { "\27]0;title\7", "\\x1b%]0;title\\x07" },
    { head, "a frame without records" },
    { head .. record .. record:sub(1, -2), "broken records from an unknown sender %(10 bytes" },
    { head .. "\x99\4\1\0\0\0\0\xa0\xa1m\xdf\xff\xff\xff\xff", "broken records" },
    { head .. ("\x91"):rep(1000), "broken records" },
    { "\x92\xabtroupe.logs\xa1x", "unknown sender" },
    { "\xc1", "unknown sender" },
  }
  local lines = written({ pull = ANY }, #frames + 3, function(endpoints)
    local client = zmtp.connect(endpoints[1], "PUSH")
    for _, frame in ipairs(frames) do client:send(frame[1]) end
    client:send("several", true)
    client:send "parts"
    client:close()
  end)
  local at = 1
  for _, frame in ipairs(frames) do
    if frame[1]:find("\x99\4\1\0\0\0\0\xa0\xa1m\x80", 1, true) then -- what was whole of it came first
      t.match(lines[at], "^1970.* %[ERROR%] x: m$")
      at = at + 1
    end
    t.match(lines[at], frame[2] or "%[DEBUG%] eighth level$")
    if frame[2] then t.match(lines[at], " %[INFO%] ") end
    at = at + 1
  end
  t.match(lines[at], "several$")
  t.match(lines[at + 1], "parts$")
end)

t.test("a huge frame, and connections that speak no ZeroMQ or stop midway, disturb nobody", function()
  local size = 20 * 2 ^ 20 // t.slowdown | 0
  local lines = written({ pull = ANY }, 3, function(endpoints)
    local client, stranger, broken = zmtp.connect(endpoints[1], "PUSH"), require "socket".connect(
      endpoints[1]:match "^tcp://([^:]+):(%d+)$"), zmtp.connect(endpoints[1], "PUSH")
    stranger:send "GET / HTTP/1.0\r\n\r\n"
    broken:send_raw "\0\255half"
    broken:close()
    client:send(("\1"):rep(size))
    client:send("\0042014-10-03 12:34:56" .. ("y"):rep(size))
    client:send "\0042014-10-03 12:34:56last"
    client:close()
    stranger:close()
  end)
  t.match(lines[1], "unknown sender %(" .. size .. " bytes, which begin%): \\x01")
  t.eq(#lines[2], size + #"2014-10-03 12:34:56 [ERROR] ")
  t.match(lines[3], " last$")
end)

t.test("level and grep leave records out", function()
  local function kept(options)
    options.pull = ANY
    return written(options, 9, function(endpoints)
      local client = zmtp.connect(endpoints[1], "PUSH")
      for level = 1, 9 do client:send(string.char(level) .. "2014-10-03 12:34:56message " .. level .. "\0end") end
      client:close()
    end)
  end
  t.eq(#kept { level = "warning" }, 5)
  t.eq(#kept { level = "TRACE" }, 9)
  local lines = kept { grep = "message [2-4].*end$" }
  t.eq(#lines, 3)
  t.match(lines[1], "%[ALERT%] message 2\\x00end$")
  t.eq(#kept { grep = "^2014", level = "emerg" }, 1)
end)

t.test("files are rotated, begun anew, and named by the day", function()
  with_directory(function(dir)
    local path = dir .. "/x.log"
    local sink <close> = assert(log_sink.open { pull = ANY, file = path, rotate = 1000, keep = 3 })
    local client = zmtp.connect(sink:endpoints()[1], "PUSH")
    for i = 1, 100 do client:send(("\0042014-10-03 12:34:56line %d"):format(i)) end
    await_records(sink, 100)
    sink:close()
    local text = read(path .. ".3") .. read(path .. ".2") .. read(path .. ".1") .. read(path)
    local lines = lines_of(text)
    for i, line in ipairs(lines) do t.match(line, "line " .. 100 - #lines + i .. "$") end
    t.ok(#lines > 60)
    t.eq(io.open(path .. ".4"), nil)
  end)
  with_directory(function(dir)
    local sink <close> = assert(log_sink.open { pull = ANY, dir = dir })
    local client = zmtp.connect(sink:endpoints()[1], "PUSH")
    local before = os.date "%Y-%m-%d"
    client:send "\0042014-10-03 12:34:56today"
    await_records(sink, 1)
    sink:close()
    local file = io.open(dir .. "/" .. before .. ".log") or assert(io.open(os.date(dir .. "/%Y-%m-%d.log")))
    t.eq(file:read "a", "2014-10-03 12:34:56 [ERROR] today\n")
    file:close()
  end)
end)

t.test("a sink that is asked reopens its file", function()
  with_directory(function(dir)
    local path = dir .. "/x.log"
    local sink <close> = assert(log_sink.open { pull = ANY, file = path })
    local client = zmtp.connect(sink:endpoints()[1], "PUSH")
    client:send "\0042014-10-03 12:34:56before"
    await("the first line", function() return read(path):find "before" end)
    os.rename(path, dir .. "/y.log")
    sink:reopen()
    await("the new file", function() return io.open(path) end)
    client:send "\0042014-10-03 12:34:56after"
    await_records(sink, 2)
    sink:close()
    t.match(read(dir .. "/y.log"), "before\n$")
    t.eq(read(path), "2014-10-03 12:34:56 [ERROR] after\n")
  end)
end)

t.test("a full disk and a directory that vanishes are told once, and nothing is lost", function()
  with_directory(function(dir)
    local said = {}
    assert(log.to(function(record) said[#said + 1] = record.message end))
    local path = dir .. "/sub/x.log"
    os.execute(("mkdir '%s/sub' && ln -s /dev/full '%s'"):format(dir, path))
    local sink <close> = assert(log_sink.open { pull = ANY, file = path })
    local client = zmtp.connect(sink:endpoints()[1], "PUSH")
    for i = 1, 5 do
      client:send(("\0042014-10-03 12:34:56full %d"):format(i))
      await_records(sink, i)
    end
    await("the complaint", function() return #said >= 1 end)
    t.match(said[1], "cannot write: No space left on device")
    os.execute(("mv '%s/sub' '%s/away'"):format(dir, dir)) -- at one moment: rm would leave one for a try in between
    client:send "\0042014-10-03 12:34:56gone"
    await_records(sink, 6)
    troupe.task.sleep(1.2) -- its next try; nothing here depends on whether it has come
    os.execute(("mkdir '%s/sub'"):format(dir))
    await("the recovery", function() return said[#said]:find "written again" end)
    t.eq(#said, 2)
    t.match(said[2], "0 records were lost")
    sink:close()
    local lines = lines_of(read(path))
    for i = 1, 5 do t.match(lines[i], "full " .. i .. "$") end
    t.match(lines[6], "gone$")
    t.eq(#lines, 6)
    t.eq(sink:counts().lost, 0)
  end)
end)

t.test("a sender goes on while its sink is away, and the next one gets the rest, or how much is missing", function()
  with_directory(function(dir)
    local endpoint, before = "ipc://" .. dir .. "/sink", fixture.count_sockets()
    local first = assert(log_sink.open { pull = endpoint, file = dir .. "/1.log" })
    assert(log.to(endpoint, { queue = 20000 }))
    log.error "to the first"
    await_records(first, 1)
    first:close()
    -- What is sent while the connection's end is not yet noticed is lost, and nobody can count it.
    await("the end of the connection", function() return fixture.count_sockets() == before end)
    local said = 0
    repeat -- until something did not fit
      said = said + 1
      log.error("into the void %d", said)
    until log.counts().dropped > 0
    local second <close> = assert(log_sink.open { pull = endpoint, file = dir .. "/2.log" })
    assert(log.flush(t.script_deadline))
    log.error "to the second"
    assert(log.flush(t.script_deadline))
    local text, told
    await("the last, and every record that was dropped", function()
      second:reopen()
      text, told = read(dir .. "/2.log"), 0
      for count in text:gmatch " (%d+) records were dropped: the log's queue was full\n" do told = told + count end
      return text:find "to the second" and told >= log.counts().dropped
    end)
    second:close()
    t.eq(told, log.counts().dropped)
    local expected = nil
    for number in text:gmatch "into the void (%d+)" do
      if expected then t.eq(tonumber(number), expected) end
      expected = tonumber(number) + 1
    end
    t.eq(expected, said)
  end)
end)

t.test("CURVE lets in those of the list and nobody else", function()
  with_directory(function(dir)
    local function make(name)
      t.eq(certificates.make(dir .. "/" .. name), true)
      return dir .. "/" .. name
    end
    local server, friend, stranger = make "server", make "friend", make "stranger"
    os.execute(("mkdir '%s/clients' && cp '%s' '%s/clients/friend'"):format(dir, friend, dir))
    local path = dir .. "/x.log"
    local sink <close> = assert(log_sink.open { pull = ANY, file = path, server_cert = server, client_certs = dir
      .. "/clients" })
    local endpoint = sink:endpoints()[1]
    assert(log.to(endpoint, { server_cert = server, cert = stranger }))
    log.error "from a stranger"
    t.eq(log.flush(0.3), nil)
    assert(log.to(endpoint, { server_cert = server }))
    log.error "from nobody"
    t.eq(log.flush(0.3), nil)
    assert(log.to(endpoint))
    log.error "in the clear"
    t.eq(log.flush(0.3), nil)
    assert(log.to(endpoint, { server_cert = server, cert = friend }))
    log.error "from a friend"
    await_records(sink, 1)
    sink:close()
    t.eq(#lines_of(read(path)), 1)
    t.match(read(path), "from a friend\n$")
  end)
end)

t.test("certificates are made, kept, and told apart from what is none", function()
  with_directory(function(dir)
    local path = dir .. "/cert"
    t.eq(certificates.make(path), true)
    local ok, message = certificates.make(path)
    t.eq(ok, nil)
    t.eq(message, path .. ": there is a certificate already")
    local keys = certificates.load(path)
    t.eq(#keys.public, 40)
    t.eq(#keys.secret, 40)
    os.remove(path .. "_secret")
    t.deep(certificates.load(path), { public = keys.public })
    t.ok(certificates.load().secret ~= certificates.load().secret)
    t.eq(select(2, certificates.load(dir .. "/none")), dir .. "/none: No such file or directory")
    t.eq(select(2, certificates.make "/no/such/cert"):match "^/no/such/cert: ", "/no/such/cert: ")
    t.raises("path: string expected, got number", certificates.load, 1)
    ok, message = log_sink.open { pull = ANY, file = dir .. "/x", server_cert = path, client_certs = dir }
    t.eq(ok, nil)
    t.match(message, "there is no secret key in it")
  end)
end)

t.test("misuse raises, and what cannot be had is told", function()
  t.raises("options: table expected, got nil", log_sink.open)
  t.raises("unknown option 'pul'", log_sink.open, { pul = ANY })
  t.raises("an endpoint is missing", log_sink.open, { file = "/tmp/x" })
  t.raises("one of the options file, dir and descriptor", log_sink.open, { pull = ANY })
  t.raises("option 'rotate' needs option 'file'", log_sink.open, { pull = ANY, dir = "/tmp", rotate = 5 })
  t.raises("need each other", log_sink.open, { pull = ANY, file = "/tmp/x", server_cert = "x" })
  t.raises("endpoints are strings", log_sink.open, { pull = { 5 }, file = "/tmp/x" })
  t.raises("no such level", log_sink.open, { pull = ANY, descriptor = 2, level = "loud" })
  local function refused(options, pattern)
    local sink, message = log_sink.open(options)
    t.eq(sink, nil)
    t.match(message, pattern)
  end
  refused({ pull = ANY, file = "/no/such/x" }, "^/no/such/x: No such file")
  refused({ pull = "tcp://nowhere:x", descriptor = 2 }, "^tcp://nowhere:x: ")
  refused({ pull = ANY, descriptor = 2, grep = "(" }, "Unmatched")
  local sink = assert(log_sink.open { pull = ANY, descriptor = 2 })
  refused({ pull = sink:endpoints(), descriptor = 2 }, "Address already in use")
  sink:close()
  sink:close()
  t.eq(tostring(sink), "troupe.log_sink (closed)")
  t.raises("the sink is closed", sink.reopen, sink)
end)

t.test("a sink that is left open ends with its program, however that ends", function()
  for _, how in ipairs { "", "os.exit(0)", "os.exit(0, true)", "LEFT = nil collectgarbage()" } do
    local status, _, err = t.script([[
      local log, path = require "troupe.log", os.tmpname()
      LEFT = assert(require "troupe.log_sink".open { pull = "inproc://sink", file = path })
      log.to "inproc://sink"
      log.error "x"
      log.flush()
      os.remove(path)
      load(arg[1])() ]], how)
    t.eq(err, "")
    t.eq(status, 0)
  end
end)

t.test("a socket that anybody may reach is told, once", function()
  local said = {}
  assert(log.to(function(record) said[#said + 1] = record.message end))
  local sink = assert(log_sink.open { pull = "tcp://*:*", descriptor = 2 })
  sink:close()
  assert(log.to "stderr")
  t.eq(#said, 1)
  t.match(said[1], "^tcp://0%.0%.0%.0:%d+: whoever reaches it can write to this log: there is no CURVE")
end)

t.test("a sink whose senders have gone ends with what they sent, and waits for nothing more", function()
  with_directory(function(dir)
    local quickest = math.huge
    for round = 1, 20 do -- it would be a second each time
      local path, count = dir .. "/" .. round, 1000 // t.slowdown
      local sink <close> = assert(log_sink.open { pull = { ANY, "ipc://" .. dir .. "/sink" }, sub = ANY, file = path })
      for at = 1, 2 do
        assert(log.to(sink:endpoints()[at]))
        for i = 1, count do log.error("%d %d", at, i) end
      end
      assert(log.to "stderr")
      local begun = troupe.now()
      sink:close()
      quickest = math.min(quickest, troupe.now() - begun)
      local counts = { 0, 0 }
      for _, line in ipairs(lines_of(read(path))) do
        local at, i = line:match ": (%d+) (%d+)$"
        counts[tonumber(at)] = counts[tonumber(at)] + 1
        t.eq(tonumber(i), counts[tonumber(at)])
      end
      t.deep(counts, { count, count })
      if round >= 3 and quickest < 0.9 then break end
    end
    t.ok(quickest < 0.9, quickest)
  end)
end)

t.test("what this program said last reaches a sink of its own that it closes at once", function()
  with_directory(function(dir)
    local path = dir .. "/x.log"
    local sink <close> = assert(log_sink.open { pull = ANY, file = path })
    assert(log.to(sink:endpoints()[1]))
    log.error "last words"
    sink:close()
    t.match(read(path), ": last words\n$")
  end)
end)

t.test("closing a sink in a task lets others run", function()
  local sink = assert(log_sink.open { pull = ANY, descriptor = 2 })
  local client = zmtp.connect(sink:endpoints()[1], "PUSH") -- may yet send, so it waits for that
  local ran = 0
  local id = troupe.task.spawn(function() sink:close() end)
  while troupe.task.join(id, 0) == nil do
    ran = ran + 1
    troupe.task.sleep(0.001)
  end
  client:close()
  t.ok(ran > 1)
end)

t.finish()
