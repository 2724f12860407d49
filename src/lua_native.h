/* lua_native.h - C functions as jobs, on the worker's side. */
#ifndef LUA_NATIVE_H
#define LUA_NATIVE_H

#include <lua.h>

/* The modules' functions that such jobs call, with the task's number; of Lua with source and arguments behind it. */
#define LUA_NATIVE_RUN "troupe.native:run"
#define LUA_NATIVE_CALL "troupe.native:call"

/* Lua: pushes the module. */
int lua_native_open(lua_State *L);

#endif
