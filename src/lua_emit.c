/* lua_emit.c - troupe.emit and troupe.sync: partial results of a running job.
 *
 *     emit: (room in the window?) --no: parked on its run--> (room?) --yes--> sent
 *     sync: sent --parked on its run--> resumed
 *
 * In both a job that was asked to end is told so, by false, and waits no longer. What waits is woken by vm_stream_wake.
 */
#include "lua_inside.h"

#include <lauxlib.h>

#include "lua_loop.h"
#include "troupe.h"
#include "value.h"
#include "vm_job.h"
#include "vm_stream.h"
#include "vm_task.h"

static bool may_send(const void *context)
{
    const struct vm_run *run = context;
    return run->stopping || vm_stream_has_room(run);
}

static bool is_resumed(const void *context)
{
    const struct vm_run *run = context;
    return run->stopping || !run->synced;
}

static int answer(lua_State *L, const struct vm_run *run)
{
    lua_pushboolean(L, !run->stopping);
    return 1;
}

/* Encodes the values on the stack and sends them. */
static void send(lua_State *L, struct vm_run *run, bool sync)
{
    struct message *m = message_new(MAIL_EMIT);
    if (!m)
        luaL_error(L, "not enough memory");
    if (value_encode(L, 1, lua_gettop(L), "value", vm_job_mode(), &m->bytes)) {
        message_destroy(&m);
        lua_error(L);
    }
    vm_stream_send(run, &m, sync);
}

/* Waits until done(run). When the task parks, it does not return, and k is called instead. */
static void wait_until(lua_State *L, struct vm_run *run, bool (*done)(const void *), lua_KFunction k)
{
    struct vm_tasks *tasks = vm_tasks_of(L);
    if (done(run))
        return;
    if (vm_task_may_park(tasks, L))
        vm_task_park(tasks, L, run, 0, -1, 0, k);
    lua_loop_wait(L, done, run, -1, 0, k);
}

static int emit_on(lua_State *L, int status, lua_KContext context)
{
    struct vm_run *run = lua_inside_check(L, "emit");
    (void)status;
    (void)context;
    wait_until(L, run, may_send, emit_on);
    if (!run->stopping && !run->unwanted)
        send(L, run, false);
    return answer(L, run);
}

/* (...) -> true; false once the job was asked to end: then nothing is sent */
int lua_emit(lua_State *L)
{
    const struct vm_run *run = lua_inside_check(L, "emit");
    if (!run->stopping)
        loop_glance(lua_loop(L));
    return emit_on(L, LUA_OK, 0);
}

static int sync_on(lua_State *L, int status, lua_KContext context)
{
    struct vm_run *run = lua_inside_check(L, "sync");
    (void)status;
    (void)context;
    wait_until(L, run, is_resumed, sync_on);
    run->synced = 0;
    return answer(L, run);
}

/* (...) -> true when the owner took it and let the job go on; false when it shall end */
int lua_sync(lua_State *L)
{
    struct vm_run *run = lua_inside_check(L, "sync");
    if (!run->stopping)
        loop_glance(lua_loop(L));
    if (run->stopping || run->unwanted)
        return answer(L, run);
    send(L, run, true);
    return sync_on(L, LUA_OK, 0);
}
