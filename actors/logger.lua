-- logger.lua - a sink of logs (troupe.log_sink) as an actor: collects the records of other programs, and of its own.
--
--     local logger = troupe.spawn({ "actors/logger.lua", isolation = "light" },
--       { pull = "tcp://127.0.0.1:5555", file = "all.log", rotate = 10 * 2^20, own = true })
--     logger:call("endpoint")            "tcp://127.0.0.1:5555"; another: logger:call("endpoint", 2)
--     logger:call("counts")              { frames =, records =, filtered =, lost = }
--     logger:call("reopen")              begins its file anew, after somebody moved it away
--
-- Its options are those of troupe.log_sink.open, and own = true: what this program says goes there, too, by the first
-- endpoint, until the logger ends; from then on to standard error. When it is stopped it takes what has come, writes it
-- and syncs it to its disk. First of a supervisor's children it is stopped last; with own = true and no supervisor,
-- troupe.shutdown stops it after the pools. It ends with an error when nobody reads the descriptor that it writes to
-- any more.

local log = require "troupe.log"
local log_sink = require "troupe.log_sink"
local task = require "troupe.task"

local assert, error, pairs = assert, error, pairs

local Logger = {}

function Logger:init(options)
  local settings = {}
  for key, value in pairs(options or {}) do settings[key] = value end
  self.own, settings.own = settings.own, nil
  self.ends_last = self.own
  if self.own and settings.server_cert then
    error("logger: option 'own' and a 'server_cert': use troupe.log.to with the option 'cert'", 0)
  end
  local sink, message = log_sink.open(settings)
  if not sink then error(message, 0) end
  self.sink = sink
  if self.own then assert(log.to(sink:endpoints()[1])) end
  local descriptor = sink:ended()
  local ref = self.ref
  self.watch = descriptor and task.watch(descriptor, "r", function() ref:send "broken" end)
end

function Logger:endpoint(number) return self.sink:endpoints()[number or 1] end

function Logger:counts() return self.sink:counts() end

function Logger:reopen()
  self.sink:reopen()
  return true
end

local function close(self)
  if self.watch then self.watch:close() end
  if self.own then log.to "stderr" end
  self.watch, self.own = nil, nil
  self.sink:close()
end

function Logger:broken()
  close(self) -- before the error is logged
  error("logger: nobody reads what it writes", 0)
end

Logger.terminate = close

return Logger
