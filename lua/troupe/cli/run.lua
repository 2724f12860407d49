-- run.lua - `troupe run SCRIPT.lua [ARG...]`: a program, as lua5.4 runs it, with the library at hand. When it has
-- ended, its actors are, in order, and then its pools.

local debug, getmetatable, io, loadfile, package, table, tostring, type, xpcall =
  debug, getmetatable, io, loadfile, package, table, tostring, type, xpcall

local program = require "troupe.program"

local function complain(text)
  io.stderr:write("troupe: ", text, "\n")
end

-- The frames below the script are this file's, and none of its business.
local function without_ours(trace)
  return (trace:gsub("^(.*)\n\t%[C%]: in function 'xpcall'\n.*$", "%1\n\t[C]: in ?"))
end

local function handler(err)
  if type(err) ~= "string" then
    local meta = getmetatable(err)
    if type(meta) == "table" and meta.__tostring then return tostring(err) end
    if type(err) ~= "number" then err = ("(error object is a %s value)"):format(type(err)) end
  end
  return without_ours(debug.traceback(err, 2))
end

-- The script's global `arg`: its name at 0, its arguments behind, the words before it below.
local function arg_table(args)
  local arg = { [-2] = "troupe", [-1] = "run", [0] = args[1] }
  table.move(args, 2, #args, 1, arg)
  return arg
end

-- A program without actors ends as its pools do, when the vm closes.
local function close()
  if not package.loaded["troupe.actor_life"] then return end
  local ok, err = xpcall(require "troupe".shutdown, handler, true)
  if not ok then complain(err) end
end

return function(args)
  if not args[1] or (args[1] ~= "-" and args[1]:sub(1, 1) == "-") then
    complain("run: " .. (args[1] and ("unknown option '" .. args[1] .. "'") or "a script is missing")
      .. "\nTry 'troupe help run'.")
    return 2
  end
  local script, message = loadfile(args[1] ~= "-" and args[1] or nil)
  if not script then
    complain(message)
    return 1
  end
  _G.arg = arg_table(args)
  local ok, err = xpcall(script, handler, table.unpack(args, 2))
  local task = package.loaded["troupe.task"]
  if ok and task then ok, err = xpcall(task.run, handler) end -- what it has spawned goes on to its end
  local signal = program.signal()
  if not (ok or signal) then complain(err) end
  close()
  return ok and 0 or signal and 128 + signal or 1
end
