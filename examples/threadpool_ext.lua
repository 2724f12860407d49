-- threadpool_ext.lua - waits by intervals over troupe's scheduler: where lua-threadpool's programs say
-- require "fend.epoll", this one says require "troupe.timeservice".
local dispatcher = require "troupe.timeservice"
local service = dispatcher()

local threadpool = require "threadpool_ext"
threadpool.init {
  logger = { warn = print, error = print, debug = print },
  growing_thread_num = 4,
  time_service = service,
}

local start = service:now()
local function say(...) print(("%.1f"):format((service:now() - start) // 0.1 / 10), ...) end

-- Two cooks share one oven; the waiter carries what is ready.
local oven = threadpool.new_critical_section()
local served = 0

local function cook(name, minutes)
  oven:enter()
  say(name, "into the oven")
  threadpool.wait(minutes)
  say(name, "ready")
  oven:leave()
  served = served + 1
end

service:add_timer(0.15, 0, function() say("guest", "asks for the cake") end)
threadpool.work(cook, "bread", 0.3)
threadpool.work(cook, "cake", 0.2)
threadpool.work(function()
  threadpool.wait_until(function() return served == 2 end)
  say("waiter", "serves", served)
  served = "all"
end)

while served ~= "all" do service:dispatch(100, -1) end
