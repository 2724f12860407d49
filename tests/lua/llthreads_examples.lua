-- llthreads_examples.lua - the examples of threads run, and print what they say.

local t = require "harness"

local assert, io, ipairs, os = assert, io, ipairs, os

local expected = {
  { "threads_detach", "true\t0\nwritten by a detached thread\nnil\tCan't join a thread that has been detached.\n" },
  { "threads_interrupt",
    "true\tstopped: thread was interrupted\nnil\ttimeout\nfalse\tllthreads: thread was interrupted\n" },
  { "threads_join", "4\t9913\t30083\n" },
  { "threads_logger", 'false\tdisk full\nError from thread: [string "  local path = ......"]:6: disk full\n' },
  { "threads_prelude", "true\t3! 4! 5!\t2\n" },
}

for _, pair in ipairs(expected) do
  t.test(pair[1] .. " prints what it says", function()
    local file <close> = assert(io.open(os.getenv "top_srcdir" .. "/examples/" .. pair[1] .. ".lua"))
    local status, out, err = t.script(file:read("a"))
    t.eq(status, 0, err)
    t.eq(err, "")
    t.eq(out, pair[2])
  end)
end

t.finish()
