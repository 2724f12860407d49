/* lua_open.c - fills package.preload with the library's own modules. */
#include "lua_open.h"

#include <lauxlib.h>

#include "lua_native.h"

int lua_open_preload(lua_State *L)
{
    static const luaL_Reg modules[] = { { "llthreads", troupe_open_llthreads },
                                        { "llthreads2", troupe_open_llthreads },
                                        { "troupe", troupe_open_troupe },
                                        { "troupe.native", lua_native_open },
                                        { NULL, NULL } };
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    luaL_setfuncs(L, modules, 0);
    lua_pop(L, 1);
    return 0;
}
