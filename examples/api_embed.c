/* api_embed.c - a C program with a Lua state of its own, whose scripts use troupe as any Lua program does.
 *
 *     cc api_embed.c $(pkg-config --cflags --libs lua5.4) -o api_embed && ./api_embed */
#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

static const char script[] =
    "local troupe = require 'troupe'\n"
    "local pool <close> = troupe.pool{ workers = 2 }\n"
    "local squares = pool:map(function(n) return n * n end, { 1, 2, 3, 4 })\n"
    "return table.concat(squares, ' ')\n";

int main(void)
{
    lua_State *L = luaL_newstate();
    if (!L)
        return EXIT_FAILURE;
    luaL_openlibs(L);
    int failed = luaL_dostring(L, script);
    fprintf(failed ? stderr : stdout, "%s\n", lua_tostring(L, -1));
    lua_close(L); /* ends the pool, its workers and the node */
    return failed;
}
