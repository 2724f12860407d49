-- await.lua - waiting for what must come, until a deadline that only a hang can miss.

local troupe = require "troupe"
local task = require "troupe.task"
local t = require "harness"

local await = {}

-- Waits until done() is true; what: for the error, a string or a function that returns one.
function await.until_true(done, what, level)
  local deadline = troupe.now() + t.script_deadline
  while not done() do
    if troupe.now() > deadline then
      error((type(what) == "function" and what() or what or "it") .. ": never came", (level or 1) + 1)
    end
    task.sleep(0.001)
  end
end

-- Waits until the job has that status.
function await.status(job, word)
  await.until_true(function() return job:status() == word end,
    function() return ("the job is %s, and %s"):format(job:status(), word) end, 2)
end

return setmetatable(await, { __call = function(_, done, what) return await.until_true(done, what, 2) end })
