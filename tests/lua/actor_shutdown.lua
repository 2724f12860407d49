-- actor_shutdown.lua - the order in which a program ends: supervisors from the leaves up, in every vm; then pools; then
-- the log.

local t = require "harness"
local troupe = require "troupe"
local shutdown = require "troupe.actor_shutdown"

local test, eq, ok, deep, match = t.test, t.eq, t.ok, t.deep, t.match

-- A program that leaves a line in a file, its first argument, for each thing that ends. Its second says how it ends.
local program = [[
  local troupe = require "troupe"
  local path, ending = ...

  local function noting(id, path)
    local function note(what)
      local file <close> = io.open(path, "a")
      file:write(id, " ", what, "\n")
    end
    return { init = function() end, terminate = function(_, reason) note(reason) end, note = note }
  end

  local function elsewhere(make, id, path)
    return (assert(require "troupe".spawn { make(id, path), isolation = "local" }))
  end

  local threads = troupe.pool { workers = 1 }
  local processes = troupe.pool { workers = 1, isolation = "process" }
  assert(troupe.spawn { noting("early", path), isolation = "local" })
  threads:submit(elsewhere, noting, "thread", path):await()
  processes:submit(elsewhere, noting, "process", path):await()
  assert(troupe.supervise { children = {
    { id = "a", start = { noting("a", path) } },
    { id = "b", start = { "actors/supervisor.lua", { children = {
      { id = "b1", start = { noting("b1", path) } },
      { id = "b2", start = { noting("b2", path) } },
    } } } },
    { id = "c", start = { { noting("c", path), isolation = "thread" } } },
    { id = "d", start = { { noting("d", path), isolation = "process" } } },
  } })
  assert(troupe.spawn { noting("late", path), isolation = "local" })
  assert(troupe.spawn { noting("apart", path) })
  assert(troupe.spawn { noting("farther", path), isolation = "process" })
  local job = threads:submit {
    function()
      require "troupe".emit "begun"
      while require "troupe".checkin() do require "troupe.task".sleep(0.001) end
    end,
    cleanup = noting("pool", path).note,
  }
  job:take()
  if ending == "shutdown" then troupe.shutdown(true) end
  if ending == "error" then error "as it should" end
  if ending == "interrupt" then
    io.stdout:write "ready\n"
    io.stdout:flush()
    while true do troupe.task.sleep(1) end
  end
]]

local expected = [[
farther shutdown
apart shutdown
late shutdown
d shutdown
c shutdown
b2 shutdown
b1 shutdown
a shutdown
early shutdown
process shutdown
thread shutdown
pool]]

local function contents(path)
  local file <close> = io.open(path)
  return file and file:read "a" or ""
end

-- What the program left behind when it was run so, its status and what it said of errors.
local function ends(run, ending)
  local path, source = os.tmpname(), os.tmpname()
  do
    local file <close> = io.open(source, "w")
    file:write(program)
  end
  local status, _, err = run(source, path, ending)
  local text = contents(path)
  os.remove(path)
  os.remove(source)
  eq(text:sub(1, #expected), expected)
  ok(not text:sub(#expected + 1):find "\n.", "nothing ends after the pool")
  return status, err
end

local function by_troupe(source, path, ending) return t.troupe { "run", source, path, ending } end

test("troupe.shutdown ends actors of all vms, then pools", function()
  local status, err = ends(function(source, path, ending)
    return t.run { t.interpreter(), source, path, ending }
  end, "shutdown")
  eq(status, 0, err)
end)

test("troupe run ends a program in that order", function()
  local status, err = ends(by_troupe, "return")
  eq(status, 0, err)
end)

test("troupe run ends a program that failed in that order, too", function()
  local status, err = ends(by_troupe, "error")
  eq(status, 1)
  t.match(err, "as it should")
end)

test("troupe run ends a program that is interrupted in that order, too", function()
  local status, err = ends(function(source, path, ending)
    return t.run { "sh", "-c", t.awaiting .. [[
      d=$(mktemp -d) || exit 99; trap 'rm -rf "$d"' EXIT
      "$TROUPE" run "$1" "$2" "$3" >"$d/out" & pid=$!
      see "$d/out" ready
      kill -INT $pid; wait $pid]], "sh", source, path, ending }
  end, "interrupt")
  eq(status, 130, err)
end)

for _, isolation in ipairs { "local", "thread" } do
  test("what is said on the way is kept by a logger of the program's own, " .. isolation, function()
    local path = os.tmpname()
    local status, _, err = t.script([[
      local troupe = require "troupe"
      local log = troupe.log
      local path, isolation = ...
      assert(troupe.spawn({ "actors/logger.lua", isolation = isolation },
        { pull = "inproc://kept", file = path, own = true }))
      assert(troupe.spawn { { terminate = function() log.error "an actor ends" end }, isolation = "local" })
      local pool = troupe.pool { workers = 1 }
      local job = pool:submit {
        function()
          require "troupe".emit "begun"
          while require "troupe".checkin() do require "troupe.task".sleep(0.001) end
        end,
        cleanup = function() require "troupe".log.error "a pool ends" end,
      }
      job:take()
      troupe.shutdown(true)
      log.error "the logger has ended" ]], path, isolation)
    local text = contents(path)
    os.remove(path)
    eq(status, 0, err)
    t.match(text, "an actor ends.*a pool ends")
    ok(not text:find "has ended")
    t.match(err, "the logger has ended")
  end)
end

test("a supervisor has the time that its children may take", function()
  local leaf = { terminate = function() end }
  local inner
  local outer = assert(troupe.supervise { children = {
    { id = "told", start = { leaf }, shutdown = 7 },
    { id = "kill", start = { leaf }, shutdown = "kill" },
    { id = "plain", start = { leaf } },
    { id = "inner", start = { "actors/supervisor.lua", { children = {
      { id = 1, start = { leaf }, shutdown = 60 },
    } } } },
  } })
  for _, child in ipairs(outer:call "which") do inner = child.id == "inner" and child.ref or inner end
  eq(shutdown.seconds(inner), 65)
  eq(shutdown.seconds(inner, 3), 3)
  eq(shutdown.seconds(outer), 5 + 7 + 0 + 5 + 65)
  outer:stop "shutdown"
  eq(inner:alive(), false)
end)

test("an actor that takes too long to end is killed, and the others have their terminate", function()
  local ended = {}
  local function child(id, seconds)
    return { id = id, shutdown = seconds, start = { { init = function() end, terminate = function()
      ended[#ended + 1] = id
      if id == "slow" then
        troupe.task.sleep(1000)
        ended[#ended + 1] = "too slow"
      end
    end } } }
  end
  local supervisor = assert(troupe.supervise { children = { child("a"), child("slow", 0.05), child("b") } })
  shutdown.end_own()
  deep(ended, { "b", "slow", "a" })
  eq(supervisor:alive(), false)
  eq(#require "troupe.actor.core".all(), 0)
end)

test("a vm that reads no mail does not hold the end up", function()
  local pool = troupe.pool { workers = 1 }
  local job = pool:submit(function()
    return (assert(require "troupe".spawn { { spin = function() while true do end end }, isolation = "local" }))
  end)
  local ref = job:await(t.script_deadline)
  ref:send "spin" -- which it reads before it is asked to end its actors
  local seconds = shutdown.answer_seconds
  shutdown.answer_seconds = 0.05
  troupe.shutdown(true)
  shutdown.answer_seconds = seconds
  deep(troupe.stats(), {})
end)

test("who asks for it is not ended by it", function()
  local asker = assert(troupe.spawn { {
    ask = function() return troupe.shutdown() end,
    here = function() return true end,
  }, isolation = "local" })
  local other = assert(troupe.spawn { {}, isolation = "local" })
  asker:call_with({ timeout = t.script_deadline }, "ask")
  eq(asker:call "here", true)
  eq(other:alive(), false)
  asker:kill()
end)

-- ---- programs that end without a word

local ending = [[
  local troupe = require "troupe"
  local function told(name)
    return { terminate = function(_, reason) io.stderr:write(name, " ", reason, "\n") end,
      stuck = function() while true do end end }
  end
  local tree = troupe.supervise { isolation = "local", children = {
    { id = 1, start = { told "first" } }, { id = 2, start = { told "second" }, isolation = "thread" } } }
  local apart, here = troupe.spawn { told "apart" }, troupe.spawn { told "here", isolation = "local" }
]]

local function ended(how)
  local status, _, err = t.script(ending .. how)
  return status, err
end

test("a program that returns, raises or exits in order ends its actors in order", function()
  for how, code in pairs { [""] = 0, ["os.exit(3, true)"] = 3 } do
    local status, err = ended(how)
    eq(status, code)
    eq(err, "apart shutdown\nhere shutdown\nsecond shutdown\nfirst shutdown\n")
  end
  local status, err = ended "error 'no'"
  eq(status, 1)
  match(err, "no\nstack traceback:.*\napart shutdown\nhere shutdown\nsecond shutdown\nfirst shutdown\n$")
end)

test("os.exit alone closes nothing, and no actor hears of it", function()
  local status, err = ended "os.exit(3)"
  eq(status, 3)
  eq(err, "")
end)

test("what troupe.shutdown has ended does not end again", function()
  local status, err = ended "troupe.shutdown()"
  eq(status, 0)
  eq(err, "apart shutdown\nhere shutdown\nsecond shutdown\nfirst shutdown\n")
end)

test("an actor that does not end keeps no program from ending", function()
  local status, err = ended [[
    apart:send "stuck"
    assert(troupe.spawn { told "last" })
  ]]
  eq(status, 0)
  match(err, "^last shutdown\n")
end)

test("a thread that ends leaves the program's actors alone", function()
  local status, out = t.script [[
    local troupe = require "troupe"
    local actor = troupe.spawn { { get = function() return "there" end } }
    local thread = require "llthreads".new([=[
      local ref = ...
      local troupe = require "troupe"
      troupe.spawn { { terminate = function() error "not called" end }, isolation = "local" }
      return ref:call "get"
    ]=], actor):start()
    print(thread:join())
    print(actor:call "get")
  ]]
  eq(status, 0)
  eq(out, "true\tthere\nthere\n")
end)

t.finish()
