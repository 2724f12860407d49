-- luacheck's settings for every Lua file here: no globals beyond Lua 5.4's own, none set.
std = "lua54"
max_line_length = 120
codes = true
exclude_files = { "build" }
