-- pool_many.lua - map and its kin with submit's options, and with items that cannot be sent.

local t = require "harness"
local troupe = require "troupe"
local task = require "troupe.task"

local eq, ok, raises, test = t.eq, t.ok, t.raises, t.test

local function double(v) return v * 2 end
local unsendable = coroutine.create(print)

test("an item that cannot be sent is an error among others, with collect", function()
  local pool <close> = troupe.pool{ workers = 2 }
  local items = { 1, 2, unsendable, 4, unsendable, 6 }
  local results, errors = pool:map(function(v) return v end, items, { on_error = "collect", chunk = 4 })
  t.deep({ results[1], results[2], results[3], results[4], results[6] }, { 1, 2, nil, 4, 6 })
  t.match(errors[3], "^item 3: cannot send a thread")
  t.match(errors[5], "^item 5: cannot send a thread")
  eq(errors[4], nil)
end)

test("an item that cannot be sent is an error among others for iterators that say ok", function()
  local pool <close> = troupe.pool{ workers = 2 }
  local good, bad = 0, nil
  for index, fine, v in pool:unordered(double, { 1, unsendable, 3 }) do
    if fine then good = good + v else bad = index .. " " .. v end
  end
  eq(good, 8)
  t.match(bad, "^2 item 2: cannot send a thread")
  local seen = {}
  for index, fine in pool:ordered(double, { unsendable, 2 }) do seen[index] = fine end
  t.deep(seen, { false, true })
  for fine, v in pool:imap(double, { unsendable }, { on_error = "collect" }) do
    eq(fine, false)
    t.match(v, "cannot send a thread")
  end
end)

test("an item that cannot be sent ends map and imap otherwise", function()
  local pool <close> = troupe.pool{ workers = 2 }
  raises("^item 2: cannot send a thread", pool.map, pool, double, { 1, unsendable })
  raises("^item 1: cannot send a thread", function()
    for _ in pool:imap(double, { unsendable }) do error "nothing comes" end
  end)
end)

test("a function that cannot be sent is no matter of items", function()
  local pool <close> = troupe.pool{ workers = 1 }
  raises("cannot send a thread", pool.map, pool, function() return unsendable end, { 1 }, { on_error = "collect" })
end)

test("map takes submit's timeout, item by item", function()
  local pool <close> = troupe.pool{ workers = 2 }
  local function spin(v)
    while v == 2 do end
    return v
  end
  local results, errors = pool:map(spin, { 1, 2, 3 }, { timeout = 0.05, on_error = "collect" })
  eq(results[1], 1)
  eq(results[3], 3)
  t.match(errors[2], "timeout")
end)

test("map takes submit's callbacks, called for each item", function()
  local pool <close> = troupe.pool{ workers = 2 }
  local said, complete = 0, 0
  local results = pool:map(double, { 1, 2, 3 }, {
    on_success = function(_, v) said = said + v end, on_complete = function() complete = complete + 1 end,
  })
  t.deep(results, { 2, 4, 6 })
  task.wait_until(function() return complete == 3 end)
  eq(said, 12)
end)

test("map takes submit's retry_if", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local asked = 0
  local results, errors = pool:map(function(v) if v > 1 then error({ v }) end return v end, { 1, 2, 3 }, {
    on_error = "collect", retry_if = function(err, attempt)
      asked = asked + 1
      return err[1] == 2 and attempt < 3
    end,
  })
  eq(results[1], 1)
  eq(errors[2][1], 2)
  eq(errors[3][1], 3)
  eq(asked, 4)
end)

test("jobs of items can belong to a group", function()
  local pool <close> = troupe.pool{ workers = 2 }
  local group <close> = pool:group()
  t.deep(pool:map(double, { 1, 2 }, { group = group }), { 2, 4 })
  eq(group:counts().finished, 2)
end)

test("unordered gives what is ready first, with a job an item too", function()
  local pool <close> = troupe.pool{ workers = 2 }
  local order, gate = {}, os.tmpname()
  os.remove(gate)
  local function wait(item)
    local file
    repeat
      require "troupe".task.sleep(0.001)
      file = item == 1 and io.open(gate)
    until file or item ~= 1
    return item
  end
  for _, fine, v in pool:unordered(wait, { 1, 2, 3 }, { on_success = function() end }) do
    eq(fine, true)
    order[#order + 1] = v
    if #order == 2 then io.open(gate, "w"):close() end
  end
  os.remove(gate)
  eq(order[3], 1)
end)

test("in a task, unordered with a job an item parks it", function()
  local pool <close> = troupe.pool{ workers = 2 }
  local turns, done = 0, false
  local id = task.spawn(function()
    local sum = 0
    for _, _, v in pool:unordered(double, { 1, 2, 3 }, { on_complete = function() end }) do sum = sum + v end
    done = true
    return sum
  end)
  while not done do
    turns = turns + 1
    task.sleep(0)
  end
  ok(turns > 0)
  eq(select(2, task.join(id)), 12)
end)

test("leaving a loop of single jobs ends what is in flight", function()
  local pool <close> = troupe.pool{ workers = 1 }
  local count = 0
  for _ in pool:imap(double, function() return 1 end, { on_success = function() end }) do
    count = count + 1
    if count == 3 then break end
  end
  eq(pool:join(30), true)
end)

test("an error in map with single jobs names its item", function()
  local pool <close> = troupe.pool{ workers = 1 }
  raises("^item 2: .*no luck", pool.map, pool, function(v) if v == 2 then error "no luck" end end, { 1, 2, 3 },
    { on_success = function() end })
end)

test("options that map cannot have are told", function()
  local pool <close> = troupe.pool{ workers = 1 }
  raises("unknown option 'discard'", pool.map, pool, double, { 1 }, { discard = true })
  raises("unknown option 'every'", pool.map, pool, double, { 1 }, { every = 1 })
  raises("on_error.*collect", pool.map, pool, double, { 1 }, { on_error = "x" })
end)

t.finish()
