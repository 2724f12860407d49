/* lua_host.c - runs a Lua file as lua5.4 does, from a program that carries a sanitizer's runtime.
 *
 * The distribution's interpreter lacks the runtime, so in a sanitized build it could not load our modules.
 * Usage: lua_host FILE [ARG...]; exit status 0, or 1 with a traceback on standard error.
 */
#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

static int add_traceback(lua_State *L)
{
    const char *message = luaL_tolstring(L, 1, NULL);
    luaL_traceback(L, L, message, 1);
    return 1;
}

/* The global `arg`, as lua5.4 makes it: the script's name at 0, this program's at -1. */
static void set_arg(lua_State *L, int argc, char **argv)
{
    lua_createtable(L, argc, 2);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i - 1);
    }
    lua_setglobal(L, "arg");
}

static int run(lua_State *L)
{
    int argc = (int)lua_tointeger(L, 1);
    char **argv = lua_touserdata(L, 2);

    luaL_openlibs(L);
    set_arg(L, argc, argv);
    lua_pushcfunction(L, add_traceback);
    if (luaL_loadfile(L, argv[1]) != LUA_OK)
        return lua_error(L);
    luaL_checkstack(L, argc, "too many arguments");
    for (int i = 2; i < argc; i++)
        lua_pushstring(L, argv[i]);
    if (lua_pcall(L, argc - 2, 0, 3) != LUA_OK)
        return lua_error(L);
    return 0;
}

int main(int argc, char **argv)
{
    lua_State *L = argc > 1 ? luaL_newstate() : NULL;
    if (!L) {
        fprintf(stderr, argc > 1 ? "lua_host: not enough memory\n" : "usage: lua_host FILE [ARG...]\n");
        return EXIT_FAILURE;
    }
    lua_pushcfunction(L, run);
    lua_pushinteger(L, argc);
    lua_pushlightuserdata(L, argv);
    int status = lua_pcall(L, 2, 0, 0);
    if (status != LUA_OK)
        fprintf(stderr, "lua_host: %s\n", lua_tostring(L, -1));
    lua_close(L);
    return status == LUA_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
