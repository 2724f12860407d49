/* lua_value.h - the window to values: encode, decode and class for the module table. */
#ifndef LUA_VALUE_H
#define LUA_VALUE_H

#include <lua.h>

/* Pushes a table of the functions encode, encode_with, decode and class. Returns 1. */
int lua_value_open(lua_State *L);

#endif
