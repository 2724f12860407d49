/* child_results.c - results on their way out of a child.
 *
 * The plain way is one value_encode. Only when that refuses, each result is looked at, and copied as far as
 * needed to put a string in the place of what cannot cross. Such a copy shares its tables as the original
 * did.
 *
 * In `mend` and what it calls, the stack holds the table of copies (original -> copy) at COPIES.
 */
#include "child_results.h"

#include <string.h>

#include <lauxlib.h>

#include "troupe.h"
#include "value.h"

enum { COPIES = 1 };

static const struct value_mode mode;

/* Whether the value at index can cross as it is. */
static bool crosses(lua_State *L, int index)
{
    struct buffer scratch;
    buffer_init(&scratch);
    lua_pushvalue(L, index); /* at a positive index of its own */
    int top = lua_gettop(L);
    int rc = value_encode(L, top, top, "result", &mode, &scratch);
    buffer_release(&scratch);
    lua_settop(L, top - 1);
    return rc == 0;
}

static void push_substitute(lua_State *L, int index)
{
    lua_pushfstring(L, "Un-supported value: %s: %p", luaL_typename(L, index), lua_topointer(L, index));
}

/* A finaliser, given to the copy, would run twice. */
static void copy_metatable(lua_State *L, int from, int to)
{
    if (!lua_getmetatable(L, from))
        return;
    lua_pushliteral(L, "__gc");
    if (lua_rawget(L, -2) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_setmetatable(L, to);
    } else {
        lua_pop(L, 2);
    }
}

static void push_mended(lua_State *L, int index, int depth);

/* Pushes a copy of the table at index in which everything can cross. */
static void push_copy(lua_State *L, int index, int depth)
{
    lua_pushvalue(L, index);
    if (lua_rawget(L, COPIES) != LUA_TNIL)
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    int copy = lua_gettop(L);
    lua_pushvalue(L, index);
    lua_pushvalue(L, copy);
    lua_rawset(L, COPIES);
    lua_pushnil(L);
    while (lua_next(L, index)) {
        push_mended(L, copy + 1, depth + 1);
        push_mended(L, copy + 2, depth + 1);
        lua_rawset(L, copy);
        lua_pop(L, 1);
    }
    copy_metatable(L, index, copy);
}

/* Pushes the value at the absolute index, or what stands for it. */
static void push_mended(lua_State *L, int index, int depth)
{
    luaL_checkstack(L, 8, "result");
    if (crosses(L, index))
        lua_pushvalue(L, index);
    else if (lua_istable(L, index) && depth < VALUE_DEPTH)
        push_copy(L, index, depth);
    else
        push_substitute(L, index);
}

/* Lua: (results...) -> as many, all of which can cross. */
static int mend(lua_State *L)
{
    int count = lua_gettop(L);
    lua_newtable(L);
    lua_insert(L, COPIES);
    luaL_checkstack(L, count, "results");
    for (int i = 1; i <= count; i++)
        push_mended(L, COPIES + i, 0);
    return count;
}

int child_results_encode(lua_State *L, struct buffer *out)
{
    int count = lua_gettop(L);
    int rc = value_encode(L, 1, count, "result", &mode, out);
    if (rc == 0 || rc == TROUPE_ENOMEM)
        return rc;
    lua_pop(L, 1);
    if (lua_checkstack(L, 1)) {
        lua_pushcfunction(L, mend);
        lua_insert(L, 1);
        if (lua_pcall(L, count, LUA_MULTRET, 0) == LUA_OK)
            return value_encode(L, 1, lua_gettop(L), "result", &mode, out);
    }
    return TROUPE_ENOMEM;
}
