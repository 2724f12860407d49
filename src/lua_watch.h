/* lua_watch.h - watched descriptors in Lua. */
#ifndef LUA_WATCH_H
#define LUA_WATCH_H

#include <lua.h>

/* Lua: (descriptor, "r", "w" or "rw", function) -> watch, with close(). */
int lua_watch(lua_State *L);

#endif
