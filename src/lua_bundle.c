/* lua_bundle.c - see lua_bundle.h.
 *
 *  1. what is kept stays, where it is, as long as the process: so it is read without the lock;
 *  2. a name is kept once.
 */
#include "lua_bundle.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

struct module {
    struct module *next;
    const char *bytes;
    size_t size;
    char name[]; /* with a closing zero; the bytes follow */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct module *modules; /* under lock: the list's head */

static const struct module *first(void)
{
    pthread_mutex_lock(&lock);
    const struct module *m = modules;
    pthread_mutex_unlock(&lock);
    return m;
}

static const struct module *find(const struct module *m, const char *name)
{
    while (m && strcmp(m->name, name) != 0)
        m = m->next;
    return m;
}

/* False when memory is out. */
static bool keep(const char *name, const char *bytes, size_t size)
{
    size_t name_size = strlen(name) + 1;
    struct module *m = malloc(sizeof *m + name_size + size);
    if (!m)
        return false;
    memcpy(m->name, name, name_size);
    m->bytes = memcpy(m->name + name_size, bytes, size);
    m->size = size;
    pthread_mutex_lock(&lock);
    bool new = !find(modules, name);
    if (new) {
        m->next = modules;
        modules = m;
    }
    pthread_mutex_unlock(&lock);
    if (!new)
        free(m);
    return true;
}

int lua_bundle_keep(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        size_t size;
        const char *bytes = luaL_checklstring(L, 3, &size);
        luaL_argcheck(L, lua_type(L, 2) == LUA_TSTRING, 1, "names of modules expected");
        if (!keep(lua_tostring(L, 2), bytes, size))
            return luaL_error(L, "not enough memory");
        lua_pop(L, 1);
    }
    lua_bundle_search(L);
    return 0;
}

int lua_bundle_kept(lua_State *L)
{
    lua_newtable(L);
    for (const struct module *m = first(); m; m = m->next) {
        lua_pushlstring(L, m->bytes, m->size);
        lua_setfield(L, -2, m->name);
    }
    return 1;
}

/* The loader: (name, where it was found) -> the module */
static int load_kept(lua_State *L)
{
    const struct module *m = find(first(), luaL_checkstring(L, 1));
    if (!m)
        return luaL_error(L, "module '%s' is not kept", lua_tostring(L, 1));
    lua_pushfstring(L, "=%s", m->name);
    if (luaL_loadbufferx(L, m->bytes, m->size, lua_tostring(L, -1), "b"))
        return lua_error(L);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

/* The searcher: (name) -> the loader, where it was found; nothing for what is not kept */
static int find_kept(lua_State *L)
{
    if (!find(first(), luaL_checkstring(L, 1)))
        return 0;
    lua_pushcfunction(L, load_kept);
    lua_pushliteral(L, ":troupe:");
    return 2;
}

/* Behind the searcher of package.preload; once. */
static void insert_searcher(lua_State *L, int searchers)
{
    lua_Integer last = luaL_len(L, searchers);
    lua_rawgeti(L, searchers, 2);
    if (lua_tocfunction(L, -1) != find_kept) {
        for (lua_Integer i = last; i >= 2; i--) {
            lua_rawgeti(L, searchers, i);
            lua_rawseti(L, searchers, i + 1);
        }
        lua_pushcfunction(L, find_kept);
        lua_rawseti(L, searchers, 2);
    }
    lua_pop(L, 1);
}

void lua_bundle_search(lua_State *L)
{
    if (!first())
        return;
    int top = lua_gettop(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, LUA_LOADLIBNAME) == LUA_TTABLE && lua_getfield(L, -1, "searchers") == LUA_TTABLE)
        insert_searcher(L, top + 3);
    lua_settop(L, top);
}
