-- threadpool_examples.lua - the threadpool's examples print what they say.

local t = require "harness"

local function run(name)
  local file <close> = assert(io.open(os.getenv "top_srcdir" .. "/examples/" .. name .. ".lua"))
  local status, out, err = t.script(file:read "a")
  t.eq(err, "")
  t.eq(status, 0)
  return out
end

t.test("threadpool", function()
  t.eq(run "threadpool", [[
08:00	not idle thread, thread count =	2	growing =	2
09:00	Ada	rings
09:00	host	meets	Ada
10:00	Bela	rings
10:00	host	meets	Bela
12:00	host	meets	nobody came	bell
14:00	Carl	rings
14:00	try to wakeup an idle thread, id=2
14:00	Carl	goes home
]])
end)

t.test("threadpool_ext", function()
  t.eq((run "threadpool_ext":gsub("%d+%.%d", "at")), [[
at	bread	into the oven
at	guest	asks for the cake
at	bread	ready
at	cake	into the oven
at	cake	ready
at	waiter	serves	2
]])
end)

t.finish()
