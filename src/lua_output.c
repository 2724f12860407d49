/* lua_output.c - see lua_output.h. A line for which there is no memory is lost. */
#include "lua_output.h"

#include <lauxlib.h>

#include "lua_loop.h"
#include "lua_task.h"
#include "vm_task.h"

static const char listener_key;

int lua_output_set(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &listener_key);
    return 0;
}

/* Lua: (letter as pointer) */
static int deliver(lua_State *L)
{
    const struct message *letter = lua_touserdata(L, 1);
    const struct header *h = message_header(letter);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &listener_key) != LUA_TFUNCTION)
        return 0;
    lua_pushinteger(L, h->pool);
    lua_pushinteger(L, h->u.number);
    lua_pushlstring(L, (const char *)message_body(letter), message_body_size(letter));
    struct vm_task *task = vm_task_new(vm_tasks_of(L), lua_task_ended, NULL);
    if (!task)
        return 0;
    lua_State *co = vm_task_coroutine(task);
    lua_checkstack(co, 8);
    lua_xmove(L, co, 4);
    vm_task_start(task, 3);
    return 0;
}

void lua_output_letter(struct message **letter, void *context)
{
    lua_State *L = context;
    int top = lua_gettop(L);
    lua_checkstack(L, 4);
    lua_pushcfunction(L, deliver);
    lua_pushlightuserdata(L, *letter);
    lua_pcall(L, 1, 0, 0);
    lua_settop(L, top);
}
