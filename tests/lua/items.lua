-- items.lua - the C side of `troupe map`: a function called for each item of a block, and blocks read from a file.

local t = require "harness"

require "troupe"
local core = require "troupe.core"

local function no_tell() error("nothing to tell", 0) end

t.test("each item between delimiters is a call, its results a line", function()
  t.deep({ core.run_items(function(x) return x, 1 end, "a\nb\n", "\n", no_tell) }, { "a\t1\nb\t1\n", 2, 0 })
  t.deep({ core.run_items(function(x) return x end, "a\0b\n\0", "\0", no_tell) }, { "a\nb\n\n", 2, 0 })
  t.deep({ core.run_items(function(x) return "<" .. x .. ">" end, "\n\nlast", "\n", no_tell) },
    { "<>\n<>\n<last>\n", 3, 0 })
  t.deep({ core.run_items(print, "", "\n", no_tell) }, { "", 0, 0 })
end)

t.test("plain results are told without help", function()
  local values = { "", "x\0y", 0, -1, math.mininteger, math.maxinteger, 0.5, -0.0, 1e100, true, false }
  local expected = {}
  for i, value in ipairs(values) do expected[i] = tostring(value) end
  t.eq((core.run_items(function() return table.unpack(values) end, "i", "\n", no_tell)),
    table.concat(expected, "\t") .. "\n")
  t.eq((core.run_items(function() return nil, 1, nil end, "i", "\n", no_tell)), "\t1\t\n")
end)

t.test("other results are told by the function given for that", function()
  local function tell(ok, item, seconds, ...)
    t.eq(ok, true)
    t.eq(seconds, 0.0)
    return item .. select("#", ...) .. type((...))
  end
  local function call(x) return x == "b" and {} or x, nil end
  t.eq((core.run_items(call, "a\nb\nc", "\n", tell)), "a\t\nb2table\nc\t\n")
end)

t.test("with every true all results are told, and their seconds", function()
  local function tell(_, item, seconds, ...)
    t.ok(seconds >= 0 and seconds < 60)
    return item .. (...)
  end
  t.eq((core.run_items(function(x) return x end, "a\nb", "\n", tell, true)), "aa\nbb\n")
end)

t.test("a call that raises is told with its traceback, which ends where the call began", function()
  local function deep(n)
    if n == 0 then error { "deep" } end
    return (deep(n - 1))
  end
  local function tell(ok, item, _, err, traceback)
    return nil, table.concat { tostring(ok), item, err[1], select(2, traceback:gsub("in function <[^\n]*:", "")), "\n",
      traceback }
  end
  local lines, done, failed, complaints = core.run_items(function(x)
    if x == "b" then deep(3) end
    return x
  end, "a\nb\nc", "\n", tell)
  t.deep({ lines, done, failed }, { "a\nc\n", 3, 1 })
  t.match(complaints, "^falsebdeep1\nstack traceback:\n\t%[C%]: in function 'error'\n")
  t.ok(not complaints:find "xpcall", complaints)
end)

t.test("a very deep traceback keeps its ends", function()
  local function tell(_, _, _, _, traceback) return nil, traceback end
  local function deep(n) return n > 0 and (deep(n - 1)) or error "bottom" end
  -- In a coroutine, as in a worker, few frames lie below.
  local _, _, _, complaints = coroutine.wrap(core.run_items)(function() return (deep(100)) end, "a", "\n", tell)
  t.match(complaints, "skipping")
  t.match(complaints, "tests/lua/items%.lua:%d+: in function <[^\n]*items%.lua:%d+>\n$")
end)

t.test("a failure to tell is a failure of the item, and a failure to tell that is survived", function()
  local calls = 0
  local function tell(ok)
    calls = calls + 1
    error(ok and "cannot" or { "neither" })
  end
  local function call(x) return x == "a" and {} or x end
  local lines, done, failed, complaints = core.run_items(call, "a\nb", "\n", tell)
  t.deep({ lines, done, failed, calls }, { "b\n", 2, 1, 2 })
  t.match(complaints, "^an item failed, and so did telling of it\n$")
end)

t.test("a call may yield", function()
  local co = coroutine.wrap(function()
    return core.run_items(function(x)
      local got = coroutine.yield(x)
      if got == "raise" then error("told", 0) end
      return got
    end, "a\nb\nc", "\n", function(_, item, _, err, traceback) return nil, item .. err .. traceback end)
  end)
  t.eq(co(), "a")
  t.eq(co(1), "b")
  t.eq(co "raise", "c")
  local lines, done, failed, complaints = co(3)
  t.deep({ lines, done, failed }, { "1\n3\n", 3, 1 })
  t.match(complaints, "^btoldstack traceback:")
end)

t.test("when its time is over a run gives the rest back", function()
  local block = ("item\n"):rep(20)
  local lines, done, failed, complaints, rest = core.run_items(function(x) return x end, block, "\n", no_tell, false, 0)
  t.deep({ lines, done, failed, complaints, rest }, { ("item\n"):rep(8), 8, 0, nil, 41 })
  t.eq(select("#", core.run_items(function(x) return x end, "a\nb\n", "\n", no_tell, false, 0)), 4)
  t.eq(select("#", core.run_items(function(x) return x end, block, "\n", no_tell, false, 1000)), 4)
end)

t.test("many results and many lines", function()
  local many = {}
  for i = 1, 5000 do many[i] = i end
  local line = table.concat(many, "\t") .. "\n"
  t.eq((core.run_items(function() return table.unpack(many) end, ("x\n"):rep(20), "\n", no_tell)), line:rep(20))
  local every = core.run_items(function() return table.unpack(many) end, "x", "\n",
    function(_, _, _, ...) return tostring(select("#", ...)) end, true)
  t.eq(every, "5000\n")
end)

t.test("misuse is an error", function()
  t.raises("#1", core.run_items)
  t.raises("string expected", core.run_items, print)
  t.raises("one byte expected", core.run_items, print, "a", "", no_tell)
  t.raises("function expected", core.run_items, print, "a", "\n", 1)
  t.raises("one byte expected", core.reader, 0, "ab")
  t.raises("number expected", core.reader)
end)

-- Reads all of standard input by blocks, in a process of its own; each block is a line of what comes back.
local function blocks(input, items, bytes)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write [[
    require "troupe"
    local reader <close> = require "troupe.core".reader(0, ",")
    local items, bytes = math.tointeger(...), math.tointeger((select(2, ...)))
    for block, count in function() return reader:read(items, bytes) end do print(count, block) end]]
  file:close()
  local status, out, err = t.troupe({ "run", path, items, bytes }, input)
  os.remove(path)
  t.eq(status .. err, "0")
  return out
end

t.test("a reader hands out at most so many items, and begins none beyond so many bytes", function()
  t.eq(blocks("a,b,c,d,e", 2, 100), "2\ta,b,\n2\tc,d,\n1\te,\n")
  t.eq(blocks("aaa,b,c,ddddd,e,", 10, 5), "2\taaa,b,\n2\tc,ddddd,\n1\te,\n")
  t.eq(blocks(",,", 10, 1), "1\t,\n1\t,\n")
  t.eq(blocks("", 10, 10), "")
end)

t.test("a reader grows with its items", function()
  local long = ("x"):rep(300000)
  t.eq(blocks(long .. ",y," .. long, 10, 1), "1\t" .. long .. ",\n1\ty,\n1\t" .. long .. ",\n")
  local many = ("0123456789,"):rep(30000)
  t.eq(blocks(many, 100000, 1 << 20):gsub("%d+\t", ""):gsub("\n", ""), many)
end)

t.test("a descriptor that is none gives a message", function()
  t.deep({ core.reader(12345, "\n"):read(1, 1) }, { nil, "Bad file descriptor" })
end)

t.test("what cannot be written gives a message", function()
  t.deep({ core.write(12345, "x") }, { nil, "Bad file descriptor", false })
  t.eq(core.write(1, ""), true)
end)

t.test("terminals and their width", function()
  t.eq(core.isatty(12345), false)
  t.eq(core.columns(12345), nil)
end)

t.finish()
