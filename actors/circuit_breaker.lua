-- circuit_breaker.lua - calls another actor, and stops calling it for a while when it fails too often.
--
--     local breaker = troupe.spawn({ "actors/circuit_breaker.lua", isolation = "light" },
--       { to = ref, failures = 5, reset = 10, timeout = 1 })
--     breaker:call("run", "get", 7)      what ref:call("get", 7) returns; its error is raised, "timeout" too
--     breaker:call("state")              "closed", "open" or "half open"
--
--     closed --`failures` failures in a row--> open --`reset` seconds--> half open
--     half open --the next call succeeds--> closed        half open --it fails--> open
--
-- While open, and while a call of the half open state is under way, "run" raises "circuit open" at once.

local now = require "troupe".now

local error, pcall = error, pcall

local Breaker = { concurrent = true }

function Breaker:init(options)
  if not (options and options.to) then
    error("circuit_breaker: { to = reference, failures =, reset =, timeout = } expected", 0)
  end
  self.to, self.most = options.to, options.failures or 5
  self.pause, self.seconds = options.reset or 10, options.timeout or 5
  self.failed, self.trying = 0, false
end

function Breaker:state()
  if self.failed < self.most then return "closed" end
  return now() - self.opened < self.pause and "open" or "half open"
end

local function finish(self, token, ok, value, ...)
  self.trying = false
  if ok and value == nil and (...) == "timeout" then ok, value = false, "timeout" end
  if ok then
    self.failed = 0
    token:reply(value, ...)
  else
    self.failed, self.opened = self.failed + 1, now()
    token:fail(value)
  end
end

function Breaker:run(name, ...)
  local token, state = self:defer(), Breaker.state(self)
  if not token then error("circuit_breaker: 'run' is for calls", 0) end
  if state == "open" or state == "half open" and self.trying then
    token:fail "circuit open"
    return
  end
  self.trying = state == "half open"
  finish(self, token, pcall(self.to.call_with, self.to, { timeout = self.seconds }, name, ...))
end

return Breaker
