-- pool_retry.lua - who decides whether a job runs again, and when it does.

local t = require "harness"
local await = require "await"
local troupe = require "troupe"
local task = require "troupe.task"

local test, eq, ok, match, raises, deep = t.test, t.eq, t.ok, t.match, t.raises, t.deep

-- Fails until it was called so often in its worker.
local function succeed_at(n)
  _G.calls = (_G.calls or 0) + 1
  if _G.calls < n then error("call " .. _G.calls, 0) end
  return _G.calls
end

local function always_fail() error("no", 0) end

-- ---- retry_if

test("the owner decides after each failed run", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local asked = {}
  local job = pool:submit({ succeed_at, retries = 9, retry_if = function(err, attempt)
    asked[#asked + 1] = { err, attempt }
    return true
  end }, 4)
  eq(job:await(), 4)
  deep(asked, { { "call 1", 1 }, { "call 2", 2 }, { "call 3", 3 } })
  eq(pool:stats().retried, 3)
end)

test("a job its owner does not want again fails as its run did", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local job = pool:submit{ always_fail, retries = 9, retry_if = function(_, attempt) return attempt < 2 end }
  deep({ job:join() }, { false, "no" })
  eq(pool:stats().retried, 1)
  local function not_seven(err) return err.code ~= 7 end
  local good, err = pool:submit{ function() error{ code = 7 } end, retry_if = not_seven }:join()
  eq(good, false)
  deep(err, { code = 7 })
end)

test("nobody is asked when no retry is left, nor after a success", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local asked = 0
  local function count() asked = asked + 1 return true end
  eq(pool:submit{ function() return 1 end, retry_if = count }:await(), 1)
  eq(asked, 0)
  deep({ pool:submit{ always_fail, retries = 2, retry_if = count }:join() }, { false, "no" })
  eq(asked, 2)
  deep({ pool:submit{ always_fail, retries = 0, retry_if = count }:join() }, { false, "no" })
  eq(asked, 2)
end)

test("without a number of retries the owner's word is all that ends them", function()
  local pool <close> = troupe.pool{ workers = 1 }
  eq(pool:submit({ succeed_at, retry_if = function() return true end }, 50):await(), 50)
end)

test("deciding may wait, and other jobs go on meanwhile", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local other
  local job = pool:submit({ succeed_at, retry_if = function()
    other = pool:submit(function() return "other" end):await()
    task.sleep(0.001)
    return true
  end }, 2)
  eq(job:await(), 2)
  eq(other, "other")
end)

test("a decision is taken where the vm is blocked for its job", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local result
  task.spawn(function()
    table.sort({ 2, 1 }, function(a, b)
      result = result or pool:submit({ succeed_at, retry_if = function() return true end }, 3):await()
      return a < b
    end)
  end)
  await(function() return result end)
  eq(result, 3)
end)

test("a decision that raises is none, and is reported", function()
  local status, out, err = t.script [[
    local pool <close> = require "troupe".pool{ workers = 1 }
    local job = pool:submit{ function() error("no", 0) end, retry_if = function() error "undecided" end }
    print(job:join())
  ]]
  eq(out, "false\tno\n")
  match(err, "undecided")
  eq(status, 0)
end)

test("a job that nobody asks about any more is not repeated", function()
  local pool <close> = troupe.pool{ workers = 1 }
  pool:pause()
  local job = pool:submit{ always_fail, retry_if = function() return true end }
  job:detach()
  pool:resume()
  await(function() return pool:stats().failed > 0 end)
  eq(pool:stats().failed, 1)
  eq(pool:stats().retried, 0)
end)

test("closing a pool does not wait for a decision that never comes", function()
  local pool = troupe.pool{ workers = 1 }
  local asked = false
  local job = pool:submit{ always_fail, retry_if = function()
    asked = true
    task.sleep(1e6)
  end }
  await(function() return asked end)
  eq(job:status(), "delayed")
  eq(job:cancel(), false)
  deep({ job:join() }, { false, "no" })
  asked = false
  job = pool:submit{ always_fail, retry_if = function()
    asked = true
    task.sleep(1e6)
  end }
  await(function() return asked end)
  pool:close()
  deep({ job:join() }, { false, "no" })
end)

test("a program that ends while its decision is awaited ends", function()
  local status, out, err = t.script [[
    local task, asked = require "troupe.task", false
    local pool = require "troupe".pool{ workers = 1 }
    pool:submit{ function() error("no", 0) end, retry_if = function() asked = true task.sleep(1e6) end }
    while not asked do task.sleep(0.001) end
    print "end"
  ]]
  eq(err, "")
  eq(out, "end\n")
  eq(status, 0)
end)

test("a repeating job asks in each turn, and goes on", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local asked, failed = 0, 0
  local job = pool:submit{ always_fail, every = 0.002, on_error = function() failed = failed + 1 end,
    retry_if = function(_, attempt)
      asked = asked + 1
      return attempt < 2
    end }
  await(function() return failed >= 3 end)
  job:cancel()
  ok(asked >= 6)
end)

test("discard leaves nobody to decide", function()
  local pool <close> = troupe.pool{ workers = 1, discard = true }
  raises("leaves nobody for 'retry_if'", pool.submit, pool, { type, discard = true, retry_if = print })
  eq(pool:submit({ succeed_at, retry_if = function() return true end }, 2):await(), 2)
end)

-- ---- waits

test("jitter shortens waits, never lengthens them", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local before = troupe.now()
  deep({ pool:submit{ always_fail, retries = 2, backoff = { base = 0.02, jitter = 0.5 } }:join() }, { false, "no" })
  ok(troupe.now() - before >= 0.02)
  deep({ pool:submit{ always_fail, retries = 3, backoff = { base = 0.001, jitter = 1 } }:join() }, { false, "no" })
  raises("'jitter': number from 0 to 1 expected", pool.submit, pool, { type, retries = 1, backoff = { jitter = 1.5 } })
  raises("'jitter': number from 0 to 1 expected", pool.submit, pool, { type, retries = 1, backoff = { jitter = -1 } })
end)

t.finish()
