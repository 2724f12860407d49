-- log_fixture.lua - what the tests of the log share: files and directories, lines, and waiting for what is to come.

local assert, error, io, os, pcall = assert, error, io, os, pcall

local t = require "harness"
local troupe = require "troupe"
local log = require "troupe.log"

local M = {}

--- The lines of a text, without their newlines.
function M.lines_of(text)
  local lines = {}
  for line in text:gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
  return lines
end

--- What is in a file.
function M.read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

--- body(directory), an empty one, which is gone afterwards; records go to standard error again then.
function M.with_directory(body)
  local dir = os.tmpname()
  os.remove(dir)
  assert(os.execute("mkdir '" .. dir .. "'"))
  local ok, err = pcall(body, dir)
  assert(log.to "stderr")
  os.execute("rm -rf '" .. dir .. "'")
  if not ok then error(err, 0) end
end

--- Runs the vm's scheduler until condition() is true.
function M.await(what, condition)
  local deadline = troupe.now() + t.script_deadline
  while not condition() do
    if troupe.now() > deadline then error(what .. ": never came", 2) end
    troupe.task.sleep(0.002)
  end
end

--- How many connections this program has, those that listen counted too.
function M.count_sockets()
  local stat <close> = assert(io.open "/proc/self/stat")
  local list = assert(io.popen(("ls -l /proc/%d/fd"):format(stat:read "n")))
  local _, count = list:read "a":gsub("socket:", "")
  list:close()
  return count
end

return M
