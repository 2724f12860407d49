-- actor_thread.lua - actors with a vm of their own, seen from where they are spawned.
--
-- Such an actor is the one light actor of a worker (actor_host.lua), whose pool has nothing else, is in no list, and
-- ends with it. So what is true of workers is true here: how a vm is made, what it may take, how it is broken into and
-- given up. The actor lives on when the vm that spawned it ends.

require "troupe"
local core = require "troupe.actor.core"
local behaviours = require "troupe.actor_behaviour"
local bonds = require "troupe.actor_bonds"
local bundle = require "troupe.actor_bundle"
local future = require "troupe.actor_future"
local registry = require "troupe.registry"

local error, package, pcall, require = error, package, pcall, require

local M = {}

-- Set when the first one is spawned: pools need more than actors do.
local pools, pool_options, submit

local function load_pools()
  pools = require "troupe.core"
  require "troupe.pool"
  pool_options = require "troupe.pool.options"
  submit = require "troupe.pool.submit"._submit_checked
end

local function order_of(opts, level)
  local order = {
    name = opts.name or "actor", workers = 1, memory_limit = opts.memory_limit,
    path = behaviours.library_path or package.path, -- finds the library; the actor's own is set by the host
    cpath = package.cpath, preload = pool_options.preload(opts.preload, "spawn", level + 1),
    hosts = true, shared = opts.shared,
  }
  if opts.isolation == "process" then require "troupe.pool.process".add(order, opts, "spawn", level + 1) end
  return order
end

-- Its job ends when the actor has ended, whatever way; before the actor is there only for a reason.
local function submit_host(pool, number, behaviour, opts, ...)
  local job, code = bundle.job(opts.isolation == "process")
  return submit(pool, job, {
    outlive = true,
    on_error = function(_, err) core.reply_late(number, false, err) end,
  }, nil, code, number, behaviour, {
    vm = core.own_address(), spawner = opts.link and core.current() or nil, hosted = opts.isolation or "thread",
    interested = true, place = opts.place,
    mailbox_limit = opts.mailbox_limit, init_timeout = opts.init_timeout, libs = opts.libs,
    path = opts.path or behaviours.library_path and package.path or nil,
    cpath = opts.cpath, memory_limit = opts.memory_limit,
  }, ...)
end

local function start(pool, number, ...)
  local ok, job = pcall(submit_host, pool, number, ...)
  if ok then
    pools.disown(pool)
    return job
  end
  pool:close()
  core.reply_late(number, false, job)
  error(job, 4)
end

local count = 0

local function settle(ref, opts)
  core.expect(ref)
  count = count + 1
  if core.alive(ref) then bonds.children[ref] = count end
  if opts.name then
    local ok, why = registry.register(opts.name, ref)
    if not ok then
      ref:kill()
      return nil, why
    end
  end
  if opts.monitor then bonds.watch(core.current(), ref) end
  return ref
end

--- Spawns an actor in a vm of its own.
-- @param behaviour path, module, table or function; what is no text must be able to cross
-- @param opts table: spawn's options, checked
-- @param ... arguments of init
-- @return its reference; nil, error
function M.spawn(behaviour, opts, ...)
  if not pools then load_pools() end
  if opts.name and registry.whereis(opts.name) then return nil, "name taken" end
  if opts.libs then pool_options.libs(opts.libs, "spawn", 3) end
  local number = core.await_reply()
  local born = future.of(number)
  local job = start(pools.new(order_of(opts, 3)), number, behaviour, opts, ...)
  local ok, ref, why = born:join(opts.init_timeout)
  if ok == nil then
    job:kill(0)
    return nil, "timeout"
  end
  if not ok then return nil, ref end
  if not ref then return nil, why end
  return settle(ref, opts)
end

--- Starts a vm that light actors share. Its address answers call `number`, nil when there is one for that place.
-- @param place integer; false: a vm that only chooses among these, for a worker process
function M.start_shared(number, place)
  if not pools then load_pools() end
  local opts = { name = "actors", shared = place and true or nil, place = place }
  start(pools.new(order_of(opts, 3)), number, false, opts)
end

--- ref:kill() of another vm's actor: by its vm, or if that reads no mail, by the node.
function M.kill(ref)
  core.note(ref) -- what is told of its end comes with the reason
  core.control(ref, "kill")
  core.doom(ref)
end

return M
