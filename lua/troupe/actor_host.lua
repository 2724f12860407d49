-- actor_host.lua - the one job of a vm that is there for actors. One that is an actor's own: it makes the actor, and
-- lasts as long. One that light actors share: it lasts until the program ends.
--
--     spawned --init returns--> told of it --the actor ends--> over
--     spawned --init fails--> told why, over
--     any --the job is killed--> the actor is killed, over

require "troupe"
local core = require "troupe.actor.core"
local actor = require "troupe.actor"
local behaviours = require "troupe.actor_behaviour"
local bonds = require "troupe.actor_bonds"
local bundle = require("troupe.later") "troupe.actor_bundle"
local wait = require "troupe.waiting"

local searchpath = package.searchpath
local _G, assert, collectgarbage, error, loadfile, package, pairs, setmetatable, table =
  _G, assert, collectgarbage, error, loadfile, package, pairs, setmetatable, table

local M = {}

-- Libraries that the option `libs` left out.
local function take_away(libs)
  local wanted = { _G = true }
  for _, name in pairs(libs) do wanted[name] = true end
  for _, name in pairs { "coroutine", "table", "io", "os", "string", "math", "utf8", "debug", "package" } do
    if not wanted[name] then _G[name], package.loaded[name] = nil, nil end
  end
  if not wanted.package then _G.require = nil end
end

-- The library's own modules are found where the spawning vm finds them, whatever path the actor has.
local function search_own(path)
  return function(name)
    local file = name:find "^troupe%f[.\0]" and searchpath(name, path)
    if not file then return nil end
    return assert(loadfile(file, "t")), file
  end
end

local function furnish(opts)
  if opts.path then
    behaviours.library_path = package.path
    table.insert(package.searchers, search_own(package.path))
    package.path = opts.path
  end
  if opts.cpath then package.cpath = opts.cpath end
  -- What is loaded later would find libraries gone, or no memory left.
  if opts.libs or opts.memory_limit then bundle.load_all() end
  if opts.libs then take_away(opts.libs) end
end

local function make(behaviour, opts, ...)
  local class, why = behaviours.find(behaviour, "spawn")
  if not class then return nil, why end
  return actor.spawn_here(class, opts, ...)
end

-- A vm that light actors share: it is told of by address, and lasts until it is killed.
local function serve(number, opts)
  bundle.load_all() -- loading a module is nothing to be broken into
  local waiters = core.host_many(opts.place)
  local own = waiters and core.own_address()
  core.send_reply(number, opts.vm, true, own or nil)
  if not own then return end -- there is one for that place already
  require "troupe.actor_light".tell(waiters, true, own)
  wait.wait({}, function() return false end)
end

--- The job.
-- @param number   integer: the call of the spawning vm that waits for what becomes of this
-- @param behaviour as spawn got it
-- @param opts     table: vm (address of the spawning vm), interested (it hears of the end), spawner (reference of the
--   actor to be linked with), hosted (the isolation), and of spawn's options those that matter here; or vm and place,
--   for a vm that light actors share; place false: a worker process wants to know of such a vm
-- @param ...      arguments of init
function M.run(number, behaviour, opts, ...)
  core.host()
  collectgarbage "restart"
  if opts.place then return serve(number, opts) end
  if opts.place == false then
    core.send_reply(number, opts.vm, true, require "troupe.actor_light".choose())
    return
  end
  furnish(opts)
  local ref, why = make(behaviour, opts, ...)
  if not ref then
    core.send_reply(number, opts.vm, true, nil, why)
    return
  end
  local _ <close> = setmetatable({}, { __close = function() core.exit(ref, "killed", true, true) end })
  if not core.send_reply(number, opts.vm, true, ref) then -- then the job's end tells it, by way of the node
    error("the vm that spawned the actor could not be told of it", 0)
  end
  if not core.alive(ref) then core.obituary(opts.vm, ref, core.reason(ref)) end -- it came before the reference did
  bonds.await_end(ref)
end

return M
