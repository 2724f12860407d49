/* lua_actor_run.c - who handles messages: tasks that go from one ready actor to the next.
 *
 * An actor that does not wait needs no coroutine of its own. A drainer is a task that takes ready actors one after the other
 * and calls their handlers (lua_actor_drain.c). When a handler waits, its drainer is the actor's until the handler returns,
 * and another drainer goes on with the others. So a vm has as many coroutines as handlers that wait, and one.
 *
 * Invariants:
 *  1. a->holder is the drainer that handles a's messages, and then d->actor is a; a drainer whose concurrent actor has gone
 *     on without it has an actor with another holder or none;
 *  2. a drainer that has waited ends when its handler has returned: only those that actor_work started take further actors;
 *  3. a handler that raises, or is killed, ends its actor, and its drainer's task with it.
 */
#include "lua_actor.h"

#include <stdlib.h>

#include <lauxlib.h>

#include "lua_loop.h"
#include "vm.h"

/* Places of queues that one turn may have: letters and timers wait for its end. */
enum { BUDGET = 6000 };

uint64_t actor_of_task(struct vm_task *task)
{
    const struct drainer *d = vm_task_tells(task, actor_drainer_ended) ? vm_task_owner(task) : NULL;
    return d && d->actor ? d->actor->id : 0;
}

/* ---- drainers */

static struct drainer *new_drainer(struct actors *house)
{
    struct drainer *d = calloc(1, sizeof *d);
    struct vm_task *task = d ? vm_task_new(house->tasks, actor_drainer_ended, d) : NULL;
    if (!task) {
        free(d);
        return NULL;
    }
    vm_task_set_target(task, actor_target(house, NULL));
    d->task = task;
    d->house = house;
    d->next = house->drainers;
    if (d->next)
        d->next->prev = d;
    house->drainers = d;
    return d;
}

static void free_drainer(struct actors *house, struct drainer *d)
{
    if (d->prev)
        d->prev->next = d->next;
    else
        house->drainers = d->next;
    if (d->next)
        d->next->prev = d->prev;
    if (house->starting == d)
        house->starting = NULL;
    free(d);
}

/* The drainer that was just started waits. A concurrent actor goes on without it. */
static void parked(struct actors *house, struct drainer *d)
{
    struct actor *a = d->actor;
    d->parked = true;
    if (!a)
        return;
    if (!a->concurrent || a->stopping || a->starting || a->state == ACTOR_WAITING)
        return;
    a->holder = NULL;
    a->state = ACTOR_IDLE;
    if (a->tail >= a->head)
        actor_make_ready(house, a);
}

/* Runs it to its first wait or its end; true when it ended. */
static bool start(struct actors *house, struct drainer *d, int count)
{
    struct drainer *outer = house->starting;
    house->starting = d;
    vm_task_start(d->task, count);
    bool ended = !house->starting;
    if (!ended)
        parked(house, d);
    house->starting = outer;
    return ended;
}

bool actor_is_broken(const struct actors *house, uint64_t target)
{
    const struct vm *vm = house->target ? vm_of(house->L) : NULL;
    return vm && vm_is_interrupted(vm, target);
}

void actor_work(struct vm_work *work, double now)
{
    struct actors *house = (struct actors *)work;
    house->now = now;
    if (work->deadline >= 0 && work->deadline <= now) {
        work->deadline = -1;
        lua_pushnumber(house->L, now);
        actor_hook(house->L, "tick", 1);
    }
    house->budget = BUDGET;
    while (house->ready && house->budget > 0) {
        struct drainer *d = new_drainer(house);
        if (!d)
            break;
        lua_State *co = vm_task_coroutine(d->task);
        lua_rawgetp(co, LUA_REGISTRYINDEX, &actor_drain_key);
        lua_pushlightuserdata(co, d);
        const struct actor *first = house->ready;
        start(house, d, 1);
        if (house->ready == first && actor_is_broken(house, house->target))
            break; /* each would be broken into before it took anything: what ends the job comes by letter */
    }
    work->ready = house->ready;
}

static int nothing(lua_State *L)
{
    (void)L;
    return 0;
}

/* (reference, function, ...) runs function(drainer, ...) for the actor at once, up to its first wait -> true when it has
 * ended, one way or the other. Whoever calls this may be broken into from then on */
static int actor_begin(lua_State *L)
{
    struct actors *house = actors_of(L);
    struct actor *a = actor_check(L, 1);
    int count = lua_gettop(L) - 2;
    struct drainer *d = new_drainer(house);
    if (!d) {
        actor_unshield(L, house);
        luaL_error(L, "not enough memory");
    }
    lua_State *co = vm_task_coroutine(d->task);
    if (!lua_checkstack(co, count + 4)) {
        lua_pushcfunction(co, nothing);
        start(house, d, 0);
        actor_unshield(L, house);
        luaL_error(L, "too many arguments");
    }
    d->actor = a;
    a->holder = d;
    vm_task_set_target(d->task, actor_target(house, a));
    a->since = a->born;
    lua_xmove(L, co, count + 1);
    lua_pushlightuserdata(co, d);
    lua_insert(co, 2);
    lua_pushboolean(L, start(house, d, count + 1));
    actor_unshield(L, house);
    return 1;
}

/* ---- ends */

/* Behind the error value on top, below it: the reason, which is the error with its traceback for a text, else the value. */
static void make_reason(lua_State *L, lua_State *co)
{
    lua_pushvalue(L, -1);
    if (lua_type(L, -1) == LUA_TSTRING) {
        lua_pushliteral(L, "\n");
        luaL_traceback(L, co, NULL, 0);
        lua_concat(L, 3);
    }
    lua_insert(L, -2);
}

/* It ends for the reason below the top, its calls with the error on top; its terminate comes first, if it has one. */
static void wind_up(lua_State *L, struct actors *house, struct actor *a)
{
    a->holder = NULL;
    a->doomed = false;
    if (a->stopping || a->starting || a->brutal || !a->terminates) {
        actor_end(L, house, a);
        return;
    }
    actor_fail_calls(L, house, a);
    actor_kill_handlers(house, a);
    a->stopping = true;
    actor_make_ready(house, a);
}

/* The reference at `ref` has a reason from now on, the one on top, unless it has one already, which replaces it. */
static void settle_reason(lua_State *L, int ref)
{
    if (lua_getiuservalue(L, ref, ACTOR_REASON) != LUA_TNIL) {
        lua_replace(L, -2);
        return;
    }
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, ref, ACTOR_REASON);
}

/* The handler raised: co has the error on top. */
static void crash(lua_State *L, struct actors *house, struct actor *a, lua_State *co, int ref)
{
    lua_xmove(co, L, 1);
    make_reason(L, co);
    if (!a->starting) {
        lua_pushvalue(L, ref);
        lua_pushvalue(L, -3);
        actor_hook(L, "crashed", 2);
    }
    lua_insert(L, -2);
    settle_reason(L, ref);
    lua_insert(L, -2);
    wind_up(L, house, a);
}

static void killed(lua_State *L, struct actors *house, struct actor *a, int ref)
{
    lua_pushliteral(L, "killed");
    settle_reason(L, ref);
    lua_pushvalue(L, -1);
    wind_up(L, house, a);
}

struct ending {
    struct drainer *drainer;
    lua_State *co;
    int status;
};

/* Lua: (ending as pointer) */
static int tell(lua_State *L)
{
    const struct ending *e = lua_touserdata(L, 1);
    struct drainer *d = e->drainer;
    struct actor *a = d->actor;
    luaL_checkstack(L, 20, NULL);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &actor_anchors_key);
    actor_push(L, a, -1);
    int ref = lua_gettop(L);
    d->actor = NULL;
    bool broken = actor_is_broken(d->house, actor_target(d->house, a));
    a->brutal |= broken;
    if (e->status == VM_TASK_KILLED || broken)
        killed(L, d->house, a, ref);
    else
        crash(L, d->house, a, e->co, ref);
    return 0;
}

void actor_drainer_ended(struct vm_task *task, int status, int count)
{
    struct drainer *d = vm_task_owner(task);
    lua_State *L = vm_tasks_state(vm_task_scheduler(task));
    struct ending e = {d, vm_task_coroutine(task), status};
    (void)count;
    if (d->actor && status == LUA_OK) {
        actor_release(L, d);
    } else if (d->actor && lua_checkstack(L, 4)) {
        int top = lua_gettop(L);
        lua_pushcfunction(L, tell);
        lua_pushlightuserdata(L, &e);
        lua_pcall(L, 1, 0, 0); /* without memory the news does not get through: the actor stays as it is */
        lua_settop(L, top);
    }
    free_drainer(d->house, d);
}

void actor_kill(lua_State *L, struct actors *house, struct actor *a)
{
    int ref = lua_gettop(L) - 1;
    if (a->state == ACTOR_DEAD) {
        lua_settop(L, ref - 1);
        return;
    }
    settle_reason(L, ref);
    lua_pushvalue(L, -1);
    if (a->holder) {
        lua_settop(L, ref - 1);
        a->doomed = true;
        vm_task_kill(a->holder->task); /* and its end is the actor's, now or when it next waits or returns */
    } else {
        wind_up(L, house, a);
        lua_settop(L, ref - 1);
    }
}

static int gone(lua_State *L, int status, lua_KContext context)
{
    (void)L;
    (void)status;
    (void)context;
    return 0;
}

/* (reference, reason, brutally, quietly) it ends, its handler where it waits; brutally: without terminate. Does not return to
 * a handler of the actor itself, unless quietly: then that ends when it next waits */
static int actor_exit(lua_State *L)
{
    struct actors *house = actors_of(L);
    struct actor *a = actor_check(L, 1);
    const struct drainer *d = actor_current(house);
    bool self = d && d->actor == a && !lua_toboolean(L, 4);
    if (self && !vm_task_may_park(house->tasks, L))
        luaL_error(L, "an actor cannot end itself where it cannot yield");
    a->brutal |= lua_toboolean(L, 3) && a->state != ACTOR_DEAD;
    lua_settop(L, 2);
    actor_kill(L, house, a);
    return self ? vm_task_park(house->tasks, L, NULL, 0, -1, 0, gone) : 0;
}

/* (reference, reason) it ends when the message at hand has been handled */
static int actor_stop(lua_State *L)
{
    struct actors *house = actors_of(L);
    struct actor *a = actor_check(L, 1);
    lua_settop(L, 2);
    if (a->state == ACTOR_DEAD || a->stopping)
        return 0;
    settle_reason(L, 1);
    a->stopping = true;
    if (!a->holder && !a->queued)
        actor_make_ready(house, a);
    return 0;
}

/* (self, reason or nil: "normal") the same of the actor whose table that is */
static int stop_self(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_pushliteral(L, "normal");
        lua_replace(L, 2);
    }
    lua_getfield(L, 1, "ref");
    lua_replace(L, 1);
    return actor_stop(L);
}

void actor_open_run(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"begin", actor_begin}, {"exit", actor_exit}, {"stop", actor_stop}, {"stop_self", stop_self}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 2);
}
