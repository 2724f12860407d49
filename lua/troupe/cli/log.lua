-- log.lua - `troupe log`: a sink of logs (lua/troupe/log_sink.lua) that runs until a signal ends it.

local io, ipairs, math, pairs, pcall, require = io, ipairs, math, pairs, pcall, require

local arguments = require "troupe.cli.arguments"
local core = require "troupe.core"
local log_sink = require "troupe.log_sink"
local program = require "troupe.program"
local task = require "troupe.task"

local STDOUT = 1

local known = {
  ["--pull"] = { key = "pull", kind = "list" }, ["--sub"] = { key = "sub", kind = "list" },
  ["--connect"] = { key = "connect", kind = "list" }, ["--connect-pull"] = { key = "connect_pull", kind = "list" },
  ["--file"] = { key = "file", kind = "text" }, ["--dir"] = { key = "dir", kind = "text" },
  ["--rotate"] = { key = "rotate", kind = "bytes" }, ["--keep"] = { key = "keep", kind = "natural" },
  ["--json"] = { key = "json", kind = "flag" }, ["--level"] = { key = "level", kind = "text" },
  ["--grep"] = { key = "grep", kind = "text" }, ["--server-cert"] = { key = "server_cert", kind = "text" },
  ["--client-certs"] = { key = "client_certs", kind = "text" },
  ["--make-cert"] = { key = "make_cert", kind = "text" },
}

local levels = { emerg = 1, alert = 2, fatal = 3, error = 4, warning = 5, notice = 6, info = 7, debug = 8, trace = 9 }

local function say(text)
  io.stderr:write("troupe log: ", text, "\n")
end

local function misuse(text)
  say(text .. "\nTry 'troupe help log'.")
  return 2
end

-- What is wrong with the options together; nil: nothing.
local function complaint(options)
  if options.make_cert then
    for key in pairs(options) do
      if key ~= "make_cert" then return "--make-cert stands alone" end
    end
    return nil
  end
  if not (options.pull or options.sub or options.connect or options.connect_pull) then
    return "an endpoint is missing: --pull, --sub, --connect or --connect-pull"
  end
  if options.file and options.dir then return "--file or --dir, not both" end
  if options.rotate and not options.file then return "--rotate needs --file" end
  if options.keep and not options.rotate then return "--keep needs --rotate" end
  if (options.server_cert == nil) ~= (options.client_certs == nil) then
    return "--server-cert and --client-certs need each other"
  end
  if options.level and not levels[options.level:lower()] then
    return ("option '--level': there is no level '%s'"):format(options.level)
  end
  return nil
end

local function make_certificate(path)
  local ok, message = require "troupe.certificates".make(path)
  if not ok then
    say(message)
    return 1
  end
  io.write(("%s (public: to be given away), %s_secret (to be kept)\n"):format(path, path))
  return 0
end

-- Until a signal asks for the end, or nobody reads what it prints; SIGHUP has the sink open its files anew.
local function serve(sink)
  local me = task.running()
  local stop = task.watch(program.stops(), "r", function() task.notify(me, "stop") end)
  local hangup = task.watch(program.hangups(), "r", function()
    if program.hung_up() > 0 then sink:reopen() end
  end)
  local ended = task.watch(sink:ended(), "r", function() task.notify(me, "stop") end)
  for _, endpoint in ipairs(sink:endpoints()) do say("listening to " .. endpoint) end
  task.wait("stop", math.huge)
  stop:close()
  hangup:close()
  ended:close()
end

return function(args)
  local options, rest = arguments.parse(known, args)
  if not options then return misuse(rest) end
  if args[rest] then return misuse(("unexpected word '%s'"):format(args[rest])) end
  local wrong = complaint(options)
  if wrong then return misuse(wrong) end
  if options.make_cert then return make_certificate(options.make_cert) end
  local up, why = pcall(program.defer)
  if not up then
    say((why:gsub("^[^\n]-:%d+: ", "")))
    return 1
  end
  if not (options.file or options.dir) then
    options.descriptor = STDOUT
    options.colours = not options.json and core.isatty(STDOUT)
  end
  local sink, message = log_sink.open(options)
  if not sink then
    say(message)
    return 1
  end
  task.run(serve, sink)
  sink:close()
  return sink:counts().lost > 0 and 1 or 0
end
