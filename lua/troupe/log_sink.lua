--- A sink of logs: collects the records of many programs, prints, stores and rotates them, on a thread of its own.
--
--     local sink <close> = require "troupe.log_sink".open { pull = "tcp://127.0.0.1:*", file = "all.log" }
--     print(sink:endpoints()[1])                                -- "tcp://127.0.0.1:40123"
--
-- It takes what `troupe.log` sends, both of lua-log's forms, and anything else as an info record that shows it.
-- @module troupe.log_sink

local error, ipairs, math, package, require, setmetatable, table, type =
  error, ipairs, math, package, require, setmetatable, table, type

require "troupe" -- knows troupe.log_sink.core
local core = require "troupe.log_sink.core"
local options_check = require "troupe.options".check

local M = {}

local Sink = { __name = "troupe.log_sink" }
Sink.__index = Sink

local known = {
  pull = "any", sub = "any", connect = "any", connect_pull = "any",
  file = "string", dir = "string", descriptor = "bytes", rotate = "bytes", keep = "bytes",
  json = "boolean", colours = "boolean", level = "string", grep = "string",
  server_cert = "string", client_certs = "string",
}

local sockets = {
  { option = "pull", kind = "pull", bind = true }, { option = "sub", kind = "sub", bind = true },
  { option = "connect", kind = "sub" }, { option = "connect_pull", kind = "pull" },
}

-- The endpoints of an option: a string, or a sequence of them.
local function endpoints_of(options, name)
  local value = options[name]
  if value == nil then return {} end
  if type(value) == "string" then return { value } end
  if type(value) ~= "table" then
    error(("log_sink.open: option '%s': string or sequence of strings expected, got %s"):format(name, type(value)), 4)
  end
  for _, endpoint in ipairs(value) do
    if type(endpoint) ~= "string" then
      error(("log_sink.open: option '%s': endpoints are strings, got a %s"):format(name, type(endpoint)), 4)
    end
  end
  return value
end

-- Every socket that the options ask for.
local function listeners(options)
  local list = {}
  for _, socket in ipairs(sockets) do
    for _, endpoint in ipairs(endpoints_of(options, socket.option)) do
      list[#list + 1] = { kind = socket.kind, bind = socket.bind, endpoint = endpoint }
    end
  end
  if #list == 0 then
    error("log_sink.open: an endpoint is missing: pull, sub, connect or connect_pull", 3)
  end
  return list
end

local function is_public(endpoint)
  for _, own in ipairs { "^ipc://", "^inproc://", "^tcp://127%.", "^tcp://localhost:", "^tcp://%[::1%]:" } do
    if endpoint:find(own) then return false end
  end
  return true
end

local function check_outlets(options)
  local outlets = (options.file and 1 or 0) + (options.dir and 1 or 0) + (options.descriptor and 1 or 0)
  if outlets ~= 1 then
    error("log_sink.open: one of the options file, dir and descriptor is needed", 3)
  end
  if options.rotate and not options.file then error("log_sink.open: option 'rotate' needs option 'file'", 3) end
  if options.keep and not options.rotate then error("log_sink.open: option 'keep' needs option 'rotate'", 3) end
  if (options.client_certs == nil) ~= (options.server_cert == nil) then
    error("log_sink.open: options 'server_cert' and 'client_certs' need each other", 3)
  end
end

-- Has every socket that is bound let in only those whose certificates are in the directory.
local function secure(list, options)
  if not options.server_cert then return nil end
  local certificates = require "troupe.certificates"
  local own, message = certificates.load(options.server_cert)
  if not own then return nil, message end
  if not own.secret then return nil, options.server_cert .. ": there is no secret key in it" end
  local guard
  guard, message = certificates.guard(options.client_certs)
  if not guard then return nil, message end
  for _, socket in ipairs(list) do
    if socket.bind then
      socket.public_key, socket.secret_key, socket.context = own.public, own.secret, guard:context()
    end
  end
  return guard
end

local function warn_of_strangers(list, bound)
  for i, socket in ipairs(list) do
    if socket.bind and not socket.context and is_public(bound[i]) then
      require "troupe.log".warning("%s: whoever reaches it can write to this log: there is no CURVE (server_cert)",
        bound[i])
    end
  end
end

--- Opens a sink, which serves until it is closed.
-- @param options table:
--   pull, sub (endpoints to bind), connect (SUB), connect_pull (PULL) (endpoints to connect to): a string or a sequence
--   of them, at least one in all; where a port is `*` a free one is found;
--   one of file (path), dir (a file a day in that directory, YYYY-MM-DD.log) and descriptor (an open one);
--   rotate (bytes: the size at which the file becomes FILE.1), keep (so many of these; default 5);
--   json (boolean: a JSON object a line), colours (boolean);
--   level (string: leaves out what is less urgent), grep (string: an extended regular expression that lines must
--   match); server_cert (path of a certificate with its secret key) and client_certs (directory with the public
--   certificates of those who may write): CURVE, without which nobody else gets in
-- @return a sink; nil, message
function M.open(options)
  if options == nil then error("log_sink.open: options: table expected, got nil", 2) end
  options_check(options, known, "log_sink.open", 2)
  check_outlets(options)
  local list = listeners(options)
  local guard, message = secure(list, options)
  if message then return nil, message end
  local handle
  handle, message = core.open {
    listen = list, file = options.file, directory = options.dir, descriptor = options.descriptor,
    rotate = math.tointeger(options.rotate), keep = math.tointeger(options.keep), json = options.json,
    colours = options.colours, level = options.level, grep = options.grep,
  }
  if not handle then
    if guard then guard:close() end
    return nil, message
  end
  local bound = handle:endpoints()
  warn_of_strangers(list, bound)
  return setmetatable({ handle = handle, guard = guard, bound = bound }, Sink)
end

--- The sink's endpoints, in the order of the options pull, sub, connect, connect_pull, free ports filled in.
-- @return sequence of strings
function Sink:endpoints()
  return { table.unpack(self.bound) }
end

--- Has it close its file and open it anew by its name: after somebody moved the file away.
function Sink:reopen()
  self.handle:reopen()
end

--- What it has done so far.
-- @return table of numbers: frames and records received; filtered (left out by level and grep); lost (could not be
--   written, nor kept)
function Sink:counts()
  local frames, records, filtered, lost = self.handle:counts()
  return { frames = frames, records = records, filtered = filtered, lost = lost }
end

--- A descriptor that is readable once the sink has ended: when it was closed, or since nobody reads the descriptor
-- that it writes to. It is the sink's.
-- @return integer; nil when there is none to be had
function Sink:ended() return self.handle:ended() end

-- In a task, others run while it ends.
local function await_end(handle)
  local task = package.loaded["troupe.task"]
  local id = task and task.running()
  if not id then return end
  local descriptor = handle:ended()
  if not descriptor then return end
  local ended = false
  handle:stop()
  local watch = task.watch(descriptor, "r", function() ended = true end)
  task.wait_until(function() return ended end)
  watch:close()
end

-- How long what this program says itself may take to leave for its sink, which may be this one.
local OWN = 1

--- Takes what has come, writes it, syncs it to its disk, and ends: at once when no sender is there any more, else when
-- nothing has come for a second. A second time nothing happens.
function Sink:close()
  if self.handle:is_open() then
    require "troupe.log".flush(OWN)
    await_end(self.handle)
    self.handle:finish()
  end
  if self.guard then self.guard:close() end
end

Sink.__close = Sink.close

function Sink:__gc()
  self.handle:finish()
  if self.guard then self.guard:close() end
end

function Sink:__tostring()
  return ("%s (%s)"):format(Sink.__name, self.handle:is_open() and table.concat(self.bound, ", ") or "closed")
end

return M
