-- cli.lua - the troupe program's command line: which command is meant, and what it is given.
--
-- The program (src/lua_program.c) calls what this returns with the words of the command line, [0] being its own name,
-- and exits with the status that comes back: 0, 1 when something failed, 2 for misuse.

local io, require, table = io, require, table

require "troupe" -- knows what the commands are made of

local commands = {
  help = "troupe.cli.help", log = "troupe.cli.log",
  map = "troupe.cli.map", run = "troupe.cli.run", spawn = "troupe.cli.spawn", version = "troupe.cli.version",
}

local aliases = { ["-h"] = "help", ["--help"] = "help", ["-V"] = "version", ["--version"] = "version" }

local function misuse(text)
  io.stderr:write("troupe: ", text, "\nTry 'troupe help'.\n")
  return 2
end

return function(words)
  local name = words[1]
  if not name then return misuse "a command is missing" end
  local command = commands[aliases[name] or name]
  if not command then return misuse(("unknown command '%s'"):format(name)) end
  local args = { table.unpack(words, 2) }
  if args[1] == "--help" or args[1] == "-h" then command, args = commands.help, { name } end
  return require(command)(args)
end
