--- One log for all the vms of a program: levels, fields, the place in the source, and where it all goes.
--
--     local log = require "troupe.log"
--     log.warning("disk %s is %d%% full", name, percent)
--     log.info { "request served", path = path, seconds = 0.01 }
--     log.to("app.log", { rotate = 10 * 2^20, keep = 5 })
--
-- @module troupe.log

local error, math, package, type = error, math, package, type

require "troupe" -- knows troupe.log.core
local core = require "troupe.log.core"
local options_check = require "troupe.options".check

--- emerg, alert, fatal, error, warning, notice, info, debug, trace: each says something at its level, in order of
-- urgency. Said with a level that is off, it costs a comparison.
-- @param ... a format and its arguments, as for string.format; or one value, which is said as it is, with `tostring`;
--   or one table: its fields are logged as key=value, sorted, and its element 1 as the message
-- @function warning
local M = {
  emerg = core.emerg, alert = core.alert, fatal = core.fatal, error = core.error, warning = core.warning,
  notice = core.notice, info = core.info, debug = core.debug, trace = core.trace,
}

--- Says something at a level that is known when the program runs.
-- @param level string: a level's name, in whatever case
-- @param ...   as for `warning`
-- @function say
M.say = core.say

--- This vm's level from now on, until `set_level_all`: what is less urgent is not said.
-- @param level string: a level's name, or "off"
function M.set_level(level)
  if type(level) ~= "string" then
    error(("set_level: level: string expected, got %s"):format(type(level)), 2)
  end
  core.level(level)
end

--- This vm's level, a string. In the beginning it is "warning".
function M.level() return (core.level()) end

--- The level of all vms of the program, those to come too, those with one of their own, and those in worker processes,
-- from where it may be set as well.
-- @param level string: as for `set_level`
-- @function set_level_all
M.set_level_all = core.set_level_all

local known = {
  stderr = { json = "boolean" },
  file = { json = "boolean", rotate = "bytes", keep = "bytes", queue = "count" },
  endpoint = { socket = "string", bind = "boolean", cert = "string", server_cert = "string", queue = "count" },
  ["function"] = { queue = "count" },
}

local KEEP = 5

local function kind_of(destination)
  if type(destination) == "function" then return "function" end
  if type(destination) ~= "string" or destination == "" then
    error(("log.to: destination: path, endpoint or function expected, got %s"):format(
      destination == "" and "an empty string" or type(destination)), 3)
  end
  if destination == "stderr" then return "stderr" end
  return destination:find "^%l+://" and "endpoint" or "file"
end

local watch

local function to_function(fn, options)
  local task = require "troupe.task"
  local descriptor, message = core.to_function(fn, options.queue)
  if not descriptor then return nil, message end
  watch = watch or task.watch(descriptor, "r", core.drain)
  return true
end

-- The keys of a client: its own, made on the spot when it has no certificate, and the server's.
local function add_keys(order, options)
  if not options.server_cert then
    if options.cert then error("log.to: option 'cert' needs option 'server_cert'", 3) end
    return true
  end
  local certificates = require "troupe.certificates"
  local server, message = certificates.load(options.server_cert)
  if not server then return nil, message end
  local own
  own, message = certificates.load(options.cert)
  if not own then return nil, message end
  order.server_key, order.public_key, order.secret_key = server.public, own.public, own.secret
  if not own.secret then return nil, ("%s: there is no secret key in it"):format(options.cert) end
  return true
end

local sockets = { push = false, pub = true }

--- Where the records of all the program's vms go from now on. What was said before goes where it went before.
-- Those of worker processes come along; called in one, this is about that process's records alone, and "stderr" is what
-- the process writes there.
-- @param destination string: "stderr" (the default: one line a record, coloured on a terminal); an endpoint of a sink,
--   "tcp://HOST:PORT", "ipc://PATH" or "inproc://NAME"; else the path of a file. Or a function: it is called in this
--   vm, with a table {level, time (seconds), process, vm, job, actor, task, source, message, fields}, when this vm says
--   something or waits for something
-- @param options table, optional. stderr and files: json (boolean: a JSON object a line). Files: rotate (bytes: the
--   size at which the file becomes FILE.1), keep (so many of these; default 5). Endpoints: socket ("push", the
--   default, or "pub"), bind (boolean: bind in place of connect), cert and server_cert (paths: this program's own
--   certificate and the sink's, for CURVE). queue (bytes that may wait; default 64 MiB): what does not fit is counted,
--   and the count is logged
-- @return true; nil, message when the destination cannot be had: then nothing has changed
function M.to(destination, options)
  local kind = kind_of(destination)
  options = options_check(options, known[kind], "log.to", 2)
  if kind == "function" then return to_function(destination, options) end
  local order = {
    kind = kind, place = destination, json = options.json, bind = options.bind, queue = options.queue,
    rotate = math.tointeger(options.rotate), keep = math.tointeger(options.keep) or KEEP,
  }
  if options.socket then
    order.publish = sockets[options.socket]
    if order.publish == nil then
      error(("log.to: option 'socket': push or pub expected, got '%s'"):format(options.socket), 2)
    end
  end
  local ok, message = add_keys(order, options)
  if not ok then return nil, message end
  return core.to(order)
end

-- Between two looks at the queue while a task waits for it.
local SHORTEST, LONGEST = 0.001, 0.02

--- Waits until all that was said so far has been handed to its destination.
-- @param timeout seconds, optional
-- @return true; nil, "timeout"
function M.flush(timeout)
  local task = package.loaded["troupe.task"]
  if not task or not task.running() then return core.flush(timeout) end
  local now = require "troupe".now
  local deadline, pause = timeout and now() + timeout or math.huge, SHORTEST
  repeat
    if core.flush(0) then return true end
    task.sleep(math.max(0, math.min(pause, deadline - now())))
    pause = math.min(2 * pause, LONGEST)
  until now() >= deadline
  return core.flush(0)
end

--- What the log has done since the program began.
-- @return table: said, dropped (did not fit into the queue), waiting (in the queue): numbers of records
function M.counts()
  local said, dropped, waiting = core.count()
  return { said = said, dropped = dropped, waiting = waiting }
end

return M
