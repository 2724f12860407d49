/* lua_fields.h - the fields of an options table that a part in Lua has checked already. */
#ifndef LUA_FIELDS_H
#define LUA_FIELDS_H

#include <stdbool.h>

#include <lua.h>

/* A text, NULL when there is none. It stays on the stack, for as long as the text is used. */
static inline const char *lua_fields_text(lua_State *L, int table, const char *name)
{
    lua_getfield(L, table, name);
    return lua_tostring(L, -1);
}

static inline lua_Integer lua_fields_integer(lua_State *L, int table, const char *name, lua_Integer otherwise)
{
    lua_getfield(L, table, name);
    lua_Integer n = lua_isnil(L, -1) ? otherwise : lua_tointeger(L, -1);
    lua_pop(L, 1);
    return n;
}

static inline bool lua_fields_flag(lua_State *L, int table, const char *name)
{
    lua_getfield(L, table, name);
    bool flag = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

#endif
