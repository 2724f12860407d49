/* module_llthreads.c - llthreads.so: what require "llthreads" loads. */
#include "lua_open.h"

TROUPE_API int luaopen_llthreads(lua_State *L);

int luaopen_llthreads(lua_State *L)
{
    return troupe_open_llthreads(L);
}
