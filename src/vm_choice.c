/* vm_choice.c - what of Lua's libraries a vm has, and what it has besides: as its maker chose. For the vm's own thread,
 * before anything runs in it.
 *
 * Libraries are taken away, not left unopened: most vms are made ahead of time, with all of them.
 */
#include <stdbool.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "vm_state.h"

static bool is_in(const char *list, const char *name)
{
    size_t size = strlen(name);
    for (const char *at = list; (at = strstr(at, name)); at += size) {
        bool begins = at == list || at[-1] == ',';
        if (begins && (at[size] == 0 || at[size] == ','))
            return true;
    }
    return false;
}

void vm_close_libraries(lua_State *L, const char *libs)
{
    static const char *const names[] = {LUA_COLIBNAME, LUA_TABLIBNAME, LUA_IOLIBNAME, LUA_OSLIBNAME, LUA_STRLIBNAME,
                                        LUA_MATHLIBNAME, LUA_UTF8LIBNAME, LUA_DBLIBNAME, LUA_LOADLIBNAME};
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (is_in(libs, names[i]))
            continue;
        lua_pushnil(L);
        lua_setfield(L, -2, names[i]);
        lua_pushnil(L);
        lua_setglobal(L, names[i]);
    }
    lua_pop(L, 1);
    if (is_in(libs, LUA_LOADLIBNAME))
        return;
    lua_pushnil(L);
    lua_setglobal(L, "require");
}

void vm_preload(lua_State *L, const unsigned char *preload, size_t size)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    for (size_t at = 0; at + sizeof(lua_CFunction) < size;) {
        lua_CFunction function;
        memcpy(&function, preload + at, sizeof function);
        const char *name = (const char *)preload + at + sizeof function;
        lua_pushcfunction(L, function);
        lua_setfield(L, -2, name);
        at += sizeof function + strlen(name) + 1;
    }
    lua_pop(L, 1);
}
