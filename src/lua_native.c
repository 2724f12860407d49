/* lua_native.c - see lua_native.h. A task in C is a job whose function is `run`: so it is scheduled, parked, recalled and
 * ended as any other job is.
 *
 *     step -- TROUPE_CHECKING_IN --> step        step -- TROUPE_SYNC --> owner told, parked -- notified --> step
 *
 * Entered by the worker's own thread. What the owner wants reaches it by the task's flags (native.h), at the next step.
 */
#include "lua_native.h"

#include <lauxlib.h>

#include "clock.h"
#include "ear.h"
#include "lua_loop.h"
#include "mailbox.h"
#include "native.h"
#include "vm_code.h"
#include "vm_task.h"

static int step(lua_State *L, struct native *self);

/* The job's hold on its task: a userdata, so that whatever ends the job lets go. */
static int drop(lua_State *L)
{
    native_drop(lua_touserdata(L, 1));
    return 0;
}

/* Tells the owner that the task syncs. False: nobody is there any more. */
static bool tell_owner(lua_State *L, struct native *self)
{
    struct ear *ear = loop_ear(lua_loop(L));
    struct message *m = message_new(MAIL_NOTIFY);
    if (!m)
        return false;
    message_header(m)->to = self->owner;
    message_header(m)->from = ear_address(ear);
    message_header(m)->id = self->number;
    int rc = mailbox_post(ear_mailbox(ear), &m);
    message_destroy(&m);
    return rc == 0;
}

/* Woken by the owner's troupe_task_sync or troupe_task_dequeue. */
static int synced(lua_State *L, int status, lua_KContext context)
{
    struct native *self = *(struct native **)lua_touserdata(L, 1);
    (void)status;
    (void)context;
    lua_settop(L, 1);
    return step(L, self);
}

static int sync_with_owner(lua_State *L, struct native *self)
{
    struct vm_tasks *tasks = vm_tasks_of(L);
    if (!vm_task_may_park(tasks, L))
        luaL_error(L, "a task in C can sync only as a job");
    atomic_store(&self->waiting, vm_task_id(vm_task_running(tasks)));
    atomic_store(&self->status, TROUPE_TASK_SYNCING);
    if (!tell_owner(L, self))
        atomic_store(&self->stop, true);
    if (atomic_load(&self->stop) && native_take_waiting(self))
        return step(L, self);
    lua_pushinteger(L, (lua_Integer)self->number);
    return vm_task_park(tasks, L, NULL, 1, -1, 0, synced);
}

/* Steps until it syncs or ends. One that was asked to end has nobody to sync with. */
static int step(lua_State *L, struct native *self)
{
    enum troupe_task_status status;
    int said;
    do {
        status = atomic_load(&self->stop) ? TROUPE_TASK_STOPPING : TROUPE_TASK_RUNNING;
        atomic_store(&self->status, (int)status);
        said = self->run(self->user, status);
        if (said & TROUPE_OUTLIVE)
            atomic_store(&self->outlive, true);
        said &= ~TROUPE_OUTLIVE;
    } while (said == TROUPE_CHECKING_IN);
    if (said == TROUPE_SYNC && status == TROUPE_TASK_RUNNING)
        return sync_with_owner(L, self);
    lua_pushboolean(L, said == TROUPE_FINISHED);
    return 1;
}

/* Pushes the hold on the task of that number; the task, NULL when there is none. */
static struct native *hold(lua_State *L, uint64_t number)
{
    struct native **held = lua_newuserdatauv(L, sizeof *held, 0);
    *held = NULL;
    if (luaL_newmetatable(L, "troupe.native")) {
        lua_pushcfunction(L, drop);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    *held = native_find(number);
    return *held;
}

/* (task's number) -> true: finished; false: stopped */
static int run(lua_State *L)
{
    uint64_t number = (uint64_t)luaL_checkinteger(L, 1);
    lua_settop(L, 0);
    struct native *self = hold(L, number);
    if (!self || !native_leave_queue(self, TROUPE_TASK_RUNNING)) {
        lua_pushboolean(L, 0);
        return 1;
    }
    atomic_store(&self->began, clock_now());
    return step(L, self);
}

static int called(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    return lua_gettop(L) - 1;
}

/* (task's number, source, ...) -> what the source returns for the other arguments */
static int call(lua_State *L)
{
    uint64_t number = (uint64_t)luaL_checkinteger(L, 1);
    hold(L, number);
    lua_replace(L, 1);
    struct native *self = *(struct native **)lua_touserdata(L, 1);
    if (!self || !native_leave_queue(self, TROUPE_TASK_RUNNING))
        luaL_error(L, "stopped");
    atomic_store(&self->began, clock_now());
    vm_code_resolve(L, 2);
    lua_callk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, called);
    return lua_gettop(L) - 1;
}

int lua_native_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"run", run}, {"call", call}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
