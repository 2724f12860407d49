-- batcher.lua - collects items and passes them on many at a time: when there are enough, or one has waited enough.
--
--     local batcher = troupe.spawn({ "actors/batcher.lua", isolation = "light" },
--       { count = 100, seconds = 0.5, to = ref, name = "batch" })
--     batcher:send("add", item)      ref gets batch({ item, ... })
--     batcher:call("flush")          passes on what there is: how many
--
-- It flushes when it is stopped, too.

local error = error

local Batcher = {}

function Batcher:init(options)
  if not (options and options.to) then error("batcher: { to = reference, count =, seconds =, name = } expected", 0) end
  self.to, self.name = options.to, options.name or "batch"
  self.most, self.seconds = options.count or 100, options.seconds or 1
  self.items = {}
end

function Batcher:flush()
  local items = self.items
  if self.timer then self.timer:cancel() end
  self.items, self.timer = {}, nil
  if #items > 0 then self.to:send(self.name, items) end
  return #items
end

function Batcher:add(item)
  local items = self.items
  items[#items + 1] = item
  if #items >= self.most then
    Batcher.flush(self)
  elseif not self.timer then
    self.timer = self:send_after(self.seconds, "flush")
  end
end

function Batcher:terminate() Batcher.flush(self) end

return Batcher
