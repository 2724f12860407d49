-- map.lua - `troupe map`: options, the workers, and what comes of it as an exit status. The work itself is flow.lua's.

local io, loadfile, math, pcall, table, tostring, type =
  io, loadfile, math, pcall, table, tostring, type

local arguments = require "troupe.cli.arguments"
local core = require "troupe.core"
local flow = require "troupe.cli.flow"
local json = require "troupe.cli.json"
local new_pool = require "troupe.pool"
local new_progress = require "troupe.progress"
local program = require "troupe.program"
local sink = require "troupe.cli.sink"
local source = require "troupe.cli.source"
local worker = require "troupe.cli.worker"

local FAILED, MISUSE, SIGNALLED, SIGPIPE = 1, 2, 128, 13

local known = {
  ["-e"] = { key = "code", kind = "text" },
  ["-j"] = { key = "workers", kind = "integer" },
  ["-0"] = { key = "zero", kind = "flag" },
  ["-p"] = { key = "progress", kind = "flag" },
  ["--process"] = { key = "process", kind = "flag" },
  ["--unordered"] = { key = "unordered", kind = "flag" },
  ["--chunk"] = { key = "chunk", kind = "count" },
  ["--retries"] = { key = "retries", kind = "natural" },
  ["--timeout"] = { key = "timeout", kind = "seconds" },
  ["--json"] = { key = "json", kind = "flag" },
  ["--reduce"] = { key = "reduce", kind = "text" },
}

local function say(text)
  io.stderr:write("troupe map: ", text, "\n")
end

local function misuse(text)
  say(text .. "\nTry 'troupe help map'.")
  return MISUSE
end

-- Options, what the workers load, and the items that are arguments; nil and a message for misuse.
local function read_words(args)
  local options, at = arguments.parse(known, args)
  if not options then return nil, at end
  local plan
  if options.code then
    plan = { kind = "code", text = options.code }
  elseif args[at] then
    plan, at = worker.describe(args[at]), at + 1
  else
    return nil, "a worker is missing: a file, module:function, or -e CODE"
  end
  plan.json, plan.retries, plan.chunk, plan.timeout = options.json, options.retries, options.chunk, options.timeout
  return options, plan, { table.unpack(args, at) }
end

-- The function that --reduce names; nil and a message.
local function load_fold(path)
  local chunk, message = loadfile(path)
  if not chunk then return nil, message end
  local ok, fold = pcall(chunk, path)
  if not ok then return nil, ("while loading %s: %s"):format(path, tostring(fold)) end
  if type(fold) ~= "function" then return nil, ("what %s returns is a %s, not a function"):format(path, type(fold)) end
  return fold
end

-- The pool; nil and a message when there is not enough of something for it.
local function open_pool(workers, plan, process)
  local up, pool = pcall(new_pool, {
    workers = workers, name = "map", isolation = process and "process" or nil,
    init = "troupe.cli.worker:open", init_args = { plan },
  })
  if up then return pool end
  return nil, (tostring(pool):gsub("^[^\n]-:%d+: ", ""))
end

-- Brings a worker up, so that what is wrong with all of them is said once; nil, an exit status and a message.
local function check_worker(pool)
  local entries, err = core.submit_batch(pool, nil, "troupe.cli.worker:fault", { true }, 1, 1):entries()
  if not entries then return nil, FAILED, (tostring(err):gsub("\nstack traceback:.*", "")) end
  if entries[2] then return nil, MISUSE, tostring(entries[2]) end
  return true
end

local function open_sink(options, fold, items)
  local progress = new_progress { total = items.total, label = "map", off = not options.progress }
  if fold then return sink.fold(progress, items.delimiter, fold), progress end
  return sink.lines(progress, items.delimiter), progress
end

local function exit_status(out, items)
  if out.broken == true then return SIGNALLED + SIGPIPE end
  if out.broken then say(out.broken) end
  local signal = program.signal()
  if signal then return SIGNALLED + signal end
  if items.message then say("cannot read standard input: " .. items.message) end
  return (out.failed > 0 or out.broken or items.message) and FAILED or 0
end

local function run(options, plan, items, fold)
  plan.delimiter = items.delimiter
  local workers = options.workers or 0
  if workers <= 0 then workers = math.max(1, core.cores() + workers) end
  local pool <close>, refusal = open_pool(workers, plan, options.process)
  if not pool then
    say(refusal)
    return FAILED
  end
  local up, status, message = check_worker(pool)
  if not up then
    say(message)
    return status
  end
  local out, progress = open_sink(options, fold, items)
  flow.new {
    pool = pool, workers = workers, source = items, sink = out, ordered = not options.unordered, chunk = options.chunk,
    interrupted = program.signal,
  }:run()
  out:finish(options.json and json.encode or worker.text)
  progress:finish()
  return exit_status(out, items)
end

return function(args)
  local options, plan, words = read_words(args)
  if not options then return misuse(plan) end
  local fold, message
  if options.reduce then
    fold, message = load_fold(options.reduce)
    if not fold then return misuse(message) end
  end
  local up, why = pcall(program.defer)
  if not up then
    say((why:gsub("^[^\n]-:%d+: ", "")))
    return FAILED
  end
  local items = #words > 0 and source.arguments(words) or source.input(options.zero and "\0" or "\n")
  return run(options, plan, items, fold)
end
