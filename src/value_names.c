/* value_names.c - the register of a state: which modules it has loaded, what C functions and classes are
 * called.
 *
 * Invariants:
 * 1. The register lives in the Lua registry under the address of `key`, and is never replaced.
 * 2. Both reverse maps are caches with weak keys: an answer is checked against package.loaded before it
 *    counts.
 * 3. Of several names for one thing the first in byte order is taken, whatever order the tables have.
 */
#include "value_names.h"

#include <string.h>

#include <lauxlib.h>

static const char key;

static void set_weak_table(lua_State *L, enum names_part part)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawseti(L, -2, part);
}

void names_open(lua_State *L)
{
    luaL_checkstack(L, 6, NULL);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) == LUA_TNIL) {
        lua_createtable(L, NAMES_PACK, 0);
        luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
        lua_rawseti(L, -2, NAMES_LOADED);
        set_weak_table(L, NAMES_MODULES);
        set_weak_table(L, NAMES_FUNCTIONS);
        lua_newtable(L);
        lua_rawseti(L, -2, NAMES_CLASSES);
        lua_newtable(L);
        lua_rawseti(L, -2, NAMES_METATABLES);
        lua_pushliteral(L, "__troupe_pack");
        lua_rawseti(L, -2, NAMES_PACK);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
    }
    lua_pop(L, 1);
}

bool names_push(lua_State *L, enum names_part part)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) == LUA_TNIL) {
        lua_pop(L, 1);
        return false;
    }
    lua_rawgeti(L, -1, part);
    lua_remove(L, -2);
    return true;
}

/* True when the string on top of the stack is one by which the module at `module` is loaded. */
static bool is_loaded_as(lua_State *L, int loaded, int module)
{
    bool same;

    lua_pushvalue(L, -1);
    lua_rawget(L, loaded);
    same = lua_rawequal(L, -1, module);
    lua_pop(L, 1);
    return same;
}

/* Values that are themselves and not only equal: true, a number or a string is never a module that crosses by
 * name. */
static bool has_identity(lua_State *L, int index)
{
    int type = lua_type(L, index);

    return type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TUSERDATA;
}

/* The stack while the loaded modules are gone through: slots above the first. */
enum { LOADED, REVERSE, NAME, MODULE, KNOWN, FIELD = KNOWN, FUNCTION };

/* Strings by their bytes, not by the locale. */
static bool is_before(lua_State *L, int a, int b)
{
    size_t a_size, b_size;
    const char *a_bytes = lua_tolstring(L, a, &a_size), *b_bytes = lua_tolstring(L, b, &b_size);
    int order = memcmp(a_bytes, b_bytes, a_size < b_size ? a_size : b_size);

    return order < 0 || (order == 0 && a_size < b_size);
}

/* KNOWN, the name that the module had so far, is on top. */
static bool is_better_name(lua_State *L, int first)
{
    if (lua_rawequal(L, first + KNOWN, first + NAME))
        return false;
    if (lua_type(L, first + KNOWN) != LUA_TSTRING || !is_loaded_as(L, first + LOADED, first + MODULE))
        return true;
    return is_before(L, first + NAME, first + KNOWN);
}

void names_refresh(lua_State *L)
{
    int first = lua_gettop(L) + 1;

    luaL_checkstack(L, 8, NULL);
    names_push(L, NAMES_LOADED);
    names_push(L, NAMES_MODULES);
    lua_pushnil(L);
    while (lua_next(L, first + LOADED)) {
        if (lua_type(L, first + NAME) == LUA_TSTRING && has_identity(L, first + MODULE)) {
            lua_pushvalue(L, first + MODULE);
            lua_rawget(L, first + REVERSE);
            if (is_better_name(L, first)) {
                lua_pushvalue(L, first + MODULE);
                lua_pushvalue(L, first + NAME);
                lua_rawset(L, first + REVERSE);
            }
        }
        lua_settop(L, first + NAME);
    }
    lua_settop(L, first - 1);
}

bool names_is_loaded(lua_State *L, int index)
{
    int top = lua_gettop(L);
    bool found = false;

    if (!lua_checkstack(L, 4) || !names_push(L, NAMES_LOADED))
        return false;
    lua_pushnil(L);
    while (!found && lua_next(L, top + 1)) {
        found = lua_rawequal(L, -1, index);
        lua_pop(L, 1);
    }
    lua_settop(L, top);
    return found;
}

bool names_push_module(lua_State *L, int index)
{
    int first = lua_gettop(L) + 1;

    if (!lua_checkstack(L, 6) || !names_push(L, NAMES_LOADED))
        return false;
    names_push(L, NAMES_MODULES);
    lua_pushvalue(L, index);
    lua_rawget(L, first + REVERSE);
    if (lua_type(L, -1) == LUA_TSTRING && is_loaded_as(L, first + LOADED, index)) {
        lua_replace(L, first);
        lua_settop(L, first);
        return true;
    }
    lua_settop(L, first - 1);
    return false;
}

/* Pushes what "module\0field" on top of the stack names by raw access, nil when it names nothing. */
static void push_named(lua_State *L, int loaded)
{
    size_t size;
    const char *module = lua_tolstring(L, -1, &size);
    size_t head = strlen(module);

    lua_pushlstring(L, module, head);
    lua_rawget(L, loaded);
    if (!lua_istable(L, -1))
        return;
    lua_pushlstring(L, module + head + 1, size - head - 1);
    lua_rawget(L, -2);
    lua_remove(L, -2);
}

/* Puts one C function, FIELD and FUNCTION, into REVERSE, unless a name that comes first is there. */
static void learn_function(lua_State *L, int first)
{
    lua_pushvalue(L, first + NAME);
    lua_pushlstring(L, "", 1);
    lua_pushvalue(L, first + FIELD);
    lua_concat(L, 3);
    lua_pushvalue(L, first + FUNCTION);
    lua_rawget(L, first + REVERSE);
    if (lua_isnil(L, -1) || is_before(L, -2, -1)) {
        lua_pushvalue(L, first + FUNCTION);
        lua_pushvalue(L, -3);
        lua_rawset(L, first + REVERSE);
    }
}

/* Puts the C functions of one module, NAME and MODULE, into REVERSE. */
static void learn_module(lua_State *L, int first)
{
    lua_pushnil(L);
    while (lua_next(L, first + MODULE)) {
        if (lua_type(L, first + FIELD) == LUA_TSTRING && lua_iscfunction(L, first + FUNCTION))
            learn_function(L, first);
        lua_settop(L, first + FIELD);
    }
}

/* Makes NAMES_FUNCTIONS anew from all loaded modules. */
static void learn_all_functions(lua_State *L)
{
    int first = lua_gettop(L) + 1;

    luaL_checkstack(L, 12, NULL);
    names_push(L, NAMES_LOADED);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &key);
    set_weak_table(L, NAMES_FUNCTIONS);
    lua_pop(L, 1);
    names_push(L, NAMES_FUNCTIONS);
    lua_pushnil(L);
    while (lua_next(L, first + LOADED)) {
        if (lua_type(L, first + NAME) == LUA_TSTRING && lua_istable(L, first + MODULE)
            && strlen(lua_tostring(L, first + NAME)) == lua_rawlen(L, first + NAME))
            learn_module(L, first);
        lua_settop(L, first + NAME);
    }
    lua_settop(L, first - 1);
}

/* Pushes the name that NAMES_FUNCTIONS has for it, if that still holds. */
static bool push_known_function(lua_State *L, int index)
{
    int first = lua_gettop(L) + 1;
    bool same = false;

    names_push(L, NAMES_LOADED);
    names_push(L, NAMES_FUNCTIONS);
    lua_pushvalue(L, index);
    lua_rawget(L, first + REVERSE);
    lua_replace(L, first + REVERSE);
    lua_settop(L, first + REVERSE);
    if (lua_type(L, -1) == LUA_TSTRING) {
        push_named(L, first + LOADED);
        same = lua_rawequal(L, -1, index);
        lua_settop(L, first + REVERSE);
    }
    lua_replace(L, first);
    lua_settop(L, same ? first : first - 1);
    return same;
}

bool names_push_function(lua_State *L, int index)
{
    luaL_checkstack(L, 6, NULL);
    if (push_known_function(L, index))
        return true;
    learn_all_functions(L);
    return push_known_function(L, index);
}

bool names_push_pack(lua_State *L)
{
    if (!names_push(L, NAMES_PACK)) {
        lua_pop(L, 1);
        return false;
    }
    lua_rawget(L, -2);
    lua_remove(L, -2);
    if (!lua_isnil(L, -1))
        return true;
    lua_pop(L, 1);
    return false;
}
