-- documents.lua - what the documents say of the code is what the code says.

local t = require "harness"

local top = os.getenv "top_srcdir"

local function text_of(path)
  local file <close> = assert(io.open(top .. "/" .. path))
  return file:read "a"
end

local function list(pattern)
  local names, pipe = {}, assert(io.popen("cd '" .. top .. "' && ls -d " .. pattern))
  for name in pipe:lines() do names[#names + 1] = name end
  pipe:close()
  return names
end

local protocol, architecture = text_of "doc/protocol.md", text_of "doc/architecture.md"
local message, readme = text_of "src/message.h", text_of "README.md"

-- Lines of indented code of a document, each block as one text.
local function code_blocks(text)
  local blocks, block = {}, nil
  for line in (text .. "\n"):gmatch "(.-)\n" do
    local code = line:match "^    (.*)"
    if code then
      block = block or {}
      block[#block + 1] = code
    elseif block and line == "" then
      block[#block + 1] = ""
    elseif block then
      blocks[#blocks + 1] = table.concat(block, "\n")
      block = nil
    end
  end
  return blocks
end

t.test("protocol.md has every kind of letter, by its number", function()
  local count = 0
  for name in message:match "enum message_kind {(.-)};":gmatch "MAIL_(%u+)" do
    if name ~= "NONE" then
      t.match(protocol, "\n| " .. count .. " | " .. name .. " |")
    end
    count = count + 1
  end
  t.ok(count > 10)
end)

t.test("protocol.md has every flag of a letter, by its value", function()
  local count = 0
  for name, value in message:match "enum message_flag {(.-)};":gmatch "FLAG_(%u+) = (%d+)" do
    t.match(protocol, "\n| " .. value .. " | " .. name .. " |")
    count = count + 1
  end
  t.ok(count >= 8)
end)

t.test("protocol.md has every field of a letter's header, where it is", function()
  local sizes = { uint8_t = 1, uint16_t = 2, uint32_t = 4, uint64_t = 8 }
  local body = message:match "struct header (%b{});":gsub("union (%b{}) u;", "uint64_t seconds or number;")
  local at = 0
  for kind, name in body:gmatch "(uint%d+_t) ([%a ]+);" do
    t.match(protocol, ("\n| %d | %d | %s |"):format(at, sizes[kind], name))
    at = at + sizes[kind]
  end
  t.match(protocol, "header of " .. at .. " bytes")
end)

t.test("architecture.md has every room, on the floor that layers.sh gives its family", function()
  local floors, rows = {}, {}
  for floor, family in text_of "tests/layers.sh":match "<<'EOT'\n(.-)\nEOT":gmatch "(%d) ([%w_]+)" do
    floors[family] = floor
  end
  for floor, families, rooms in architecture:gmatch "\n| (%d) | ([^|]+) | ([^\n]+)" do
    for family in families:gmatch "[%w_]+" do
      rows[family .. floor] = (rows[family .. floor] or "") .. families .. " " .. rooms
    end
  end
  for _, path in ipairs(list "src/*.[ch]") do
    local room = path:match "src/(.*)%.[ch]$"
    local family = floors[room] and room or room:match "^[^_]*"
    local row = rows[family .. floors[family]]
    t.ok(row, family .. " on floor " .. floors[family])
    t.ok((" " .. row):find("[^%w_]" .. room .. "[^%w_]"), room)
  end
end)

t.test("the documents name no file that is not there", function()
  for _, document in ipairs { "README.md", table.unpack(list "doc/*.md") } do
    for path in text_of(document):gmatch "[%w_/]+/[%w_-]+%.[%a%d]+" do
      if path:match "^%l+/" and path:match "%.lua$" or path:match "^src/" or path:match "^doc/" then
        local file = io.open(top .. "/" .. path)
        t.ok(file, document .. " names " .. path)
        file:close()
      end
    end
  end
end)

-- Runs each Lua program of a document; `judge` is called with what it says it prints, and what it does.
local function run_programs(name, judge)
  local count = 0
  for _, program in ipairs(code_blocks(text_of(name))) do
    if program:match "^local " then
      local status, out, err = t.script(program, top .. "/LICENSE")
      t.eq(err, "", name)
      t.eq(status, 0, name)
      judge(program:gmatch "%-%-> ([^\n]+)", out)
      count = count + 1
    end
  end
  return count
end

t.test("the README's programs run, and print what they say", function()
  local count = run_programs("README.md", function(sayings, out)
    for said in sayings do
      for value in said:gmatch "[^,%s][^,]*" do t.ok(out:find(value, 1, true), value .. " in " .. out) end
    end
  end)
  t.ok(count >= 4)
end)

t.test("the README's first program counts lines", function()
  local lines = 0
  for _ in io.lines(top .. "/LICENSE") do lines = lines + 1 end
  local _, out = t.script(code_blocks(readme)[1], top .. "/LICENSE")
  t.eq(out, "3\n" .. top .. "/LICENSE\t" .. lines .. "\n")
end)

-- ---- the pages for those who come from elsewhere

local pages = list "doc/from-*.md"

-- Callbacks print when they are called: the order of lines is left open.
local function same_lines(sayings, out)
  local said, printed = {}, {}
  for values in sayings do said[#said + 1] = values:gsub(", ", "\t") end
  for line in out:gmatch "[^\n]+" do printed[#printed + 1] = line end
  table.sort(said)
  table.sort(printed)
  t.deep(printed, said)
end

for _, name in ipairs(pages) do
  if name ~= "doc/from-lws-threadpool.md" then
    t.test(name .. ": its programs run, and print what they say", function()
      t.ok(run_programs(name, same_lines) >= 1)
    end)
  end
end

t.test("the page for lws_threadpool shows api_steps.c as it is", function()
  local program = text_of "examples/api_steps.c":match "\n(#include.*)\n$"
  local shown
  for _, block in ipairs(code_blocks(text_of "doc/from-lws-threadpool.md")) do
    if block:match "^#include" then shown = block:gsub("\n+$", "") end
  end
  t.eq(shown, program)
end)

t.test("the README's C is api_steps.c, too", function()
  local program, count = text_of "examples/api_steps.c", 0
  for _, block in ipairs(code_blocks(readme)) do
    if block:match "^/%* " then
      t.ok(program:find(block:gsub("\n+$", ""), 1, true), block)
      count = count + 1
    end
  end
  t.eq(count, 1)
end)

t.test("the pages name no function that is not there", function()
  local troupe, task, header = require "troupe", require "troupe.task", text_of "src/troupe.h"
  local pool <close> = troupe.pool { workers = 1 }
  local known = { pool = pool, job = pool:submit "return", group = pool:group(), task = task, troupe = troupe }
  local function is_file(name) return name == "troupe.h" or package.searchpath(name, package.path) end
  local count = 0
  for _, name in ipairs { "README.md", table.unpack(pages) } do
    local text = text_of(name)
    for owner, method in text:gmatch "%f[%w_](%l+)[:.]([%l_]+)" do
      if known[owner] and not is_file(owner .. "." .. method) then
        t.ok(known[owner][method], name .. " names " .. owner .. "." .. method)
        count = count + 1
      end
    end
    for word in text:gmatch "%f[%w_][Tt][Rr][Oo][Uu][Pp][Ee]_[%w_]+" do
      t.ok(header:find("%f[%w_]" .. word .. "%f[^%w_]"), name .. " names " .. word)
      count = count + 1
    end
  end
  t.ok(count > 150, count)
end)

t.finish()
