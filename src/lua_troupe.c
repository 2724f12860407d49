/* lua_troupe.c - require "troupe": the module's table. Its functions in Lua are loaded from lua/troupe when first used. */
#include <string.h>

#include <lauxlib.h>

#include "clock.h"
#include "lua_actor.h"
#include "lua_bundle.h"
#include "lua_inside.h"
#include "lua_items.h"
#include "lua_limit.h"
#include "lua_log.h"
#include "lua_open.h"
#include "lua_pool.h"
#include "lua_registry.h"
#include "lua_sink.h"
#include "lua_stdio.h"
#include "lua_task.h"
#include "lua_value.h"
#include "thread.h"
#include "troupe.h"

/* Parts in Lua: the field of this module, the module that returns it, or the field of that one. */
static const struct {
    const char *name, *module, *field;
} parts[] = {
    {"dead_letters", "troupe.actor", "dead_letters"},
    {"demonitor", "troupe.actor", "demonitor"},
    {"dynamic_supervisor", "troupe.supervisor", "dynamic_supervisor"},
    {"link", "troupe.actor", "link"},
    {"log", "troupe.log", NULL},
    {"log_sink", "troupe.log_sink", NULL},
    {"monitor", "troupe.actor", "monitor"},
    {"notify", "troupe.task", "notify"},
    {"find_pool", "troupe.pool.stats", "find"},
    {"pool", "troupe.pool", NULL},
    {"progress", "troupe.progress", NULL},
    {"publish", "troupe.actor", "publish"},
    {"register", "troupe.actor", "register"},
    {"registered", "troupe.actor", "registered"},
    {"router", "troupe.router", NULL},
    {"spawn", "troupe.actor", "spawn"},
    {"subscribe", "troupe.actor", "subscribe"},
    {"supervise", "troupe.supervisor", "supervise"},
    {"shutdown", "troupe.pool.stats", "shutdown"},
    {"stats", "troupe.pool.stats", "all"},
    {"task", "troupe.task", NULL},
    {"unlink", "troupe.actor", "unlink"},
    {"unregister", "troupe.actor", "unregister"},
    {"unsubscribe", "troupe.actor", "unsubscribe"},
    {"whereis", "troupe.actor", "whereis"},
    {NULL, NULL, NULL},
};

static const char core_name[] = "troupe.core", task_core_name[] = "troupe.task.core",
                  log_core_name[] = "troupe.log.core", sink_core_name[] = "troupe.log_sink.core",
                  actor_core_name[] = "troupe.actor.core", registry_core_name[] = "troupe.registry.core";

/* (module, name): a part in Lua is required and kept. */
static int load_part(lua_State *L)
{
    const char *name = lua_tostring(L, 2);
    for (int i = 0; name && parts[i].name; i++) {
        if (strcmp(name, parts[i].name) != 0)
            continue;
        lua_getglobal(L, "require");
        lua_pushstring(L, parts[i].module);
        lua_call(L, 1, 1);
        if (parts[i].field)
            lua_getfield(L, -1, parts[i].field);
        lua_pushvalue(L, 2);
        lua_pushvalue(L, -2);
        lua_rawset(L, 1);
        return 1;
    }
    return 0;
}

/* () -> processors this process may use */
/* Seconds since the epoch, finer than os.time's. */
static int wall(lua_State *L)
{
    lua_pushnumber(L, clock_wall());
    return 1;
}

static int cores(lua_State *L)
{
    lua_pushinteger(L, thread_cores());
    return 1;
}

static int open_core(lua_State *L)
{
    lua_pool_open(L);
    lua_stdio_open(L);
    lua_items_open(L);
    lua_limit_open(L);
    lua_pushcfunction(L, cores);
    lua_setfield(L, -2, "cores");
    lua_pushcfunction(L, wall);
    lua_setfield(L, -2, "wall");
    lua_pushcfunction(L, lua_bundle_keep);
    lua_setfield(L, -2, "keep_modules");
    lua_pushcfunction(L, lua_bundle_kept);
    lua_setfield(L, -2, "kept_modules");
    return 1;
}

int troupe_open_troupe(lua_State *L)
{
    luaL_checkversion(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, open_core);
    lua_setfield(L, -2, core_name);
    lua_pushcfunction(L, lua_task_open);
    lua_setfield(L, -2, task_core_name);
    lua_pushcfunction(L, lua_log_open);
    lua_setfield(L, -2, log_core_name);
    lua_pushcfunction(L, lua_sink_open);
    lua_setfield(L, -2, sink_core_name);
    lua_pushcfunction(L, lua_actor_open);
    lua_setfield(L, -2, actor_core_name);
    lua_pushcfunction(L, lua_registry_open);
    lua_setfield(L, -2, registry_core_name);
    lua_bundle_search(L);
    lua_value_open(L);
    lua_inside_open(L);
    lua_pushcfunction(L, cores);
    lua_setfield(L, -2, "cores");
    lua_pushcfunction(L, lua_stdio_now);
    lua_setfield(L, -2, "now");
    lua_pushstring(L, troupe_version());
    lua_setfield(L, -2, "_VERSION");
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, load_part);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    return 1;
}
