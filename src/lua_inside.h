/* lua_inside.h - what a running job may ask and say. */
#ifndef LUA_INSIDE_H
#define LUA_INSIDE_H

#include <lua.h>

struct vm_run;

/* The job whose code this is; raises when it is none. */
struct vm_run *lua_inside_check(lua_State *L, const char *what);

/* Lua: troupe.emit, troupe.sync. */
int lua_emit(lua_State *L);
int lua_sync(lua_State *L);

/* Puts job, checkin, emit and sync into the table on top. */
void lua_inside_open(lua_State *L);

#endif
