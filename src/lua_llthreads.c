/* lua_llthreads.c - the module llthreads, also known as llthreads2: a drop-in for lua-llthreads2 0.1.7.
 *
 *     new: check, compile here (a syntax error raises), encode the arguments, hand both to a child. What may
 *     raise comes before the child exists, and the plan's bytes are owned by a userdata meanwhile.
 */
#include "lua_llthreads.h"

#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "lua_open.h"
#include "troupe.h"
#include "value.h"

#define LLTHREADS_VERSION "0.1.7"
enum { VERSION_MAJOR = 0, VERSION_MINOR = 1, VERSION_PATCH = 7, ARGUMENT_DEPTH = 30 };

static const char PLAN[] = "LLThread plan";

static int plan_gc(lua_State *L)
{
    child_plan_release(luaL_checkudata(L, 1, PLAN));
    return 0;
}

static struct child_plan *push_plan(lua_State *L)
{
    struct child_plan *plan = lua_newuserdatauv(L, sizeof *plan, 0);
    memset(plan, 0, sizeof *plan);
    if (luaL_newmetatable(L, PLAN)) {
        lua_pushcfunction(L, plan_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return plan;
}

static void check_memory(lua_State *L, int rc)
{
    if (rc)
        luaL_error(L, "%s", troupe_strerror(rc));
}

/* The chunk's name as a thread's: the file's own name, what follows "=", or the first line of the source. */
static void name_thread(lua_State *L, char name[16])
{
    lua_Debug chunk;
    lua_pushvalue(L, -1);
    lua_getinfo(L, ">S", &chunk);
    const char *text = chunk.source;
    const char *slash = strrchr(text, '/');
    if (*text == '@' && slash)
        text = slash + 1;
    else if (*text == '@' || *text == '=')
        text++;
    else
        text += strspn(text, " \t\r\n");
    size_t size = strcspn(text, "\r\n");
    size = size < 15 ? size : 15;
    memcpy(name, text, size);
    name[size] = '\0';
}

/* Compiles the code at index 1; raises what the compiler says. */
static void plan_code(lua_State *L, struct child_plan *plan)
{
    size_t size;
    const char *code = lua_tolstring(L, 1, &size);
    if (luaL_loadbuffer(L, code, size, code) != LUA_OK)
        lua_error(L);
    name_thread(L, plan->name);
    check_memory(L, value_dump(L, lua_gettop(L), &plan->code));
    lua_pop(L, 1);
}

/* Encodes the arguments first..last; raises the original's texts, with the place. */
static void plan_arguments(lua_State *L, struct child_plan *plan, int first, int last)
{
    static const struct value_mode mode = { .depth = ARGUMENT_DEPTH };
    int rc = value_encode(L, first, last, "argument", &mode, &plan->arguments);
    if (rc == TROUPE_EREFUSED)
        luaL_error(L, "function/userdata/thread types un-supported. (%s)", lua_tostring(L, -1));
    if (rc == TROUPE_ELIMIT)
        luaL_error(L, "Hit maximum copy depth (%d > %d). (%s)", ARGUMENT_DEPTH + 1, ARGUMENT_DEPTH,
                   lua_tostring(L, -1));
    check_memory(L, rc);
}

/* Copies package[field], with its closing zero, if it is a string. */
static void plan_path(lua_State *L, const char *field, struct buffer *out)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, LUA_LOADLIBNAME) == LUA_TTABLE) {
        lua_pushstring(L, field);
        if (lua_rawget(L, -2) == LUA_TSTRING)
            check_memory(L, buffer_append(out, lua_tostring(L, -1), lua_rawlen(L, -1) + 1));
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
}

static int module_new(lua_State *L)
{
    struct child **slot;
    int last = lua_gettop(L);
    luaL_checkstring(L, 1);
    luaL_checkstack(L, 8, "arguments");
    struct child_plan *plan = push_plan(L);
    plan_code(L, plan);
    plan_arguments(L, plan, 2, last);
    plan_path(L, "path", &plan->path);
    plan_path(L, "cpath", &plan->cpath);
    plan->open = lua_open_preload;
    lua_thread_push(L, &slot);
    check_memory(L, child_new(slot, plan));
    return 1;
}

static int module_set_logger(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    child_set_logger(L);
    return 0;
}

static int module_version(lua_State *L)
{
    lua_pushinteger(L, VERSION_MAJOR);
    lua_pushinteger(L, VERSION_MINOR);
    lua_pushinteger(L, VERSION_PATCH);
    return 3;
}

int troupe_open_llthreads(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "new", module_new },
        { "set_logger", module_set_logger },
        { "version", module_version },
        { NULL, NULL },
    };
    lua_orphans_open(L);
    luaL_newlib(L, functions);
    lua_pushliteral(L, LLTHREADS_VERSION);
    lua_setfield(L, -2, "_VERSION");
    lua_pushstring(L, VM_INTERRUPTED);
    lua_setfield(L, -2, "interrupted_error");
    return 1;
}
