-- task_luv.lua - tasks inside libuv's loop, by luv: a poll handle on task.fd() runs what is due.
local found, uv = pcall(require, "luv")
if not found then
  io.stderr:write("task_luv.lua needs luv, which is not here: Debian's lua-luv, or luarocks install luv\n")
  os.exit(1)
end
local task = require "troupe.task"
local troupe = require "troupe"

local tasks = uv.new_poll(task.fd())
tasks:start("r", function() task.poll() end)

-- A task that waits for libuv: its timer's callback notifies, and polls, so that the task goes on at once.
local ticker = uv.new_timer()
local listener = task.spawn(function()
  for _ = 1, 3 do print("libuv's timer", task.wait("tick", 30)) end
  ticker:close()
end)
local ticks = 0
ticker:start(10, 10, function()
  ticks = ticks + 1
  task.notify(listener, "tick", ticks)
  task.poll()
end)

-- A task that waits for a worker, then for time; libuv's loop serves it through the poll handle alone.
local pool <close> = troupe.pool { workers = 1 }
task.spawn(function()
  task.join(listener)
  print("a worker", pool:submit(function() return ("troupe"):rep(2) end):await())
  task.sleep(0.01)
  print("the end")
  tasks:close() -- nothing is left to wait for: uv.run returns
end)
task.poll()
uv.run()
