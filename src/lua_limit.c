/* lua_limit.c - a call that may take only so long.
 *
 *     within(seconds, fn, ...) -> what fn returns
 *
 * Once the time has passed, the call is broken into, coroutines and pcalls in it included, and fails with "timeout". An
 * error is raised as { error, traceback }, of the class below: the traceback says where it came from, which those above
 * could no longer tell.
 *
 * Such a call does not yield: where it waits it blocks its vm, so that the limit is over when `within` is. A call into C
 * ends when it will, or when the signal ends it.
 *
 *     is_limited(value) -> whether it is such an error
 */
#include "lua_limit.h"

#include <string.h>

#include <lauxlib.h>

#include "stop.h"
#include "troupe.h"
#include "vm.h"

enum { HANDLER = 1 };

static const char class_name[] = "troupe.limited";

int lua_limit_depth(lua_State *L)
{
    lua_Debug frame;
    int depth = 0, tails = 0;
    while (lua_getstack(L, depth, &frame)) {
        lua_getinfo(L, "t", &frame);
        tails += frame.istailcall != 0;
        depth++;
    }
    return depth + tails;
}

/* The length of a traceback without its last `frames` lines. */
static size_t trimmed(const char *trace, size_t size, int frames)
{
    while (frames-- > 0) {
        const char *line = memrchr(trace, '\n', size);
        if (!line)
            break;
        size = (size_t)(line - trace);
    }
    return size;
}

void lua_limit_trace(lua_State *L, int frames)
{
    size_t size;
    luaL_traceback(L, L, NULL, 1);
    const char *trace = lua_tolstring(L, -1, &size);
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    lua_pushlstring(L, trace, trimmed(trace, size, frames));
    lua_rawseti(L, -2, 2);
}

/* Message handler. A lack of memory never gets here. */
static int handler(lua_State *L)
{
    lua_limit_trace(L, (int)lua_tointeger(L, lua_upvalueindex(1)));
    luaL_setmetatable(L, class_name);
    return 1;
}

static int within(lua_State *L)
{
    struct vm *vm = vm_of(L);
    lua_Number seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds > 0, 1, "a number above 0 expected");
    luaL_argcheck(L, vm, 1, "a worker's vm expected");
    lua_pushinteger(L, lua_limit_depth(L));
    lua_pushcclosure(L, handler, 1);
    lua_replace(L, HANDLER);
    int rc = vm_limit(vm, seconds);
    if (rc)
        return luaL_error(L, "no timer for a time limit: %s", troupe_strerror(rc));
    int status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, HANDLER);
    bool late = vm_limit_end(vm);
    if (status == LUA_OK)
        return lua_gettop(L) - HANDLER;
    if (late && !stop_thrown() && lua_limit_is_error(L, -1)) {
        lua_pushliteral(L, "timeout");
        lua_rawseti(L, -2, 1);
    }
    return lua_error(L);
}

bool lua_limit_is_error(lua_State *L, int index)
{
    bool is = false;
    index = lua_absindex(L, index);
    if (lua_type(L, index) == LUA_TTABLE && lua_getmetatable(L, index)) {
        luaL_getmetatable(L, class_name);
        is = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    return is;
}

static int is_limited(lua_State *L)
{
    lua_pushboolean(L, lua_limit_is_error(L, 1));
    return 1;
}

void lua_limit_open(lua_State *L)
{
    luaL_newmetatable(L, class_name);
    lua_pop(L, 1);
    lua_pushcfunction(L, within);
    lua_setfield(L, -2, "within");
    lua_pushcfunction(L, is_limited);
    lua_setfield(L, -2, "is_limited");
}
