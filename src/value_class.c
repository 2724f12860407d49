/* value_class.c - troupe.class: a name that a metatable has in every vm that registers it.
 *
 * A class is registered once and stays: a message may name it at any time.
 */
#include "value.h"

#include <lauxlib.h>

#include "value_names.h"

/* Raises unless what the table on top has under the key is nothing, or the very value. */
static void check_free(lua_State *L, int key, int value, const char *taken)
{
    lua_pushvalue(L, key);
    lua_rawget(L, -2);
    if (!lua_isnil(L, -1) && !lua_rawequal(L, -1, value))
        luaL_error(L, taken, lua_tostring(L, lua_type(L, key) == LUA_TSTRING ? key : -1));
    lua_pop(L, 1);
}

static void set(lua_State *L, int key, int value)
{
    lua_pushvalue(L, key);
    lua_pushvalue(L, value);
    lua_rawset(L, -3);
}

void value_class(lua_State *L)
{
    int name = lua_gettop(L) - 1, metatable = name + 1;

    luaL_checkstack(L, 8, NULL);
    names_open(L);
    names_push(L, NAMES_METATABLES);
    check_free(L, name, metatable, "the class name \"%s\" is taken by another metatable");
    names_push(L, NAMES_CLASSES);
    check_free(L, metatable, name, "the metatable is registered as class \"%s\" already");
    set(L, metatable, name);
    lua_pop(L, 1);
    set(L, name, metatable);
    lua_settop(L, name - 1);
}
