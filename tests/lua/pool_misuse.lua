-- pool_misuse.lua - what a pool says when it is used wrongly.

local t = require "harness"
local troupe = require "troupe"

local function same(x) return x end

t.test("an item that cannot cross is named by its place among the items", function()
  local pool <close> = troupe.pool { workers = 2 }
  local list = {}
  for i = 1, 100 do list[i] = i end
  list[77] = { file = io.stdout }
  for _, chunk in ipairs { 1, 10, 100 } do
    local ok, err = pcall(pool.map, pool, same, list, { chunk = chunk })
    t.eq(ok, false)
    t.match(err, '^item 77, field "file": cannot send a userdata')
    local function read() for _ in pool:imap(same, list, { chunk = chunk }) do end end
    t.match(select(2, pcall(read)), "^item 77, field")
  end
  t.eq(#pool:map(same, { 1, 2, 3 }), 3)
end)

t.test("a pool that is closed says so, and where it was used", function()
  local pool = troupe.pool { workers = 1 }
  pool:shutdown()
  t.raises("^[^\n]*pool_misuse.lua:%d+: map: the pool is closed$", function() pool:map(same, { 1 }) end)
  t.raises("^[^\n]*pool_misuse.lua:%d+: imap: the pool is closed$", function() pool:imap(same, { 1 }) end)
end)

t.test("whatever way a job is submitted, who did it wrong is told where", function()
  local pool <close> = troupe.pool { workers = 1 }
  local group <close> = pool:group()
  local function raises(message, wrong) t.raises("^[^\n]*pool_misuse.lua:%d+: " .. message, wrong) end
  raises("submit: option 'at': ", function() pool:submit { same, at = { year = 2020 } } end)
  raises("submit: option 'delay': ", function() pool:submit_later("x", same) end)
  raises("submit: option 'delay': ", function() pool:submit_done_later("x", same, same) end)
  raises("submit: { function or string", function() pool:submit_first(nil) end)
  raises("submit: option 'at': ", function() pool:submit_at("x", 0, same) end)
  raises("submit_at: interval: .*got %-1", function() pool:submit_at(0, -1, same) end)
  raises("schedule: interval: .*got nil", function() pool:schedule(nil, same) end)
  raises("submit: unknown option 'foo'", function() group:submit { same, foo = 1 } end)
  raises("imap: list or iterator expected", function() pool:imap(same) end)
  raises("map: list or iterator expected", function() pool:map(same) end)
  raises("join: number of seconds", function() pool:join(-1) end)
  raises("stream: integer", function() pool:submit(same):stream "x" end)
  raises("take: number of seconds", function() pool:submit(same):take(-1) end)
  pool:shutdown()
  for _, name in ipairs { "cancel", "clear", "join", "pause", "resume" } do
    raises(name .. ": the pool is closed$", function() pool[name](pool) end)
  end
  raises("submit: the pool is closed$", function() pool:submit_later(1, same) end)
  raises("submit: the pool is closed$", function() group:submit(same) end)
end)

t.test("cancel wants a job or its id", function()
  local pool <close> = troupe.pool { workers = 1 }
  local function raises(got, job)
    t.raises("^[^\n]*pool_misuse.lua:%d+: cancel: job or its id expected, got " .. got .. "$", function()
      pool:cancel(job)
    end)
  end
  raises("string", "3")
  raises("number", 0)
  raises("number", 1.5)
  raises("userdata", io.stdout)
end)

t.test("a number of bytes may be a float that is an integer", function()
  local pool <close> = troupe.pool { workers = 1, memory_limit = 1e7 }
  t.eq(pool:submit("return 1"):await(), 1)
  t.raises("'memory_limit': integer of at least 0 expected, got 1.5", troupe.pool, { memory_limit = 1.5 })
end)

t.finish()
