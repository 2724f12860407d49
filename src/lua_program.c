/* lua_program.c - hands over to lua/troupe/cli.lua.
 *
 * The module troupe.program is there only in the program's own vm:
 *
 *     defer()           from now on a signal interrupts nothing: it throws the switch and wakes whoever waits for mail
 *     signal()          the number of the signal that came; nil: none
 *     stops()           a descriptor that is readable once one came, if signals are deferred; nil: none to be had
 *     hangups()         SIGHUP ends nothing any more; a descriptor that it makes readable; nil: none to be had
 *     hung_up()         how often it came since it was last asked
 *     watch_file(path)  observes a file: a handle with descriptor(), readable when there may be news, changed(), true when it
 *                       was written or replaced since last asked, and close(); nil, message
 *     versions()        of troupe, Lua, ZeroMQ: three strings
 */
#include "lua_program.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include <lauxlib.h>

#include "ear.h"
#include "file_watch.h"
#include "lua_loop.h"
#include "lua_open.h"
#include "mailbox_version.h"
#include "signals.h"
#include "stop.h"
#include "troupe.h"

static const char entry[] = "troupe.cli";

static int defer(lua_State *L)
{
    signals_defer(ear_address(loop_ear(lua_loop(L))));
    return 0;
}

static int signal_seen(lua_State *L)
{
    int number = signals_seen();
    if (number)
        lua_pushinteger(L, number);
    else
        lua_pushnil(L);
    return 1;
}

static int push_descriptor(lua_State *L, int descriptor)
{
    if (descriptor >= 0)
        lua_pushinteger(L, descriptor);
    else
        lua_pushnil(L);
    return 1;
}

static int stops(lua_State *L)
{
    return push_descriptor(L, stop_descriptor());
}

static int hangups(lua_State *L)
{
    return push_descriptor(L, signals_hangups());
}

static int hung_up(lua_State *L)
{
    eventfd_t count = 0;
    eventfd_read(signals_hangups(), &count);
    lua_pushinteger(L, (lua_Integer)count);
    return 1;
}

/* ---- files under observation */

static const char file_watch_class[] = "troupe.file_watch";

static struct file_watch *check_file_watch(lua_State *L)
{
    struct file_watch **w = luaL_checkudata(L, 1, file_watch_class);
    if (!*w)
        luaL_error(L, "this file watch is closed");
    return *w;
}

static int file_watch_of(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct file_watch **w = lua_newuserdatauv(L, sizeof *w, 0);
    *w = NULL;
    luaL_setmetatable(L, file_watch_class);
    int rc = file_watch_new(w, path);
    if (rc == 0)
        return 1;
    lua_pushnil(L);
    lua_pushfstring(L, "cannot watch %s: %s", path, rc == TROUPE_EINVAL ? "no such directory" : troupe_strerror(rc));
    return 2;
}

static int file_watch_close(lua_State *L)
{
    file_watch_destroy(luaL_checkudata(L, 1, file_watch_class));
    return 0;
}

static int file_watch_fd(lua_State *L)
{
    return push_descriptor(L, file_watch_descriptor(check_file_watch(L)));
}

static int file_watch_changed(lua_State *L)
{
    lua_pushboolean(L, file_watch_take(check_file_watch(L)));
    return 1;
}

static void make_file_watch_class(lua_State *L)
{
    static const luaL_Reg methods[] = {{"descriptor", file_watch_fd}, {"changed", file_watch_changed},
                                       {"close", file_watch_close}, {"__gc", file_watch_close},
                                       {"__close", file_watch_close}, {NULL, NULL}};
    luaL_newmetatable(L, file_watch_class);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    luaL_setfuncs(L, methods, 0);
    lua_pop(L, 1);
}

static int versions(lua_State *L)
{
    int major, minor, patch;
    mailbox_version(&major, &minor, &patch);
    lua_pushstring(L, troupe_version());
    lua_pushliteral(L, LUA_RELEASE);
    lua_pushfstring(L, "libzmq %d.%d.%d", major, minor, patch);
    return 3;
}

static int open_program(lua_State *L)
{
    static const luaL_Reg functions[] = {{"defer", defer}, {"signal", signal_seen}, {"stops", stops}, {"hangups", hangups},
                                         {"hung_up", hung_up}, {"watch_file", file_watch_of}, {"versions", versions},
                                         {NULL, NULL}};
    make_file_watch_class(L);
    luaL_newlib(L, functions);
    return 1;
}

int lua_program_preload(lua_State *L)
{
    lua_open_preload(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, open_program);
    lua_setfield(L, -2, "troupe.program");
    lua_pop(L, 1);
    return 0;
}

/* True when the search path on top of the stack finds the entry; package is at index 1. */
static bool finds_entry(lua_State *L)
{
    lua_getfield(L, 1, "searchpath");
    lua_pushstring(L, entry);
    lua_pushvalue(L, -3);
    lua_call(L, 2, 1);
    bool found = !lua_isnil(L, -1);
    lua_pop(L, 1);
    return found;
}

/* Lua: (package, paths that were searched...) raises that the entry is in none of them */
static int raise_lost(lua_State *L)
{
    luaL_Buffer b;
    int top = lua_gettop(L);
    luaL_buffinit(L, &b);
    luaL_addstring(&b, "the parts in Lua are nowhere; LUA_PATH may say where troupe/cli.lua is. Looked in");
    for (int i = 2; i <= top; i++) {
        luaL_addstring(&b, "\n    ");
        lua_pushvalue(L, i);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    return lua_error(L);
}

/* Lua: (package, places as pointer) sees to it that package.path finds the parts in Lua. */
static int find_parts(lua_State *L)
{
    const char *const *places = lua_touserdata(L, 2);
    lua_settop(L, 1);
    lua_getfield(L, 1, "path");
    if (finds_entry(L))
        return 0;
    for (; *places; places++) {
        lua_pushfstring(L, "%s/?.lua;%s/?/init.lua", *places, *places);
        if (!finds_entry(L))
            continue;
        lua_pushfstring(L, "%s;%s", lua_tostring(L, 2), lua_tostring(L, -1));
        lua_setfield(L, 1, "path");
        return 0;
    }
    return raise_lost(L);
}

/* Lua: (package, places as pointer) adds them to package.cpath, behind what is there. */
static int find_modules(lua_State *L)
{
    const char *const *places = lua_touserdata(L, 2);
    lua_getfield(L, 1, "cpath");
    for (; *places; places++) {
        lua_pushfstring(L, "%s;%s/?.so", lua_tostring(L, -1), *places);
        lua_replace(L, -2);
    }
    lua_setfield(L, 1, "cpath");
    return 0;
}

/* Lua: (places as pointer, argv as pointer, argc, places of modules in C as pointer) -> exit status */
static int hand_over(lua_State *L)
{
    const char *const *places = lua_touserdata(L, 1), *const *modules = lua_touserdata(L, 4);
    char **argv = lua_touserdata(L, 2);
    int argc = (int)lua_tointeger(L, 3);
    lua_settop(L, 0);
    lua_pushcfunction(L, find_parts);
    lua_getglobal(L, "package");
    lua_pushlightuserdata(L, (void *)places);
    lua_call(L, 2, 0);
    lua_pushcfunction(L, find_modules);
    lua_getglobal(L, "package");
    lua_pushlightuserdata(L, (void *)modules);
    lua_call(L, 2, 0);
    lua_getglobal(L, "require");
    lua_pushstring(L, entry);
    lua_call(L, 1, 1);
    lua_createtable(L, argc, 1);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i);
    }
    lua_call(L, 1, 1);
    return 1;
}

int lua_program_run(struct vm *vm, const char *const *places, const char *const *modules, int argc, char **argv)
{
    lua_State *L = vm_state(vm);
    int status = EXIT_FAILURE;
    lua_pushcfunction(L, hand_over);
    lua_pushlightuserdata(L, (void *)places);
    lua_pushlightuserdata(L, argv);
    lua_pushinteger(L, argc);
    lua_pushlightuserdata(L, (void *)modules);
    if (vm_call(vm, 4, 1) == LUA_OK)
        status = (int)lua_tointeger(L, -1);
    else
        fprintf(stderr, "troupe: %s\n", lua_tostring(L, -1));
    lua_pop(L, 1);
    return status;
}
