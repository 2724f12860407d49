/* lua_inside.c - what a running job may ask and say: troupe.checkin; lua_emit.c has emit and sync.
 *
 * For the thread of the worker that runs it. A job that was asked to end learns of it here, and nowhere else: nothing is
 * raised, nothing interrupted.
 */
#include "lua_inside.h"

#include <lauxlib.h>

#include "lua_loop.h"
#include "vm_run.h"
#include "vm_task.h"

struct vm_run *lua_inside_check(lua_State *L, const char *what)
{
    struct vm_run *run = vm_run_current(vm_tasks_of(L));
    if (!run)
        luaL_error(L, "%s: only inside a job of a pool", what);
    return run;
}

/* ([progress]) -> true; false once the job was asked to end */
static int checkin(lua_State *L)
{
    struct vm_run *run = lua_inside_check(L, "checkin");
    if (!run->stopping)
        loop_glance(lua_loop(L));
    lua_pushboolean(L, !run->stopping);
    return 1;
}

void lua_inside_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"checkin", checkin}, {"emit", lua_emit}, {"sync", lua_sync}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
