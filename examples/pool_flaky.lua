-- pool_flaky.lua - fetching from a source that fails now and then: retries with growing waits, in part left to chance,
-- so that many clients do not come back all at once; and no retry where one would be in vain.
local troupe = require "troupe"

local pool <close> = troupe.pool{ workers = 2, rate = { jobs = 50, per = 1 } } -- what the source lets us ask

-- Stands for a request: "busy" pages come with the third try, "gone" ones never.
local function fetch(page, counter)
  local tries <close> = io.open(counter, "a+")
  tries:write "."
  tries:flush()
  local count = tries:seek "end"
  if page:find "gone" then error({ status = 404 }) end
  if page:find "busy" and count < 3 then error({ status = 503 }) end
  return page .. " after " .. count
end

local pages, jobs, counters = { "index", "busy news", "gone fishing" }, {}, {}
for i, page in ipairs(pages) do
  counters[i] = os.tmpname()
  jobs[i] = pool:submit({ fetch, name = page, retries = 5,
    backoff = { base = 0.01, factor = 2, max = 1, jitter = 0.5 },
    retry_if = function(err) return type(err) == "table" and err.status >= 500 end }, page, counters[i])
end
for i, job in ipairs(jobs) do
  local ok, result = job:join()
  print(ok and result or ("%s: status %d"):format(pages[i], result.status))
  os.remove(counters[i])
end
print(pool:stats().retried .. " retries")
