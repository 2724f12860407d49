/* lua_job_turns.c - handles of repeating jobs: they differ from others by their metatable, which has `runs` besides the
 * methods of all, so that those of the many are found without a detour. For the vm's own thread.
 */
#include "lua_job_inner.h"

#include <string.h>

static const char repeating_key;

bool lua_job_is_repeating(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &repeating_key);
    bool is = lua_rawequal(L, -1, -2);
    lua_pop(L, 1);
    return is;
}

/* (repeating job, key) -> runs, or the method of all jobs; upvalue: their class */
static int repeating_index(lua_State *L)
{
    if (lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), "runs") == 0)
        lua_pushinteger(L, ((const struct lua_job *)lua_touserdata(L, 1))->runs);
    else
        lua_gettable(L, lua_upvalueindex(1));
    return 1;
}

void lua_job_repeat(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &repeating_key) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_createtable(L, 0, 3);
        lua_job_push_class(L);
        lua_getfield(L, -1, "__tostring");
        lua_setfield(L, -3, "__tostring");
        lua_pushcclosure(L, repeating_index, 1);
        lua_setfield(L, -2, "__index");
        lua_pushliteral(L, "troupe.job");
        lua_setfield(L, -2, "__name");
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &repeating_key);
    }
    lua_setmetatable(L, -2);
}
