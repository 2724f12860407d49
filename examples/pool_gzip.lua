-- pool_gzip.lua DIRECTORY - compresses every file below a directory, on all processors, with a bar on a terminal.
local troupe = require "troupe"

-- Runs in a worker: FILE becomes FILE.gz, and is kept. Returns both sizes.
local function compress(path)
  local function size_of(name)
    local file <close> = assert(io.open(name, "rb"))
    return file:seek "end"
  end
  local quoted = "'" .. path:gsub("'", "'\\''") .. "'"
  local before = size_of(path)
  local ok, how, status = os.execute("exec gzip --keep --force -- " .. quoted)
  if not ok then error(("gzip ended with %s %d"):format(how, status), 0) end
  return before, size_of(path .. ".gz")
end

local directory = assert(arg[1], "usage: pool_gzip.lua DIRECTORY")
local paths = {}
local find <close> = io.popen("exec find '" .. directory:gsub("'", "'\\''") .. "' -type f ! -name '*.gz'")
for path in find:lines() do paths[#paths + 1] = path end

local pool <close> = troupe.pool{ name = "gzip" }
local files, before, after, failed = 0, 0, 0, 0
for index, ok, was, is in pool:unordered(compress, paths, { progress = { label = "gzip" }, on_error = "collect" }) do
  if ok then
    files, before, after = files + 1, before + was, after + is
  else
    failed = failed + 1
    io.stderr:write(paths[index], ": ", tostring(was), "\n")
  end
end
print(("%d files, %d bytes, now %d bytes, %d failed"):format(files, before, after, failed))
os.exit(failed == 0, true)
