/* lua_log.h - the window to the log: troupe.log.core, which lua/troupe/log.lua completes. */
#ifndef LUA_LOG_H
#define LUA_LOG_H

#include <lua.h>

/* Lua: opens troupe.log.core. */
int lua_log_open(lua_State *L);

/* The text on top of the stack, which stays, as a record of this vm; `level` is one of record.h. */
void lua_log_say(lua_State *L, int level);

#endif
