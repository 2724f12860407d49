-- progress.lua - the progress line: what it shows, how wide, how often, and when not at all.
--
-- It draws where there is a terminal or where it is forced; forced into a file, each drawing can be read there.

local t = require "harness"

local troupe = require "troupe"

-- What body(progress) makes appear; drawings are what stands between carriage returns.
local function drawings(options, body)
  local out <close> = io.tmpfile()
  options.out, options.force = out, true
  local progress = troupe.progress(options)
  body(progress)
  out:seek "set"
  local list = {}
  for text in out:read "a":gmatch "[^\r\n]+" do
    text = text:gsub(" +$", "")
    if text ~= "" then list[#list + 1] = text end
  end
  return list
end

local function await_redraw()
  local last = troupe.now() + 0.11
  repeat until troupe.now() >= last
end

local function count_to(n)
  return function(progress)
    for _ = 1, n do progress:step() end
    await_redraw()
    progress:step()
    progress:finish()
  end
end

t.test("a line has label, percent, bar, count, rate and time left", function()
  local lines = drawings({ total = 200, label = "files" }, count_to(99))
  t.eq(#lines, 1)
  t.match(lines[1], "^files  50%% %[=+> +%] 100/200  %d+/s  0:%d%d left$")
end)

t.test("failures are counted, and count as done", function()
  local lines = drawings({ total = 10 }, function(progress)
    progress:fail(3)
    await_redraw()
    progress:step(2)
    progress:finish()
  end)
  t.match(lines[1], "^ 50%% %[=+> +%] 5/10  .* left  3 failed$")
end)

t.test("without a total it shows count, rate and time passed", function()
  local lines = drawings({ label = "lines" }, count_to(41))
  t.match(lines[1], "^lines 42  %d+/s  0:%d%d$")
end)

t.test("keep leaves the whole of it, with the mean rate and the time it took", function()
  local lines = drawings({ total = 50, keep = true }, count_to(49))
  t.match(lines[#lines], "^100%% %[=+%] 50/50  %d+/s  0:%d%d$")
end)

t.test("it is drawn at most ten times a second", function()
  local start = troupe.now()
  local lines = drawings({ total = 1000000 }, function(progress)
    while troupe.now() < start + 0.5 do progress:step() end
    progress:finish()
  end)
  local most = math.floor((troupe.now() - start) * 10) + 1
  t.ok(#lines >= 1 and #lines <= most, #lines .. " drawings")
end)

t.test("a line is narrower than the terminal and never wraps, whatever its label", function()
  for _, label in ipairs { "", ("long "):rep(50), ("\u{e4}"):rep(50), ("\xff"):rep(50) } do
    local lines = drawings({ total = 10 ^ 12 // 1 | 0, label = label }, function(progress)
      progress:step(123456789012)
      progress:fail(987654)
      await_redraw()
      progress:fail(1)
      progress:finish()
    end)
    t.ok((utf8.len(lines[1]) or #lines[1]) <= 79, lines[1])
  end
end)

t.test("more than the total is no more than a hundred percent", function()
  local lines = drawings({ total = 2 }, count_to(4))
  t.match(lines[1], "^100%% %[=+%] 5/2 ")
  t.match(drawings({ total = 0 }, count_to(0))[1], "^100%%")
end)

t.test("a shorter line leaves nothing of the longer one before it, and hiding nothing at all", function()
  local out <close> = io.tmpfile()
  local progress = troupe.progress { total = 3, out = out, force = true }
  await_redraw()
  progress:step()
  progress:hide()
  out:seek "set"
  local line, blank, rest = out:read "a":match "^\r([^\r]+)\r( +)\r(.*)$"
  t.eq(#line, #blank)
  t.eq(rest, "")
end)

t.test("where standard error is no terminal not a byte appears", function()
  local status, out, err = t.script [[
    local troupe = require "troupe"
    local progress <close> = troupe.progress { total = 5, label = "x", keep = true }
    local last = troupe.now() + 0.3
    repeat progress:step() progress:fail() progress:hide() until troupe.now() > last
    progress:finish()
    progress:finish()]]
  t.eq(status .. out .. err, "0")
end)

t.test("misuse names the option", function()
  t.raises("unknown option 'size' %(known: force, keep, label, off, out, total%)", troupe.progress, { size = 1 })
  t.raises("option 'total': integer", troupe.progress, { total = "many" })
  t.raises("option 'out': open file expected, got string", troupe.progress, { out = "stderr" })
end)

t.finish()
