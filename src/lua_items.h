/* lua_items.h - the worker's side of `troupe map`: one call for each item of a block. */
#ifndef LUA_ITEMS_H
#define LUA_ITEMS_H

#include <lua.h>

/* Adds `run_items` to the table on top of the stack. */
void lua_items_open(lua_State *L);

#endif
