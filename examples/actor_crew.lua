-- actor_crew.lua - the actors that come along, together: sensors report at most 20 values in a tenth of a second, which
-- are written to a file in batches, and counted in a store.
local troupe = require "troupe"

local path = os.tmpname()
local function crew(name, ...)
  return assert(troupe.spawn({ "actors/" .. name .. ".lua", isolation = "light" }, ...))
end

local writer, counts, limiter = crew("file_writer", path), crew "kv", crew("rate_limiter", 20, 0.1)
local printer = troupe.spawn { {
  batch = function(_, lines) writer:send("line", table.concat(lines, "; ")) end,
}, isolation = "light" }
local batcher = crew("batcher", { to = printer, count = 10 })

local Sensor = {}
function Sensor:measure(name, times) -- luacheck: ignore 212
  for i = 1, times do
    limiter:call_with({ timeout = 60 }, "acquire")
    counts:call("add", name, 1)
    batcher:send("add", name .. " " .. i)
  end
  return times
end

local begin, futures = troupe.now(), {}
for i, name in ipairs { "heat", "light", "sound" } do
  futures[i] = troupe.spawn({ Sensor, isolation = "light" }):ask("measure", name, 10)
end
for _, future in ipairs(futures) do future:await() end
local slow = troupe.now() - begin >= 0.1

for _, actor in ipairs { batcher, printer, writer } do actor:stop() end
local lines, values = 0, 0
for line in io.lines(path) do lines, values = lines + 1, values + select(2, line:gsub("%w+ %d+", "")) end
os.remove(path)
local heat = counts:call("get", "heat")
print(("%d values in %d lines, not too fast: %s, heat %d times"):format(values, lines, slow, heat))
