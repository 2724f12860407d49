-- places.lua - how many jobs may be submitted at once to a pool with a limited queue: they are cancelled again.

local function nothing() end

return function(pool)
  pool:pause()
  local jobs = {}
  while true do
    local job = pool:submit { nothing, enqueue_timeout = 0 }
    if not job then break end
    jobs[#jobs + 1] = job
  end
  for _, job in ipairs(jobs) do job:cancel() end
  pool:resume()
  return #jobs
end
