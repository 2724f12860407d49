-- pool_scan.lua LOG... - counts the lines of logs by level, reading each in pieces on all processors, with progress.
local troupe = require "troupe"

local PIECE = 1 << 20

-- Runs in a worker: counts the lines that begin within a piece of a file.
local function scan(piece)
  local file <close> = assert(io.open(piece.path, "rb"))
  if piece.from > 0 then
    file:seek("set", piece.from - 1)
    file:read "l" -- belongs to the piece before
  end
  local counts = {}
  while file:seek() < piece.to do
    local line = file:read "l"
    if not line then break end
    local level = line:match "%f[%u](%u%u%u%u+)%f[%U]" or "other"
    counts[level] = (counts[level] or 0) + 1
  end
  return counts
end

-- Lazily: a log may be larger than memory.
local function pieces(paths)
  return coroutine.wrap(function()
    for _, path in ipairs(paths) do
      local file <close> = assert(io.open(path, "rb"))
      for from = 0, file:seek "end" - 1, PIECE do coroutine.yield { path = path, from = from, to = from + PIECE } end
    end
  end)
end

local pool <close> = troupe.pool{ name = "scan" }
local total, levels = {}, {}
for counts in pool:imap(scan, pieces(arg), { chunk = 1, window = 64, progress = { label = "scan" } }) do
  for level, count in pairs(counts) do total[level] = (total[level] or 0) + count end
end
for level in pairs(total) do levels[#levels + 1] = level end
table.sort(levels, function(a, b) return total[a] > total[b] or total[a] == total[b] and a < b end)
for _, level in ipairs(levels) do print(level, total[level]) end
