-- wordcount.lua [DIR] - the ten commonest words of all text files below a directory, and what more cores are worth.
-- Run it with troupe run or lua5.4. A file is text when its first 4096 bytes hold no NUL.
local troupe = require "troupe"
local function count(paths) -- in a worker: what is in these files, a NUL behind each name
  local part = { words = {}, files = 0, bytes = 0, failed = 0, unread = {} }
  for path in paths:gmatch "[^\0]+" do
    local file <close>, reason = io.open(path, "rb")
    local text = file and file:read "a"
    if not text then
      part.failed, part.unread[reason or path .. ": cannot be read"] = part.failed + 1, 1
    elseif not text:sub(1, 4096):find("\0", 1, true) then
      part.files, part.bytes = part.files + 1, part.bytes + #text
      for word in text:lower():gmatch "%a+" do part.words[word] = (part.words[word] or 0) + 1 end
    end
  end
  return part
end
local function add(sum, part) -- adds numbers, those in tables inside too
  for k, v in pairs(part) do sum[k] = type(v) == "table" and add(sum[k] or {}, v) or v + (sum[k] or 0) end
  return sum
end
local dir, groups, order, seconds, n, sum = arg[1] or "/usr/share/doc", {}, {}, {}, 0, nil
local list = io.popen("find '" .. dir:gsub("'", "'\\''") .. "' -type f -printf '%s %p\\0' | sort -zrn"):read "a"
for path in list:gmatch "%d+ ([^\0]+\0)" do -- a hundred groups alike in size
  n, groups[n % 100 + 1] = n + 1, (groups[n % 100 + 1] or "") .. path
end
for _, workers in ipairs { troupe.cores(), 1, troupe.cores() } do -- the first time the files are not in memory yet
  local pool <close>, start = troupe.pool { workers = workers }, troupe.now()
  sum = { words = {}, files = 0, bytes = 0, failed = 0, unread = {} }
  for part in pool:imap(count, groups) do add(sum, part) end
  seconds[workers] = troupe.now() - start
end
for word in pairs(sum.words) do table.insert(order, word) end
table.sort(order, function(a, b) return sum.words[a] > sum.words[b] end)
for i = 1, math.min(10, #order) do print(order[i], sum.words[order[i]]) end
local one, all = seconds[1], seconds[troupe.cores()]
print(("%d files, %d bytes of text, %d files not read; %.2f s with one worker, %.2f s with %d: %.2f times as fast")
  :format(sum.files, sum.bytes, sum.failed, one, all, troupe.cores(), one / all))
for reason in pairs(sum.unread) do io.stderr:write("not read: ", reason, "\n") end
os.exit(sum.failed == 0, true)
