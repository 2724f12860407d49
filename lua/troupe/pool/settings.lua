-- settings.lua - what a pool was made with and its submits in Lua must know: pool -> table, as long as the pool lives.

return setmetatable({}, { __mode = "k" })
