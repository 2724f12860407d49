/* vm_code.c - functions by name.
 *
 * Bytecode learnt by hash has no upvalues but _ENV, so one closure serves all jobs that name it. What strings name
 * is compiled once and kept, up to SOURCES_KEPT of them: then the table starts anew.
 */
#include "vm_code.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SOURCES_KEPT = 256 };

static const char learnt_key, sources_key;

static void push_table(lua_State *L, const void *key)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

void vm_code_learn(lua_State *L, uint64_t hash, const void *code, size_t size)
{
    push_table(L, &learnt_key);
    if (luaL_loadbufferx(L, code, size, "=job", "b"))
        lua_error(L);
    lua_rawseti(L, -2, (lua_Integer)hash);
    lua_pop(L, 1);
}

void vm_code_push(lua_State *L, uint64_t hash)
{
    push_table(L, &learnt_key);
    if (lua_rawgeti(L, -1, (lua_Integer)hash) != LUA_TFUNCTION)
        luaL_error(L, "this worker was never sent the code of the job");
    lua_remove(L, -2);
}

/* Whether no file could be opened now, whatever its name. */
static bool out_of_descriptors(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd < 0 && (errno == EMFILE || errno == ENFILE);
}

/* Raises the error on top, or what is behind it: to require, a file that cannot be opened is one that is not there. */
static void refuse_module(lua_State *L)
{
    struct rlimit files;
    if (out_of_descriptors() && getrlimit(RLIMIT_NOFILE, &files) == 0)
        luaL_error(L, "cannot load a module: no more descriptors (ulimit -n is %I)", (LUAI_UACINT)files.rlim_cur);
    lua_error(L);
}

/* Pushes package.loaded-or-required module's field. */
static void push_module_function(lua_State *L, const char *name, const char *colon)
{
    lua_getglobal(L, "require");
    lua_pushlstring(L, name, (size_t)(colon - name));
    if (lua_pcall(L, 1, 1, 0))
        refuse_module(L);
    if (!lua_istable(L, -1))
        luaL_error(L, "\"%s\": the module is a %s, not a table", name, luaL_typename(L, -1));
    lua_getfield(L, -1, colon + 1);
    if (lua_isnil(L, -1))
        luaL_error(L, "\"%s\": the module has no field '%s'", name, colon + 1);
    lua_remove(L, -2);
}

/* Where "module:function" is split; NULL when the text is not of that form. */
static const char *find_colon(const char *text)
{
    static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/";
    size_t module = strspn(text, word);
    if (module == 0 || text[module] != ':')
        return NULL;
    size_t rest = strspn(text + module + 1, word);
    return rest > 0 && text[module + 1 + rest] == '\0' ? text + module : NULL;
}

static void compile(lua_State *L, const char *text, size_t size)
{
    const char *colon;
    int rc = LUA_OK;
    if (text[0] == '@')
        rc = luaL_loadfile(L, text + 1);
    else if (strlen(text) == size && (colon = find_colon(text)))
        push_module_function(L, text, colon);
    else
        rc = luaL_loadbuffer(L, text, size, text);
    if (rc)
        lua_error(L);
}

/* An empty table of sources in place of one that has grown too large. */
static void push_sources(lua_State *L)
{
    push_table(L, &sources_key);
    if (lua_rawgeti(L, -1, 1) == LUA_TNUMBER && lua_tointeger(L, -1) >= SOURCES_KEPT) {
        lua_pop(L, 2);
        lua_pushnil(L);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &sources_key);
        push_table(L, &sources_key);
        lua_pushnil(L);
    }
    lua_Integer count = lua_tointeger(L, -1);
    lua_pop(L, 1);
    lua_pushinteger(L, count + 1);
    lua_rawseti(L, -2, 1);
}

void vm_code_resolve(lua_State *L, int index)
{
    if (lua_type(L, index) == LUA_TSTRING) {
        size_t size;
        const char *text = lua_tolstring(L, index, &size);
        push_table(L, &sources_key);
        lua_pushvalue(L, index);
        if (lua_rawget(L, -2) == LUA_TNIL) {
            lua_pop(L, 2);
            compile(L, text, size);
            push_sources(L);
            lua_pushvalue(L, index);
            lua_pushvalue(L, -3);
            lua_rawset(L, -3);
            lua_insert(L, -2);
        }
        lua_replace(L, index);
        lua_pop(L, 1);
    }
    if (lua_type(L, index) != LUA_TFUNCTION && !luaL_getmetafield(L, index, "__call"))
        luaL_error(L, "a job needs a function, \"module:function\", \"@file.lua\" or Lua source, not a %s",
                   luaL_typename(L, index));
    if (lua_type(L, index) != LUA_TFUNCTION)
        lua_pop(L, 1);
}
