/* lua_outcome.c - see lua_outcome.h.
 *
 * A callback may wait, so each outcome is told in a task. Outcomes arrive where letters are read: there the task starts at
 * once, unless the vm is blocked by a call that cannot yield; then it starts in the next turn of the loop.
 */
#include "lua_outcome.h"

#include <stdio.h>

#include <lauxlib.h>

#include "lua_loop.h"
#include "lua_task.h"
#include "vm_task.h"

static const char teller_key;

int lua_outcome_set(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &teller_key);
    return 0;
}

static int told(lua_State *L, int status, lua_KContext context)
{
    (void)L;
    (void)status;
    (void)context;
    return 0;
}

/* Lua: (job, turn or nothing) */
static int tell(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    lua_settop(L, 2);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &teller_key);
    lua_insert(L, 1);
    lua_callk(L, 2, 0, 0, told);
    return 0;
}

static int begin(lua_State *L)
{
    struct loop *loop = lua_loop(L);
    if (loop_is_blocked(loop))
        return vm_task_park(loop_tasks(loop), L, &teller_key, 0, 0, 0, tell);
    return tell(L, LUA_OK, 0);
}

void lua_outcome_tell(lua_State *L, int count)
{
    struct vm_task *task = vm_task_new(vm_tasks_of(L), lua_task_ended, NULL);
    if (!task) {
        fputs("troupe: not enough memory to tell of a job's outcome\n", stderr);
        return;
    }
    lua_State *co = vm_task_coroutine(task);
    lua_pushcfunction(co, begin);
    for (int i = 0; i < count; i++)
        lua_pushvalue(L, -count);
    lua_xmove(L, co, count);
    vm_task_start(task, count);
}
