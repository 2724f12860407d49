-- isolations.lua - the suites that open pools, run once more with workers that are processes.
--
-- A suite runs as it is, in a process of its own, with another default for the option `isolation` (harness.lua). What
-- differs by contract says so in the suite, where t.isolation is asked. One that stands here cannot be left out by
-- mistake: whatever it prints but passed tests and a plan is a failure.

local t = require "harness"

local suites = {
  "job_cleanup", "job_control", "job_info", "job_stream", "pool", "pool_gangs", "pool_groups", "pool_limit",
  "pool_many", "pool_misuse", "pool_options", "pool_outcomes", "pool_queue", "pool_reliability", "pool_retry",
  "pool_schedule", "pool_stats", "progress", "task", "task_outcomes", "task_parking",
}

t.script_deadline = 300 * t.slowdown

local directory = arg[0]:match "^(.*)/[^/]*$"

-- What a run says beside passed tests; nil when that is nothing, and its plan is kept.
local function complaint(out)
  local passed, planned, other = 0, nil, {}
  for line in out:gmatch "[^\n]+" do
    if line:find "^ok %d+ " then passed = passed + 1
    elseif line:find "^1%.%.%d+$" then planned = tonumber(line:match "%d+$")
    else other[#other + 1] = line end
  end
  if passed == 0 or passed ~= planned then other[#other + 1] = ("%d tests passed of %s"):format(passed, planned) end
  return other[1] and table.concat(other, "\n")
end

for _, name in ipairs(suites) do
  t.test(name .. " with processes", function()
    local file = ("%s/%s.lua"):format(directory, name)
    local status, out, err = t.run { "env", "TEST_ISOLATION=process", t.interpreter(), file }
    local why = complaint(out)
    if why or status ~= 0 then error(("status %d\n%s\n%s"):format(status, why or "", err), 0) end
  end)
end

t.finish()
