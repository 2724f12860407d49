-- examples.lua - the examples run, and print what they say; none is longer than 40 lines.

local t = require "harness"

local top = os.getenv "top_srcdir"

local function path_of(name) return top .. "/examples/" .. name .. ".lua" end

-- Runs an example by the plain interpreter and by troupe run; both must print the same.
local function run(name, ...)
  local status, out, err = t.troupe { "run", path_of(name), ... }
  t.eq(err, "")
  t.eq(status, 0)
  local file <close> = assert(io.open(path_of(name)))
  local again, lines, errors = t.script(file:read "a":gsub("^", "arg[0] = " .. ("%q "):format(path_of(name)), 1), ...)
  t.eq(errors, "")
  t.eq(again, 0)
  return out, lines
end

local function prints(name, expected)
  local out, again = run(name)
  t.eq(out, expected)
  t.eq(again, expected)
end

t.test("pool_submit", function()
  prints("pool_submit", "3\n1\t50500\n2\t201000\n3\t451500\n4\t802000\nababab\n3\n")
end)

t.test("pool_map", function()
  local out = run "pool_map"
  t.match(out, "^0\t1229\n10000\t1033\n.*\nall\t9592\n$")
end)

t.test("pool_group", function()
  prints("pool_group",
    "/index\t15 bytes\n/news\t14 bytes\n/missing\tfailed: 404\n/about\t15 bytes\n/broken\tfailed: 500\n3 of 5\n")
end)

t.test("pool_imap", function()
  prints("pool_imap", "38\n462\n538\n962\n1038\n1462\n1538\n1962\n2038\n2462\n")
end)

t.test("pool_stream", function()
  prints("pool_stream", "1019\t1021\n1031\t1033\n1049\t1051\n1061\t1063\n1091\t1093\ncleanup: stopped\n"
    .. "stopped\tstopped\nfalse\ttimeout\nstep\t0\ttrue\nstep\t1\ttrue\nstep\t2\ttrue\nlast\t3\ttrue\tended after 3\n")
end)

t.test("pool_errors", function()
  local out = run "pool_errors"
  t.match(out, "^false\tno such luck\ttrue\nfalse\ttable: [%w]+\n7\n"
    .. "1\t1\tnil\n2\tnil\t3 is odd\n3\t2\tnil\n4\tnil\t5 is odd\n5\t3\tnil\nat last\n$")
end)

t.test("pool_flaky", function()
  prints("pool_flaky", "index after 1\nbusy news after 3\ngone fishing: status 404\n2 retries\n")
end)

t.test("pool_process", function()
  local status, out, err = t.troupe { "run", path_of "pool_process" }
  t.eq(status, 0)
  t.match(err, "killed by signal 9") -- the log tells of processes that are lost
  t.eq(out, "plain: 5 bytes, run 1\na bomb: 6 bytes, run 2\nmore: 4 bytes, run 1\n"
    .. "the next bomb: 13 bytes, run 2\n"
    .. "false\tlost: the worker process that ran the job is gone: killed by signal 9 (Killed)\n6\t1\n")
end)

t.test("pool_schedule", function()
  for _, out in ipairs{ run "pool_schedule" } do
    t.match(out, "^true\tcancelled\nreport 1\nreport 2\nno report\nreport 4\nreport 5\n")
    t.match(out, "true\ntrue\n0 left\n$")
  end
end)

t.test("pool_init", function() prints("pool_init", "Lima\nAccra\n?\n") end)

-- A directory with the files of a table name -> text, gone when the body ends.
local function with_directory(files, body)
  local dir = os.tmpname()
  os.remove(dir)
  assert(os.execute("mkdir '" .. dir .. "'"))
  for name, text in pairs(files) do
    local file <close> = assert(io.open(dir .. "/" .. name, "wb"))
    file:write(text)
  end
  local ok, err = pcall(body, dir)
  os.execute("rm -rf '" .. dir .. "'")
  if not ok then error(err, 0) end
end

t.test("pool_gzip compresses the files of a directory, and names those it cannot", function()
  local text = ("twenty bytes of text"):rep(1000)
  with_directory({ a = text, ["it's"] = text, stuck = text }, function(dir)
    os.execute("mkdir '" .. dir .. "/stuck.gz'") -- where its result should go
    local status, out, err = t.script('dofile "' .. path_of "pool_gzip" .. '"', dir)
    t.match(err, "/stuck: gzip ended with exit %d\n$")
    t.match(out, "^2 files, 40000 bytes, now %d+ bytes, 1 failed\n$")
    t.eq(status, 1)
    local _, again = t.run { "gzip", "-dc", dir .. "/it's.gz" }
    t.eq(again, text)
  end)
end)

t.test("pool_scan counts every line of a log once, whatever the pieces", function()
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  for i = 1, 40000 do
    file:write(("12:00:00 %s %s\n"):format(i % 100 == 0 and "ERROR" or "INFO", ("x"):rep(i % 97)))
  end
  file:close()
  local status, out, err = t.script('dofile "' .. path_of "pool_scan" .. '"', path, path)
  os.remove(path)
  t.eq(err, "")
  t.eq(out, "INFO\t79200\nERROR\t800\n")
  t.eq(status, 0)
end)

t.test("wordcount counts the words of text files, and of no others", function()
  with_directory({ ["a.txt"] = "The cat, the dog.\n", ["it's"] = "THE end\n", data = "the\0the the", empty = "" },
    function(dir)
      local out, again = run("wordcount", dir)
      for _, text in ipairs { out, again } do
        t.match(text, "^the\t3\n%l+\t1\n%l+\t1\n%l+\t1\n3 files, 26 bytes of text, 0 files not read; ")
        t.match(text, "%d%.%d%d s with one worker, %d%.%d%d s with %d+: %d+%.%d%d times as fast\n$")
      end
    end)
end)

t.test("wordcount names and counts what it cannot read, and does the rest", function()
  -- This lists the process that does the listing: it is gone when its files shall be read.
  local status, out, err = t.troupe { "run", path_of "wordcount", "/proc/self/task" }
  t.match(out, "%d+ files, %d+ bytes of text, [1-9]%d* files not read; ")
  t.match(err, "not read: [^\n]*/proc/self/task/")
  t.eq(status, 1)
end)

t.test("no example is longer than 40 lines", function()
  local list = assert(io.popen("ls '" .. top .. "'/examples/*.lua"))
  for path in list:lines() do
    local count = 0
    for _ in io.lines(path) do count = count + 1 end
    t.ok(count <= 40, path .. " has " .. count .. " lines")
  end
  list:close()
end)

t.finish()
