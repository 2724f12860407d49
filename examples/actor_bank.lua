-- actor_bank.lua - a bank whose clerks are killed all the time: a transfer happens whole or not at all.
local troupe = require "troupe"

local bank = troupe.spawn { {
  init = function(self) self.balance = { ada = 500, bob = 500, eve = 500 } end,
  -- one message, one handler: nothing can come between the two sides of a transfer
  transfer = function(self, from, to, amount)
    local balance = self.balance
    if balance[from] < amount then return nil, "not enough" end
    balance[from] = balance[from] - amount
    balance[to] = balance[to] + amount
    return true
  end,
  total = function(self) return self.balance.ada + self.balance.bob + self.balance.eve end,
}, isolation = "light", name = "bank" }

local Clerk = {}
function Clerk:work(from, to, amount) -- luacheck: ignore 212
  return troupe.whereis("bank"):call("transfer", from, to, amount)
end

local clerks = troupe.supervise { intensity = 1000, children = {
  { id = 1, start = { Clerk } }, { id = 2, start = { Clerk } }, { id = 3, start = { Clerk } },
} }

local names, done, broken = { "ada", "bob", "eve" }, 0, 0
for i = 1, 300 do
  local clerk = clerks:call("which")[i % 3 + 1].ref
  local work = clerk:ask("work", names[i % 3 + 1], names[i % 2 + 1], i % 50)
  if i % 10 == 0 then clerk:kill() end
  if work:join() then done = done + 1 else broken = broken + 1 end
end
print(("%d transfers answered, %d clerks killed at work, %d in the bank"):format(done, broken, bank:call "total"))
