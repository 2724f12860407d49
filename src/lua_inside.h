/* lua_inside.h - what a running job may ask and say. */
#ifndef LUA_INSIDE_H
#define LUA_INSIDE_H

#include <lua.h>

/* Puts job and checkin into the table on top. */
void lua_inside_open(lua_State *L);

#endif
