-- file_writer.lua - the one who writes to a file, so that lines of many actors do not mix.
--
--     local writer = troupe.spawn({ "actors/file_writer.lua", isolation = "light" }, "out.txt", { append = true })
--     writer:send("line", "text")       a line; "write" adds no newline
--     writer:call("flush")              true when all of it has left the program
--
-- It is flushed every second, and at the end. An error of the file ends the actor: a supervisor opens it again.

local assert, io = assert, io

local Writer = {}

function Writer:init(path, options)
  self.file = assert(io.open(path, options and options.append and "ab" or "wb"))
  self.file:setvbuf "full"
  self:every(options and options.seconds or 1, "flush")
end

function Writer:write(text) assert(self.file:write(text)) end

function Writer:line(text) assert(self.file:write(text, "\n")) end

function Writer:flush()
  assert(self.file:flush())
  return true
end

function Writer:terminate() self.file:close() end

return Writer
