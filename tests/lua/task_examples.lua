-- task_examples.lua - the tasks' examples print what they say, by lua5.4 and by troupe run.

local t = require "harness"

local function path_of(name) return os.getenv "top_srcdir" .. "/examples/" .. name .. ".lua" end

local function script_of(name)
  local file <close> = assert(io.open(path_of(name)))
  return file:read "a"
end

-- What both ways of running it print, in this order: lua5.4, troupe run.
local function run(name)
  local status, out, err = t.script(script_of(name))
  t.eq(err, "")
  t.eq(status, 0)
  local again, lines, errors = t.troupe { "run", path_of(name) }
  t.eq(errors, "")
  t.eq(again, 0)
  return out, lines
end

local function prints(name, expected)
  for _, out in ipairs { run(name) } do t.eq(out, expected) end
end

t.test("task_wait", function()
  prints("task_wait", [[
guest 1	sits down
guest 2	is called home	true
barber	gives guest 1 a shave
guest 1	goes
guest 3	sits down
barber	gives guest 3 a wash
guest 3	goes
barber	closes	true	bell
guest 1	true	guest 1 was here
guest 2	false	killed
guest 3	true	guest 3 was here
]])
end)

t.test("task_poll", function()
  prints("task_poll", "the square of 1 is 1\nthe square of 2 is 4\nthe square of 3 is 9\ndone\n")
end)

t.test("task_luv", function()
  prints("task_luv", "libuv's timer\t1\nlibuv's timer\t2\nlibuv's timer\t3\na worker\ttroupetroupe\nthe end\n")
end)

t.test("task_luv says so when luv is not there", function()
  local status, out, err = t.script('package.preload.luv = function() error "none" end\n' .. script_of "task_luv")
  t.eq(status, 1)
  t.eq(out, "")
  t.match(err, "^task_luv.lua needs luv, .*lua%-luv")
end)

t.test("task_socket", function()
  for _, out in ipairs { run "task_socket" } do
    -- Who is first is the kernel's affair; each client's own lines are in order.
    local words, count = {}, 0
    for name, word in out:gmatch "(%l+) says: (%l+)\n" do
      words[name] = (words[name] and words[name] .. " " or "") .. word
      count = count + 1
    end
    t.deep(words, { ada = "how do you do", bela = "how do you do", carl = "how do you do" })
    t.eq(count, 12)
  end
end)

t.finish()
