-- log_examples.lua - the examples of the log run, and print what they say.

local t = require "harness"

local function prints(name, pattern, ...)
  local status, out, err = t.troupe { "run", os.getenv "top_srcdir" .. "/examples/" .. name .. ".lua", ... }
  t.eq(err, "")
  t.eq(status, 0)
  t.match(out, pattern)
end

t.test("log", function()
  prints("log", "^info\t3 of 7 done\tlog%.lua:11\tnil\nnotice\tserved\tlog%.lua:12\t0.25\n"
    .. "warning\tfrom a job\tlog%.lua:16\tnil\ninfo\tdone\tlog%.lua:18\tnil\nto the file\n$")
end)

t.test("log_threads", function()
  prints("log_threads", "^true\nError from thread: .*:5: SOME ERROR\n$", "tcp://127.0.0.1:*")
end)

t.finish()
