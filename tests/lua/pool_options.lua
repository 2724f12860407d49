-- pool_options.lua - what a pool's workers have, and what is said of its failed jobs.

local t = require "harness"
local troupe = require "troupe"

local test, eq, ok, match, raises, deep = t.test, t.eq, t.ok, t.match, t.raises, t.deep

-- ---- libs and preload

test("a worker has the standard libraries that were chosen", function()
  local pool <close> = troupe.pool{ workers = 1, libs = { "string", "math" } }
  local has = pool:submit(function()
    local names = {}
    for _, name in ipairs{ "coroutine", "table", "io", "os", "string", "math", "utf8", "debug", "package",
      "require" } do
      if _G[name] ~= nil then names[#names + 1] = name end
    end
    return names
  end):await()
  deep(has, { "string", "math" })
  eq(pool:submit(function() return ("x"):rep(2) .. math.type(1) end):await(), "xxinteger")
end)

test("without a library it cannot be required either", function()
  local pool <close> = troupe.pool{ workers = 1, libs = { "package", "string" } }
  match(select(2, pool:submit(function() return require "io" end):join()), "module 'io' not found")
  eq(pool:submit(function() return type(require "string".rep) end):await(), "function")
  local none <close> = troupe.pool{ workers = 1, libs = {} }
  eq(none:submit(function() return _G.string == nil and _G.package == nil and type(pcall) end):await(), "function")
end)

test("pools with libraries of their own leave others alone", function()
  for _ = 1, 3 do
    local few <close> = troupe.pool{ workers = 1, libs = {} }
    eq(few:submit(function() return _G.io == nil end):await(), true)
    local all <close> = troupe.pool{ workers = 1 }
    eq(all:submit(function() return type(_G.io.open) end):await(), "function")
  end
end)

test("C functions are preloaded, but not in another process", function()
  if t.isolation == "process" then
    raises("C functions cannot cross to another process", troupe.pool, { workers = 1, preload = { plain = rawlen } })
    return
  end
  local pool <close> = troupe.pool{ workers = 1, preload = { plain = rawlen, other = math.abs } }
  -- A loader is called with the module's name.
  eq(pool:submit(function() return require "plain" end):await(), 5)
  eq(select(2, pool:submit(function() return require "other" end):join()) ~= nil, true)
end)

-- ---- memory_limit and init

test("a job that takes too much memory fails, and its worker goes on", function()
  local pool <close> = troupe.pool{ workers = 1, memory_limit = 4 << 20 }
  local worker = pool:submit(function() _G.mark = true end)
  worker:await()
  local good, err = pool:submit(function()
    local list = {}
    for i = 1, 1e9 do list[i] = ("x"):rep(1000) .. i end
    return #list
  end):join()
  eq(good, false)
  match(err, "not enough memory")
  eq(pool:submit(function() return _G.mark end):await(), true)
end)

test("jobs of a pool whose init fails fail with its error, and those of later workers may not", function()
  local path = os.tmpname()
  local pool <close> = troupe.pool{ workers = 1, init = function(_, name)
    local file <close> = io.open(name)
    if not file then error("init failed", 0) end
  end, init_args = { path } }
  os.remove(path)
  match(select(2, pool:submit(type, 1):join()), "^init failed")
  match(select(2, pool:submit{ type, retries = 5 }:join()), "^init failed")
  io.open(path, "w"):close()
  eq(pool:submit(type, 1):await(), "number")
  os.remove(path)
end)

-- ---- log_level

test("failed jobs are logged at the level that was asked for", function()
  local status, out, err = t.script [[
    local troupe = require "troupe"
    local pool <close> = troupe.pool{ workers = 1, name = "logged", log_level = "error" }
    pool:submit{ function() error("went wrong", 0) end, name = "fetch" }:join()
    pool:submit{ function() error("unheard", 0) end, discard = true }
    pool:submit(function() error({}) end):join()
    pool:submit(function() return 1 end):join()
    local quiet <close> = troupe.pool{ workers = 1, log_level = "debug" }
    quiet:submit(function() error("quiet", 0) end):join()
  ]]
  eq(out, "")
  eq(status, 0)
  match(err, "ERROR[^\n]*pool logged: job %d+ %(fetch%) failed: went wrong")
  match(err, "pool logged: job %d+ failed: unheard")
  match(err, "failed: an error that is no text")
  eq(select(2, err:gsub("failed:", "")), 3)
  ok(not err:find "quiet")
end)

-- ---- misuse

test("what cannot be is refused by name", function()
  raises("libs: name of a standard library expected at %[2%], got sting", troupe.pool, { libs = { "io", "sting" } })
  local expected = "preload: C function without upvalues expected at "
  raises(expected .. "%[f%], got function", troupe.pool, { preload = { f = function() end } })
  raises(expected .. "%[g%]", troupe.pool, { preload = { g = string.gmatch("x", "x") } })
  raises("log_level: there is no level 'loud'", troupe.pool, { log_level = "loud" })
end)

t.finish()
