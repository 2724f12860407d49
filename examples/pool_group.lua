-- pool_group.lua - a group of jobs of which some fail: all are waited for, then each is accounted for.
local troupe = require "troupe"

local pages = { "/index", "/news", "/missing", "/about", "/broken" }

local function fetch(page)
  if page == "/missing" then error("404", 0) end
  if page == "/broken" then error({ status = 500 }) end -- errors may be any value
  return ("<h1>%s</h1>"):format(page)
end

local pool <close> = troupe.pool{ workers = 2 }
local group <close> = pool:group()
for _, page in ipairs(pages) do group:submit(fetch, page) end
group:wait()

local results, errors = group:results(), group:errors()
for i, page in ipairs(pages) do
  local err = errors[i]
  if err then
    print(page, "failed: " .. (type(err) == "table" and err.status or err:match "^%d+"))
  else
    print(page, #results[i] .. " bytes")
  end
end
local counts = group:counts()
print(counts.finished .. " of " .. counts.total)
