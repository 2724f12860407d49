/* lua_pool.h - pools in Lua. */
#ifndef LUA_POOL_H
#define LUA_POOL_H

#include <lua.h>

/* Lua: pushes the table of C functions that lua/troupe/pool.lua builds the pool's class from. */
int lua_pool_open(lua_State *L);

#endif
