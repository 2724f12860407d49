-- spawn.lua - `troupe spawn [--watch] ACTOR [ARG...]`: one actor, from a script, until it has ended or a signal comes.
--
--     starting --init returned--> running --it failed--> starting
--     running --the script changed--> running: reloaded, or it says why not
--     starting, running --it does not start, or failed too often--> given up; with --watch: idle
--     idle --the script changed--> starting
--     running --it ended as it wished, a signal--> over
--
-- 1. The keeper is the only task that starts it. The one that watches the script reloads it; where nothing runs it says
--    so by `changed`, which the keeper looks at.
-- 2. What has been said of a failure by the log is not said again: here it says what becomes of it.

local io, pcall, require, table, tostring = io, pcall, require, table, tostring

local arguments = require "troupe.cli.arguments"
local program = require "troupe.program"
local task = require "troupe.task"
local troupe = require "troupe"
local wait = require "troupe.waiting"

-- It may fail so often within so many seconds, as under a supervisor.
local INTENSITY, PERIOD = 3, 5

local FAILED, MISUSE, SIGNALLED = 1, 2, 128

local known = { ["--watch"] = { key = "watch", kind = "flag" } }

local function say(text, ...)
  io.stderr:write("troupe spawn: ", text:format(...), "\n")
end

local function misuse(text)
  say("%s\nTry 'troupe help spawn'.", text)
  return MISUSE
end

local function first_line(reason) return (tostring(reason):match "^[^\n]*") end

-- Notes a failure; true when there were too many.
local function failed_too_often(moments)
  local now = troupe.now()
  table.insert(moments, now)
  if #moments <= INTENSITY then return false end
  return now - table.remove(moments, 1) <= PERIOD
end

-- Waits for the script to change; false without --watch.
local function idle(state)
  if not state.watch then return false end
  say("waiting for %s to change", state.name)
  wait.wait(state.place, function() return state.changed end)
  state.moments = {}
  return true
end

-- Starts the actor; nil when it does not start.
local function start(state)
  state.changed = false
  local ref, why = troupe.spawn(state.name, table.unpack(state.args))
  if ref then return ref end
  say("%s does not start: %s", state.name, tostring(why))
  return nil
end

-- The running actor gets what the script is now.
local function reload(state, ref)
  state.changed = false
  local ok, why, runs = ref:reload()
  if ok then
    say("%s reloaded", state.name)
  elseif runs then
    say("%s is started anew", state.name)
    state.anew = true
    ref:stop "reload"
  elseif ref:alive() then
    say("%s not reloaded: %s", state.name, tostring(why))
  end
end

-- Runs it to its end. True when it ended as it wished, else the reason.
local function see_to_end(state, ref)
  local core, bonds = require "troupe.actor.core", require "troupe.actor_bonds"
  state.ref = ref
  if state.changed then reload(state, ref) end -- while it started
  bonds.await_end(ref)
  state.ref = nil
  local reason = core.reason(ref)
  return reason == "normal" or reason == "shutdown", reason
end

-- The body of the keeper: starts it as often as it takes. Returns the exit status.
local function keep(state)
  while true do
    local ref = start(state)
    local well, reason
    if ref then
      well, reason = see_to_end(state, ref)
      if well then return 0 end
    end
    if ref and (state.anew or not failed_too_often(state.moments)) then
      if not state.anew then say("%s failed: %s; started again", state.name, first_line(reason)) end
      state.anew = false
    else
      if ref then say("%s failed too often, the last time: %s", state.name, first_line(reason)) end
      if not idle(state) then return FAILED end
    end
  end
end

-- Observes the script; a handle to close.
local function observe(state)
  local path, file, why
  path, why = require "troupe.actor_script".path(state.name)
  if path then file, why = program.watch_file(path) end
  if not file then return nil, why end
  return task.watch(file:descriptor(), "r", function()
    if not file:changed() then return end
    state.changed = true
    if state.ref then reload(state, state.ref) else wait.wake(state.place) end
  end)
end

-- Until the keeper is done, or a signal asks for the end. Returns the exit status.
local function serve(state)
  local observer, why
  if state.watch then
    observer, why = observe(state)
    if not observer then
      say("%s", why)
      return FAILED
    end
  end
  local stop = task.watch(program.stops(), "r", function() wait.wake(state.place) end)
  local keeper = task.spawn(function()
    state.status = keep(state)
    wait.wake(state.place)
  end)
  wait.wait(state.place, function() return state.status or program.signal() end)
  task.kill(keeper)
  stop:close()
  if observer then observer:close() end
  troupe.shutdown(true)
  return state.status or SIGNALLED + program.signal()
end

return function(args)
  local options, at = arguments.parse(known, args)
  if not options then return misuse(at) end
  if not args[at] then return misuse "an actor is missing: a script, or the name of a module" end
  local up, why = pcall(program.defer)
  if not up then
    say("%s", (why:gsub("^[^\n]-:%d+: ", "")))
    return FAILED
  end
  return task.run(serve, {
    name = args[at], args = { table.unpack(args, at + 1) }, watch = options.watch, moments = {}, place = {},
  })
end
