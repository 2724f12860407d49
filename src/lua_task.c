/* lua_task.c - tasks: what task.lua is made of. What every call needs is here, what is rare in Lua.
 *
 * A task that ends well, with nobody interested, costs no call into Lua: its results are kept (lua_ended.h). Otherwise
 * the function given to on_end is told: on_end(id), or on_end(id, true, error, traceback).
 *
 * What belongs to the vm's tasks here is one userdata, the first upvalue of all functions, anchored in the registry.
 */
#include "lua_task.h"

#include <lauxlib.h>

#include "clock.h"
#include "log.h"
#include "lua_ended.h"
#include "lua_loop.h"
#include "lua_notify.h"
#include "lua_watch.h"
#include "record.h"
#include "run_note.h"
#include "troupe.h"
#include "vm_task.h"

static const char on_end_key, room_key, suspended;

struct room;

/* The owner of a task: whether its end matters to somebody, however it ends. */
struct mark {
    struct room *room;
    bool watched;
};

struct room {
    struct mark plain, watched;
    const struct lua_loop_seat *seat;
    struct lua_ended ended;
};

/* In a function with the first upvalue. */
static struct room *room_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static struct loop *loop_of(lua_State *L)
{
    struct loop *loop = room_of(L)->seat->loop;
    return loop ? loop : lua_loop(L);
}

static struct vm_tasks *tasks_of(lua_State *L)
{
    return loop_tasks(loop_of(L));
}

struct ending {
    struct vm_task *task;
    int status, count;
};

/* Keeps what the task left behind: results or an error, which stay on top of co, or nothing. */
static void keep(lua_State *L, lua_State *co, const struct mark *mark, const struct ending *e)
{
    int values = e->status == LUA_OK ? e->count : e->status == VM_TASK_KILLED ? 0 : 1;
    luaL_checkstack(L, values, "too many results");
    luaL_checkstack(co, values, "too many results");
    for (int i = 0; i < values; i++)
        lua_pushvalue(co, -values);
    lua_xmove(co, L, values);
    enum ended_kind kind = e->status == LUA_OK           ? ENDED_RETURNED
                             : e->status == VM_TASK_KILLED ? ENDED_KILLED
                                                           : ENDED_FAILED;
    lua_ended_keep(&mark->room->ended, L, vm_task_id(e->task), kind, values);
}

/* Lua: (ending as pointer) */
static int tell_end(lua_State *L)
{
    const struct ending *e = lua_touserdata(L, 1);
    const struct mark *mark = vm_task_owner(e->task);
    lua_State *co = vm_task_coroutine(e->task);
    bool failed = e->status != LUA_OK && e->status != VM_TASK_KILLED;
    keep(L, co, mark, e);
    if ((!failed && !mark->watched) || lua_rawgetp(L, LUA_REGISTRYINDEX, &on_end_key) != LUA_TFUNCTION)
        return 0;
    luaL_checkstack(L, 6, NULL);
    lua_pushinteger(L, (lua_Integer)vm_task_id(e->task));
    if (failed) {
        lua_pushboolean(L, 1);
        lua_xmove(co, L, 1);
        luaL_traceback(L, co, NULL, 0);
    }
    lua_call(L, failed ? 4 : 1, 0);
    return 0;
}

/* True when that was all: nobody wants to know, and it fits without more memory. */
static bool end_quietly(struct vm_task *task, int status, int count)
{
    const struct mark *mark = vm_task_owner(task);
    lua_State *co = vm_task_coroutine(task);
    if (mark->watched || status != LUA_OK)
        return false;
    if (count == 0)
        return true;
    if (!lua_ended_is_ready(&mark->room->ended, co, count))
        return false;
    lua_ended_keep(&mark->room->ended, co, vm_task_id(task), ENDED_RETURNED, count);
    return true;
}

static void task_ended(struct vm_task *task, int status, int count)
{
    if (end_quietly(task, status, count))
        return;
    lua_State *L = vm_tasks_state(vm_task_scheduler(task));
    struct ending e = {task, status, count};
    int top = lua_gettop(L);
    lua_checkstack(L, 4);
    lua_pushcfunction(L, tell_end);
    lua_pushlightuserdata(L, &e);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        const char *why = lua_tostring(L, -1);
        log_say(RECORD_ERROR, "the end of a task could not be told: %s", why ? why : "unknown error");
    }
    lua_settop(L, top);
}

/* Outside any task, the descriptor for foreign loops must tell of what was just made ready, or given a time. */
static void rearm(lua_State *L)
{
    struct loop *loop = loop_of(L);
    if (!vm_task_running(loop_tasks(loop)))
        loop_rearm(loop);
}

void lua_task_ended(struct vm_task *task, int status, int count)
{
    lua_State *L = vm_tasks_state(vm_task_scheduler(task));
    lua_rawgetp(L, LUA_REGISTRYINDEX, &room_key);
    struct room *room = lua_touserdata(L, -1);
    lua_pop(L, 1);
    vm_task_set_owner(task, &room->plain);
    task_ended(task, status, count);
}

static struct vm_task *new_task(lua_State *L, struct vm_tasks *tasks)
{
    struct vm_task *task = vm_task_new(tasks, task_ended, &room_of(L)->plain);
    if (!task)
        luaL_error(L, "not enough memory");
    const struct vm_task *maker = vm_task_running(tasks);
    if (maker && run_is_actor(vm_task_target(maker)))
        vm_task_set_target(task, vm_task_target(maker)); /* who kills the actor breaks into what it began, too */
    return task;
}

/* (function, ...) -> id */
static int spawn(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    int count = lua_gettop(L);
    struct vm_task *task = new_task(L, tasks_of(L));
    lua_State *co = vm_task_coroutine(task);
    lua_Integer id = (lua_Integer)vm_task_id(task);
    if (!lua_checkstack(co, count + 1))
        luaL_error(L, "too many arguments");
    lua_xmove(L, co, count);
    vm_task_start(task, count - 1);
    rearm(L);
    lua_pushinteger(L, id);
    return 1;
}

static int running(lua_State *L)
{
    const struct loop *loop = room_of(L)->seat->loop;
    struct vm_task *task = loop ? vm_task_running(loop_tasks(loop)) : NULL;
    if (task)
        lua_pushinteger(L, (lua_Integer)vm_task_id(task));
    else
        lua_pushnil(L);
    return 1;
}

static bool never(const void *context)
{
    (void)context;
    return false;
}

static double moment(lua_State *L, int index)
{
    lua_Number seconds = luaL_checknumber(L, index);
    luaL_argcheck(L, seconds >= 0, index, "a time to wait is not negative");
    return clock_now() + (seconds < 1e9 ? seconds : 1e9);
}

static int slept(lua_State *L, int status, lua_KContext result)
{
    (void)status;
    if (result)
        lua_pushinteger(L, 0);
    return (int)result;
}

/* Sleeps; returns 0 to Lua when `result` is 1, nothing when it is 0. */
static int sleep_for(lua_State *L, int result)
{
    double until = moment(L, 1);
    struct vm_tasks *tasks = tasks_of(L);
    if (vm_task_may_park(tasks, L))
        return vm_task_park(tasks, L, NULL, 0, until, result, slept);
    lua_loop_wait(L, never, NULL, until, result, slept);
    return slept(L, LUA_OK, result);
}

/* (seconds) */
static int task_sleep(lua_State *L)
{
    return sleep_for(L, 0);
}

/* The event and its interval are at 1 and 2, the event again at 3, then what notify passed. */
static int waited(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    if (!vm_task_timed_out(tasks_of(L)))
        return lua_gettop(L) - 3;
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_pushvalue(L, 1);
    return 2;
}

/* (interval) -> 0; (event, interval) -> what notify passed, or TIMEOUT, event. Second upvalue: TIMEOUT */
static int task_wait(lua_State *L)
{
    if (lua_gettop(L) < 2)
        return sleep_for(L, 1);
    double until = lua_isnil(L, 2) ? -1 : moment(L, 2);
    struct vm_tasks *tasks = tasks_of(L);
    lua_settop(L, 2);
    if (vm_task_may_park(tasks, L)) {
        lua_pushvalue(L, 1);
        return vm_task_park(tasks, L, NULL, 1, until, 0, waited);
    }
    luaL_argcheck(L, until >= 0, 2, "outside a task nobody can notify: an interval expected");
    lua_loop_wait(L, never, NULL, until, 0, waited);
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_pushvalue(L, 1);
    return 2;
}

/* (id, event, ...) -> see lua_notify.h */
static int task_notify(lua_State *L)
{
    return lua_notify(L, loop_of(L));
}

static int resumed(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    lua_pushboolean(L, !vm_task_timed_out(tasks_of(L)));
    return 1;
}

/* (seconds or nil) -> true when resume was called for this task, false when its time was up. Only where may_park() */
static int suspend(lua_State *L)
{
    struct vm_tasks *tasks = tasks_of(L);
    double until = lua_isnoneornil(L, 1) ? -1 : moment(L, 1);
    return vm_task_park(tasks, L, &suspended, 0, until, 0, resumed);
}

/* (id) -> true when it was suspended */
static int resume(lua_State *L)
{
    struct vm_task *task = vm_task_find(tasks_of(L), (uint64_t)luaL_checkinteger(L, 1));
    lua_pushboolean(L, task && vm_task_waits_for(task, &suspended) && vm_task_wake(task, L, 0));
    return 1;
}

static int may_park(lua_State *L)
{
    lua_pushboolean(L, vm_task_may_park(tasks_of(L), L));
    return 1;
}

static int idled(lua_State *L, int status, lua_KContext context)
{
    (void)L;
    (void)status;
    (void)context;
    return 0;
}

/* () parks until the vm has run something else. Only where may_park() */
static int idle(lua_State *L)
{
    return vm_task_park_idly(tasks_of(L), L, 0, idled);
}

/* (id) -> true while it lives */
static int alive(lua_State *L)
{
    lua_pushboolean(L, vm_task_find(tasks_of(L), (uint64_t)luaL_checkinteger(L, 1)) != NULL);
    return 1;
}

/* (id) on_end is told of its end, however it ends */
static int watch_end(lua_State *L)
{
    struct vm_task *task = vm_task_find(tasks_of(L), (uint64_t)luaL_checkinteger(L, 1));
    if (task && vm_task_owner(task) == &room_of(L)->plain)
        vm_task_set_owner(task, &room_of(L)->watched);
    return 0;
}

/* (id) -> true, results... or false, error of a task that ended; true when nothing is known of it */
static int outcome(lua_State *L)
{
    return lua_ended_push(&room_of(L)->ended, L, (uint64_t)luaL_checkinteger(L, 1));
}

/* (function) */
static int on_end(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &on_end_key);
    return 0;
}

/* (id) -> true when it lived */
static int task_kill(lua_State *L)
{
    struct vm_tasks *tasks = tasks_of(L);
    struct vm_task *task = vm_task_find(tasks, (uint64_t)luaL_checkinteger(L, 1));
    bool self = task && task == vm_task_running(tasks);
    if (self && !vm_task_may_park(tasks, L))
        luaL_error(L, "a task cannot kill itself where it cannot yield");
    if (task)
        vm_task_kill(task);
    if (self)
        return vm_task_park(tasks, L, NULL, 0, -1, 0, idled);
    lua_pushboolean(L, task != NULL);
    return 1;
}

/* (seconds or nil) one turn of the loop, waiting so long for something to do -> true when anything was done */
static int turn(lua_State *L)
{
    struct loop *loop = lua_loop(L);
    double deadline = lua_loop_deadline(L, 1);
    bool blocked = vm_task_running(loop_tasks(loop));
    int rc = blocked ? loop_listen(loop, deadline) : loop_turn(loop, deadline, true);
    loop_rearm(loop);
    if (rc == TROUPE_EINTR)
        lua_loop_let_hooks_run(L);
    lua_pushboolean(L, rc == 0);
    return 1;
}

/* -> tasks alive */
static int count(lua_State *L)
{
    lua_pushinteger(L, vm_tasks_count(tasks_of(L)));
    return 1;
}

/* -> seconds until the next timer, nil when there is none */
static int next_deadline(lua_State *L)
{
    struct vm_tasks *tasks = tasks_of(L);
    double at = vm_tasks_ready(tasks) ? 0 : vm_tasks_deadline(tasks);
    if (at < 0)
        return 0;
    double left = at - clock_now();
    lua_pushnumber(L, left > 0 ? left : 0);
    return 1;
}

/* -> a descriptor that is readable when a turn has something to do */
static int descriptor(lua_State *L)
{
    int fd = loop_descriptor(loop_of(L));
    if (fd < 0)
        luaL_error(L, "no more descriptors (see ulimit -n)");
    lua_pushinteger(L, fd);
    return 1;
}

static void make_timeout(lua_State *L)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "troupe.task.TIMEOUT");
    lua_setfield(L, -2, "__name");
    lua_setmetatable(L, -2);
}

static void push_room(lua_State *L)
{
    struct room *room = lua_newuserdatauv(L, sizeof *room, 0);
    *room = (struct room){.plain = {room, false}, .watched = {room, true}, .seat = lua_loop_seat(L)};
    lua_ended_init(&room->ended, L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &room_key);
}

int lua_task_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"spawn", spawn}, {"running", running}, {"sleep", task_sleep}, {"notify", task_notify}, {"suspend", suspend},
        {"resume", resume}, {"may_park", may_park}, {"idle", idle}, {"alive", alive}, {"watch_end", watch_end},
        {"on_end", on_end}, {"outcome", outcome}, {"kill", task_kill}, {"turn", turn}, {"count", count},
        {"next_deadline", next_deadline}, {"fd", descriptor}, {"watch", lua_watch}, {NULL, NULL}};
    luaL_newlibtable(L, functions);
    push_room(L);
    lua_pushvalue(L, -1);
    lua_insert(L, -3);
    luaL_setfuncs(L, functions, 1);
    lua_insert(L, -2);
    make_timeout(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, -4, "TIMEOUT");
    lua_pushcclosure(L, task_wait, 2);
    lua_setfield(L, -2, "wait");
    return 1;
}
