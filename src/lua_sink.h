/* lua_sink.h - the window to sinks of logs: troupe.log_sink.core, which lua/troupe/log_sink.lua completes. */
#ifndef LUA_SINK_H
#define LUA_SINK_H

#include <lua.h>

/* Lua: opens troupe.log_sink.core. */
int lua_sink_open(lua_State *L);

#endif
