-- actor_host.lua - the one job of a vm that is there for actors. One that is an actor's own: it makes the actor, and
-- lasts as long. One that light actors share: it lasts until the program ends.
--
--     spawned --init returns--> told of it --the actor ends--> over
--     spawned --init fails--> told why, over
--     any --the job is killed--> the actor is killed, over

require "troupe"
local core = require "troupe.actor.core"
local life = require "troupe.actor_life"
local behaviours = require "troupe.actor_behaviour"
local bonds = require "troupe.actor_bonds"

local collectgarbage, error, require, setmetatable = collectgarbage, error, require, setmetatable

local M = {}

local function make(behaviour, opts, ...)
  local class, why = behaviours.find(behaviour, "spawn")
  if not class then return nil, why end
  return life.spawn_here(class, opts, ...)
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
  if opts.place then return require "troupe.actor_light".serve(number, opts) end
  if opts.place == false then
    core.send_reply(number, opts.vm, true, require "troupe.actor_light".choose())
    return
  end
  if opts.path or opts.cpath or opts.libs or opts.memory_limit then require "troupe.actor_furnish".furnish(opts) end
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
