-- timer.lua - messages at later times, by key, for actors that come and go: a timer lives on when who set it ends.
--
--     local timer = troupe.spawn { "actors/timer.lua", isolation = "light" }
--     timer:call("after", "tea", 180, ref, "ready", "tea")      ref gets ready("tea") in 180 seconds
--     timer:call("every", "beat", 1, ref, "beat")               every second, until cancelled or ref is gone
--     timer:call("cancel", "tea")                               true when it was set
--
-- A key that is set again is the new timer's.

local Timer = {}

function Timer:init() self.timers = {} end

function Timer:cancel(key)
  local timer = self.timers[key]
  self.timers[key] = nil
  return timer ~= nil and timer:cancel()
end

function Timer:after(key, seconds, ref, name, ...)
  Timer.cancel(self, key)
  self.timers[key] = self:send_after(seconds, "fire", key, false, ref, name, ...)
  return true
end

function Timer:every(key, seconds, ref, name, ...)
  Timer.cancel(self, key)
  self.timers[key] = self.every(self, seconds, "fire", key, true, ref, name, ...)
  return true
end

function Timer:fire(key, again, ref, name, ...)
  if not (ref:send(name, ...) and again) then Timer.cancel(self, key) end
end

return Timer
