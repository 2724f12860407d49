-- log.lua - what troupe.log says, and where it goes.
local troupe = require "troupe"
local log = require "troupe.log"

log.set_level_all "info"

-- A function in one vm may take the records of all vms.
log.to(function(record)
  print(record.level, record.message, record.source:match "%w+%.lua:%d+", record.fields and record.fields.seconds)
end)
log.info("%d of %d done", 3, 7)
log.notice { "served", path = "/index.html", seconds = 0.25 }
log.debug "this is below the level"

local pool <close> = troupe.pool { workers = 1 }
pool:submit(function() require "troupe.log".warning "from a job" end):await()
troupe.task.sleep(0) -- a function gets what other vms say while its own vm waits
log.info "done"

-- A file is rotated at its size.
local name = os.tmpname()
log.to(name, { rotate = 10 * 2 ^ 20, keep = 5, json = true })
log.error "to the file"
log.to "stderr"
print(io.open(name):read "a":match '"message":"(.-)"')
os.remove(name)
