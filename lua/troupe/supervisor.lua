-- supervisor.lua - actors that start others, and start them again when they fail.
--
--     child: starting --its init returned--> running --it ended--> due, or gone (by its restart rule)
--            due --at once, or when its backoff is over--> starting
--     supervisor: up --more than `intensity` restarts within `period` seconds--> it stops its children and fails
--
-- 1. A supervisor is linked with its children and traps exits: it hears of every end, and none outlives it. The end of
--    the actor that made it with `link` ends it.
-- 2. children stands in the order of starting; what is stopped is stopped from its end.
-- 3. Restarts are kept in a ring of `intensity` moments, so counting them costs the same however many there were.

require "troupe"
local actor = require "troupe.actor"
local bonds = require "troupe.actor_bonds"
local options = require "troupe.options"
local ends = require "troupe.actor_shutdown"
local now = require "troupe".now

local error, ipairs, math, pairs, select, setmetatable, table, tostring, type =
  error, ipairs, math, pairs, select, setmetatable, table, tostring, type

local M = {}

local strategies = { one_for_one = true, one_for_all = true, rest_for_one = true }
local rules = { permanent = true, transient = true, temporary = true }

local child_options = { id = "any", start = "table", restart = "string", shutdown = "any", isolation = "string" }
local backoff_options = { base = "seconds", factor = "seconds", max = "seconds" }

local function one_of(value, known, what, level)
  if known[value] then return end
  local names = {}
  for name in pairs(known) do names[#names + 1] = name end
  table.sort(names)
  error(("%s: one of %s expected, got %s"):format(what, table.concat(names, ", "), tostring(value)), level + 1)
end

local function check_child(spec, what, level)
  level = level + 1
  options.check(spec, child_options, what, level)
  if spec.id == nil then error(what .. ": option 'id' expected", level) end
  if not spec.start or spec.start[1] == nil then
    error(what .. ": option 'start': { behaviour, ... } expected", level)
  end
  one_of(spec.restart or "permanent", rules, what .. ": option 'restart'", level)
  local shutdown = spec.shutdown
  if shutdown ~= nil and shutdown ~= "kill" and not (type(shutdown) == "number" and shutdown >= 0) then
    error(what .. ": option 'shutdown': seconds or \"kill\" expected", level)
  end
  return { spec = spec, id = spec.id, restarts = 0 }
end

local function check_backoff(backoff, what, level)
  if type(backoff) == "number" then return { base = backoff } end
  return options.check(backoff, backoff_options, what .. ": backoff", level + 1)
end

-- ---- the behaviour

local Supervisor = { trap_exit = true }

-- What to spawn for a child: its behaviour with the options it names, and linked.
local function spawn_options(child, isolation)
  local what = child.spec.start[1]
  local opts = {}
  if type(what) == "table" and what[1] ~= nil then
    for key, value in pairs(what) do opts[key] = value end
  else
    opts[1] = what
  end
  opts.isolation = opts.isolation or child.spec.isolation or isolation
  opts.link = true
  return opts
end

local function begin(self, child)
  local start = child.spec.start
  local alike = self.dynamic and self or child -- the children of a dynamic supervisor differ in arguments only
  local opts = alike.opts or spawn_options(child, self.isolation)
  alike.opts = opts
  local ref, why = actor.spawn(opts, table.unpack(start, 2, start.n or #start))
  child.ref, child.due = ref, nil
  if not ref then return nil, why end
  self.by_ref[ref] = child
  bonds.supervise(ref, child.restarts)
  return ref
end

local function finish(self, child)
  local ref, told = child.ref, child.spec.shutdown
  if child.due then child.due:cancel() end
  child.ref, child.due = nil, nil
  if not ref then return end
  self.by_ref[ref] = nil
  actor.unlink(ref)
  if told == "kill" or not ref:stop("shutdown", ends.seconds(ref, told)) then ref:kill() end
end

local function place_of(self, child)
  for i, other in ipairs(self.children) do
    if other == child then return i end
  end
end

local function remove(self, child)
  if self.dynamic then
    self.count = self.count - 1
    return
  end
  table.remove(self.children, place_of(self, child))
end

-- Notes a restart; false when there were too many.
local function allowed(self)
  local ring, size, moment = self.ring, self.intensity, now()
  if size < 1 then return false end
  local at = self.restarts % size + 1
  local first = ring[at]
  ring[at] = moment
  self.restarts = self.restarts + 1
  return not (first and moment - first <= self.period)
end

local function wait_before(self, child)
  local backoff = self.backoff
  if not backoff then return 0 end
  local seconds = (backoff.base or 0) * (backoff.factor or 2) ^ (child.restarts - 1)
  return math.min(seconds, backoff.max or math.huge)
end

local restart

-- Starts the children from a place on, one after the other; one that fails is the next to be restarted.
local function begin_from(self, first, last)
  for i = first, last do
    local child = self.children[i]
    if not child.ref then
      local ref, why = begin(self, child)
      if not ref then return restart(self, child, why) end
    end
  end
end

local function again(self, child)
  if self.dynamic or self.strategy == "one_for_one" then
    local ref, why = begin(self, child)
    if not ref then return restart(self, child, why) end
    return
  end
  local first = self.strategy == "one_for_all" and 1 or place_of(self, child)
  for i = #self.children, first, -1 do finish(self, self.children[i]) end
  begin_from(self, first, #self.children)
end

local function give_up(self, child, reason)
  self:stop(("supervisor gave up: child '%s' ended too often, the last time: %s"):format(tostring(child.id),
    tostring(reason)))
end

function restart(self, child, reason)
  child.restarts = child.restarts + 1
  if not allowed(self) then return give_up(self, child, reason) end
  local seconds = wait_before(self, child)
  if seconds == 0 then return again(self, child) end
  self.waiting[child.restarts .. tostring(child)] = child
  child.due = self:send_after(seconds, "due", child.restarts .. tostring(child))
end

--- The backoff of a child is over.
function Supervisor:due(key)
  local child = self.waiting[key]
  self.waiting[key] = nil
  if child and child.due then again(self, child) end
end

function Supervisor:exit(ref, reason)
  local child = self.by_ref[ref]
  if ref == self.parent then self:stop(reason) end
  if not child then return end
  self.by_ref[ref], child.ref = nil, nil
  local rule = child.spec.restart or "permanent"
  if rule == "permanent" or rule == "transient" and reason ~= "normal" and reason ~= "shutdown" then
    restart(self, child, reason)
  elseif rule == "temporary" or self.dynamic then
    remove(self, child)
  end
end

function Supervisor:terminate()
  for i = #self.children, 1, -1 do finish(self, self.children[i]) end
  local left = {}
  for _, child in pairs(self.by_ref) do left[#left + 1] = child end
  for _, child in ipairs(left) do finish(self, child) end
end

local function find(self, id)
  for _, child in ipairs(self.children) do
    if child.id == id then return child end
  end
end

--- call("which"): a list of { id =, ref =, restart =, restarts =, state = "running", "due" or "stopped" }, in order.
function Supervisor:which()
  local list = {}
  local function add(child)
    list[#list + 1] = {
      id = child.id, ref = child.ref, restart = child.spec.restart or "permanent", restarts = child.restarts,
      state = child.ref and "running" or child.due and "due" or "stopped",
    }
  end
  for _, child in ipairs(self.children) do add(child) end
  if self.dynamic then
    for _, child in pairs(self.by_ref) do add(child) end
  end
  return list
end

--- call("counts"): { children =, running =, restarts = }.
function Supervisor:counts()
  local running = 0
  for _ in pairs(self.by_ref) do running = running + 1 end
  return { children = self.dynamic and self.count or #self.children, running = running, restarts = self.restarts }
end

--- call("start_child", spec): one more child, the last; of a dynamic supervisor call("start_child", ...) with further
-- arguments for its init.
-- @return its reference; nil, error
function Supervisor:start_child(spec, ...)
  if self.dynamic then return M.start_dynamic(self, spec, ...) end
  local child = check_child(spec, "start_child", 1)
  if find(self, child.id) then return nil, "there is a child of that id" end
  local ref, why = begin(self, child)
  if not ref then return nil, why end
  self.children[#self.children + 1] = child
  return ref
end

--- call("stop_child", id): a dynamic supervisor's children are named by their references.
-- @return true; nil, error
function Supervisor:stop_child(id)
  local child = self.by_ref[id] or find(self, id)
  if not child then return nil, "no such child" end
  finish(self, child)
  if self.dynamic then remove(self, child) end
  return true
end

--- call("restart_child", id): ends it, if it runs, and starts it again; this counts as no failure.
-- @return its reference; nil, error
function Supervisor:restart_child(id)
  local child = self.by_ref[id] or find(self, id)
  if not child then return nil, "no such child" end
  finish(self, child)
  return begin(self, child)
end

function M.start_dynamic(self, ...)
  if self.count >= self.most then return nil, "too many children" end
  local template = self.template
  local start = table.pack(table.unpack(template.start, 1, template.start.n or #template.start))
  for i = 1, select("#", ...) do start[start.n + i] = (select(i, ...)) end
  start.n = start.n + select("#", ...)
  self.serial = self.serial + 1
  local child = { spec = setmetatable({ start = start }, { __index = template }), id = self.serial, restarts = 0 }
  local ref, why = begin(self, child)
  if not ref then return nil, why end
  self.count = self.count + 1
  return ref
end

-- All children end one after the other.
local function seconds(self)
  local sum = 0
  for ref, child in pairs(self.by_ref) do sum = sum + ends.seconds(ref, child.spec.shutdown) end
  return sum
end

local function set_up(self, opts)
  bonds.supervisors[self.ref] = function() return seconds(self) end
  self.strategy = opts.strategy or "one_for_one"
  self.intensity, self.period = opts.intensity or 3, opts.period or 5
  self.backoff, self.isolation = opts.backoff, opts.isolation or "local"
  self.children, self.by_ref, self.waiting, self.ring = {}, {}, {}, {}
  self.restarts, self.count, self.serial = 0, 0, 0
end

-- Starts the children in order. When one fails, those before it are stopped, and so is the supervisor.
local function init(self, opts, children)
  set_up(self, opts)
  for i, child in ipairs(children) do
    self.children[i] = child
    local ref, why = begin(self, child)
    if not ref then
      Supervisor.terminate(self)
      error(("child '%s': %s"):format(tostring(child.id), tostring(why)), 0)
    end
  end
end

local function spawn(opts, fn)
  local parent = opts.link and actor.current()
  local function begin_with(self)
    self.parent = parent
    fn(self)
  end
  local behaviour = setmetatable({ init = begin_with }, { __index = Supervisor })
  return actor.spawn { behaviour, isolation = "local", name = opts.name, link = opts.link }
end

local supervise_options = {
  strategy = "string", intensity = "integer", period = "seconds", children = "table", backoff = "any", name = "string",
  link = "boolean", isolation = "string",
}

-- The options of either kind, its backoff as a table.
local function check(opts, known, what)
  local checked = {}
  for key, value in pairs(options.check(opts, known, what, 3)) do checked[key] = value end
  if checked.backoff then checked.backoff = check_backoff(checked.backoff, what, 3) end
  return checked
end

local function check_children(specs, what)
  local children, ids = {}, {}
  for i, spec in ipairs(specs or {}) do
    children[i] = check_child(spec, what .. ": child " .. i, 3)
    if ids[spec.id] then error(("%s: two children of id '%s'"):format(what, tostring(spec.id)), 3) end
    ids[spec.id] = true
  end
  return children
end

--- The behaviour of actors/supervisor.lua: its init takes the options of supervise.
M.behaviour = setmetatable({ init = function(self, opts)
  opts = check(opts, supervise_options, "supervisor")
  one_of(opts.strategy or "one_for_one", strategies, "supervisor: option 'strategy'", 1)
  init(self, opts, check_children(opts.children, "supervisor"))
end }, { __index = Supervisor })

--- An actor that starts its children in order, and again when they end; it stops them in reverse.
-- @param opts table: strategy ("one_for_one": the child that ended is restarted; "one_for_all": all are;
--   "rest_for_one": it and those started after it), intensity and period (more restarts than intensity, default 3,
--   within period seconds, default 5: it gives up, stops its children and fails), backoff (seconds before a restart, or
--   { base =, factor = 2, max = }), name, link (to the spawning actor), isolation (of children that name none, default
--   "local"), children: a list of { id =, start = { behaviour or { behaviour, options }, arguments... }, restart =
--   "permanent" (default), "transient" (not after "normal" or "shutdown") or "temporary" (never), shutdown = seconds
--   (default 5; for a supervisor, what its own children may take and 5) or "kill" }
-- @return its reference, to call "which", "counts", "start_child", "stop_child", "restart_child"; nil, error
-- @usage local tree = troupe.supervise { children = { { id = "store", start = { "actors/kv.lua" } } } }
function M.supervise(opts)
  opts = check(opts, supervise_options, "supervise")
  one_of(opts.strategy or "one_for_one", strategies, "supervise: option 'strategy'", 2)
  local children = check_children(opts.children, "supervise")
  return spawn(opts, function(self) init(self, opts, children) end)
end

local dynamic_options = {
  start = "table", restart = "string", shutdown = "any", intensity = "integer", period = "seconds", backoff = "any",
  name = "string", link = "boolean", isolation = "string", max_children = "count",
}

--- A supervisor of many alike children, each started by call("start_child", arguments...).
-- @param opts table: start ({ behaviour, arguments... }, to which those of start_child are added), restart (default
--   "temporary"), shutdown, max_children, intensity, period, backoff, name, link, isolation as for supervise
-- @return its reference; nil, error
function M.dynamic_supervisor(opts)
  opts = check(opts, dynamic_options, "dynamic_supervisor")
  local spec = { id = "child", start = opts.start, restart = opts.restart or "temporary", shutdown = opts.shutdown }
  check_child(spec, "dynamic_supervisor", 2)
  return spawn(opts, function(self)
    set_up(self, opts)
    self.dynamic, self.template, self.most = true, spec, opts.max_children or math.huge
  end)
end

return M
