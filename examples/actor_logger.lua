-- actor_logger.lua - a logger among the actors of a program: what its actors, jobs and threads say ends up in one file,
-- and what other programs send to the logger's endpoint, too, as this one does here by hand.
local troupe = require "troupe"
local log = require "troupe.log"

local path = os.tmpname()
local logger = assert(troupe.spawn({ "actors/logger.lua", isolation = "light" },
  { pull = "tcp://127.0.0.1:*", file = path, rotate = 2 ^ 20, own = true }))
log.set_level_all "info"

local Baker = {}
function Baker:bake(count) -- luacheck: ignore 212
  for i = 1, count do log.info { "baked", loaf = i } end
end
troupe.spawn({ Baker, isolation = "light" }):call("bake", 2)

do
  local pool <close> = troupe.pool { workers = 1 }
  pool:submit(function() require "troupe.log".notice "delivered by a job" end):await()
end
require "llthreads".new "require 'troupe.log'.warning 'a thread found no change'":start():join()

local script = os.tmpname()
local file <close> = assert(io.open(script, "w"))
file:write [[local log = require "troupe.log" log.to(...) log.error "another program has no flour" log.flush(60)]]
file:close()
assert(os.execute(("'%s' run %s '%s'"):format(os.getenv "TROUPE" or "troupe", script, logger:call "endpoint")))

logger:stop()
for line in io.lines(path) do print((line:gsub("^[^[]*%[(%u+)%].*: ", "%1 "))) end
os.remove(path)
os.remove(script)
