-- task_wait.lua - tasks of one vm sleep, wait for each other's events, and take turns in a critical section.
local task = require "troupe.task"

-- A barber who naps until a guest wakes him, and closes when nobody comes any more.
local function barber(guests)
  for _ = 1, guests do
    local name, wish = task.wait("bell", 60)
    print("barber", "gives " .. name .. " a " .. wish)
  end
  local what, event = task.wait("bell", 0.05)
  print("barber", "closes", what == task.TIMEOUT, event)
end

local chair = task.critical_section()

-- Guests come all at once; one at a time sits in the chair, in the order of coming.
local function guest(shop, name, wish)
  local _ <close> = chair:lock()
  print(name, "sits down")
  task.wait_until(function() return task.notify(shop, "bell", name, wish) end)
  task.sleep(0.02)
  print(name, "goes")
  return name .. " was here"
end

local shop = task.spawn(barber, 2)
local guests = {}
for i, wish in ipairs { "shave", "trim", "wash" } do guests[i] = task.spawn(guest, shop, "guest " .. i, wish) end

-- One of them is called home: he loses his place in the line, and nobody is kept waiting.
print("guest 2", "is called home", task.kill(guests[2]))

task.run() -- until every task has ended
for i = 1, 3 do print("guest " .. i, task.join(guests[i])) end
