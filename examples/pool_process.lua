-- Workers that are processes: what crashes one costs that job alone, and with retries not even that.

local troupe = require "troupe"

local pool <close> = troupe.pool { workers = 2, isolation = "process", cpu_limit = 60 }

-- Its first run dies as a crash in a C module would, or a process that the kernel ends for want of memory.
local function measure(text)
  local job = require "troupe".job()
  if text:find "bomb" and job.attempt == 1 then os.execute "kill -9 $PPID" end
  return #text, job.attempt
end

local texts, jobs = { "plain", "a bomb", "more", "the next bomb" }, {}
for i, text in ipairs(texts) do jobs[i] = pool:submit({ measure, retries = 1 }, text) end
for i, job in ipairs(jobs) do
  local size, attempt = job:await()
  print(("%s: %d bytes, run %d"):format(texts[i], size, attempt))
end

-- Without retries the job is lost, and says so; the pool goes on with another process.
print(pool:submit(measure, "a last bomb"):join())
print(pool:submit(measure, "and on"):await())
