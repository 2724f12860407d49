/* module_llthreads2.c - llthreads2.so: what require "llthreads2" loads. */
#include "lua_open.h"

TROUPE_API int luaopen_llthreads2(lua_State *L);

int luaopen_llthreads2(lua_State *L)
{
    return troupe_open_llthreads(L);
}
