-- supervisor.lua - a supervisor as a script: what troupe.supervise makes, for trees of them.
--
--     troupe.supervise { children = {
--       { id = "store", start = { "actors/supervisor.lua", { strategy = "one_for_all", children = {
--         { id = "kv", start = { "actors/kv.lua" } },
--       } } } },
--     } }
--
-- Its options are those of troupe.supervise, but for name and link.

return require "troupe.supervisor".behaviour
