/* module_troupe.c - require "troupe": a door into libtroupe. */
#include "lua_open.h"

TROUPE_API int luaopen_troupe(lua_State *L);

int luaopen_troupe(lua_State *L)
{
    return troupe_open_troupe(L);
}
