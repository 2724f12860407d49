-- help.lua - `troupe help [COMMAND]`: what the man page says, in short.

local io = io

local pages = {}

pages.troupe = [[
troupe: Lua on all the cores of a machine

    troupe map [OPTION...] WORKER [ITEM...]    call a Lua function for each item, on all cores
    troupe log [OPTION...]                     collect the logs of many programs
    troupe run SCRIPT.lua [ARG...]             run a program that uses the library
    troupe spawn [--watch] ACTOR [ARG...]      run one actor, again when it fails
    troupe version                             versions of troupe, Lua and ZeroMQ
    troupe help [COMMAND]                      this, or more about a command

The manual: man troupe.
]]

pages.map = [[
troupe map [OPTION...] WORKER [ITEM...]
troupe map [OPTION...] -e CODE [ITEM...]

Calls a function with each item, on all cores, and prints what it returns, a line for each item, in the order of the
items. WORKER is a file that returns a function, or module:function. Without ITEMs each line of standard input is one.

    -e CODE         the function's body: it gets the item as ...
    -j N            so many workers (default: one a core; 0 or less: cores plus N)
    -0              items on standard input end with a NUL byte in place of a newline
    -p              show progress on standard error, when it is a terminal
    --process       workers are processes: one that crashes costs the call it was in
    --unordered     print results as they come
    --chunk N       give a worker so many items at a time (default: as measured)
    --retries N     call again, at most N times, when a call fails
    --timeout S     break into a call that takes longer than S seconds; it fails
    --json          print an object a line: item, ok, result, error, seconds
    --reduce FILE   FILE returns a function (value, results...) -> value; print only its last value

Several results have tabs between them; nil is printed as nothing, a table as JSON. A failed item goes to standard
error with its traceback, and the others go on.
Exit status: 0, 1 if an item failed, 2 for misuse, 130 after Ctrl-C.

    ls | troupe map -e 'local f <close> = io.open((...)); return (...), #f:read "a"'
    find . -name '*.png' -print0 | troupe map -0 -p thumbnail.lua
]]

pages.log = [[
troupe log [OPTION...]
troupe log --make-cert FILE

Collects the records of programs that log to its endpoints, and prints or stores them, a line each: what troupe.log
sends, both forms of lua-log, and anything else as a record that shows it.

    --pull ENDPOINT          bind a PULL socket: tcp://HOST:PORT, ipc://PATH; PORT may be *
    --sub ENDPOINT           bind a SUB socket
    --connect ENDPOINT       connect a SUB socket to a PUB that binds
    --connect-pull ENDPOINT  connect a PULL socket to a PUSH that binds
    --file FILE              write to a file, in place of standard output
    --rotate SIZE            make FILE FILE.1 when it would grow past SIZE (bytes; K, M, G)
    --keep N                 keep so many of these (default: 5)
    --dir DIR                write to a file a day, DIR/YYYY-MM-DD.log
    --json                   write a JSON object a line
    --level LEVEL            leave out what is less urgent than emerg, alert, fatal, error, warning, notice, info,
                             debug or trace
    --grep PATTERN           leave out lines that do not match an extended regular expression
    --server-cert FILE       take CURVE connections only, with this certificate and its secret
    --client-certs DIR       let in those whose public certificates are in DIR
    --make-cert FILE         make a certificate: FILE, and FILE_secret

Endpoints may be given more than once. SIGHUP has it open its files anew. Ctrl-C and SIGTERM have it take what has come,
write it, sync it to the disk, and end.
Exit status: 0, 1 if a file or an endpoint could not be had or records were lost, 2 for misuse.

    troupe log --pull tcp://127.0.0.1:5555 --file all.log --rotate 10M
]]

pages.run = [[
troupe run SCRIPT.lua [ARG...]

Runs the script as lua5.4 does, with require "troupe" at hand and its arguments in `arg` and `...`; SCRIPT.lua may be -
for standard input. Ctrl-C raises an error in the script, which closes its pools in order; twice ends it at once.
Exit status: 0, 1 after an error, 2 for misuse, 130 after Ctrl-C.
]]

pages.spawn = [[
troupe spawn [--watch] ACTOR [ARG...]

Runs one actor, in a Lua state and on a thread of its own, until it ends or a signal comes. ACTOR is a script that
returns a table of handlers or a function, or the name of a module; the ARGs are what its init gets, as strings.

    --watch         load the script anew when it changes, between two messages: what the actor keeps in self stays.
                    One that does not load changes nothing, and standard error says why

An actor that fails is started again, unless it has failed more than 3 times within 5 seconds. With --watch the program
then waits for the script to change, as it does when the actor does not start.
Ctrl-C ends it in order, by way of its terminate; twice ends the program at once.
Exit status: 0 when it ended as it wished, 1 when it did not start or failed too often, 2 for misuse, 130 after Ctrl-C.

    troupe spawn --watch counter.lua 10
]]

pages.version = "troupe version\n\nPrints the versions of troupe, Lua and ZeroMQ.\n"
pages.help = "troupe help [COMMAND]\n\nPrints what there is to say about the command, or which commands there are.\n"

return function(args)
  local page = pages[args[1] or "troupe"]
  if not page or #args > 1 then
    io.stderr:write("troupe help: ", page and "one command at a time" or ("there is no command '" .. args[1] .. "'"),
      "\nTry 'troupe help'.\n")
    return 2
  end
  io.write(page)
  return 0
end
