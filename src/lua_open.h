/* lua_open.h - the library's own modules, as a new vm finds them in package.preload. */
#ifndef LUA_OPEN_H
#define LUA_OPEN_H

#include <lua.h>

#include "troupe.h"

/* The modules, as their shared objects (module_*.c) and package.preload open them. */
TROUPE_API int troupe_open_llthreads(lua_State *L);
TROUPE_API int troupe_open_troupe(lua_State *L);

/* Lua, and vm_options.open: fills package.preload. Leaves nothing on the stack. */
int lua_open_preload(lua_State *L);

#endif
