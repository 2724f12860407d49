/* lua_actor_run.c - who handles messages: tasks that go from one ready actor to the next.
 *
 * An actor that does not wait needs no coroutine of its own. A drainer is a task that runs actor.lua's `drain`, which takes
 * ready actors one after the other and calls their handlers. When a handler waits, its drainer is the actor's until the
 * handler returns, and another drainer goes on with the others. So a vm has as many coroutines as handlers that wait, and one.
 *
 * Invariants:
 *  1. a->holder is the drainer that handles a's messages, and then d->actor is a; a detached drainer's actor has another
 *     holder or none;
 *  2. a drainer that has waited ends when its handler has returned: only those that actor_work started take further actors;
 *  3. while `disturbed`, a->head is true; else the head is what drain says when it is done, or follows from place 1;
 *  4. a handler that raises, or is killed, ends its actor, and its drainer's task with it.
 */
#include "lua_actor.h"

#include <stdlib.h>

#include <lauxlib.h>

#include "lua_loop.h"
#include "vm.h"

/* Places of queues that one turn and one actor may have: letters and timers wait for the end of the turn. */
enum { BUDGET = 6000, SHARE = 1000, KEPT = 256 };

static void drainer_ended(struct vm_task *task, int status, int count);

struct drainer *actor_current(const struct actors *house)
{
    struct vm_task *t = vm_task_running(house->tasks);
    struct drainer *d = t && vm_task_tells(t, drainer_ended) ? vm_task_owner(t) : NULL;
    return d && d->actor ? d : NULL;
}

uint64_t actor_of_task(struct vm_task *task)
{
    const struct drainer *d = vm_task_tells(task, drainer_ended) ? vm_task_owner(task) : NULL;
    return d && d->actor ? d->actor->id : 0;
}

/* The drainer has nothing to do with its actor any more. */
static void release(lua_State *L, struct actors *house, struct drainer *d)
{
    struct actor *a = d->actor;
    d->actor = NULL;
    d->call = 0;
    d->disturbed = false;
    if (!a || a->holder != d)
        return;
    a->holder = NULL;
    if (a->state == ACTOR_DEAD)
        return;
    a->state = ACTOR_IDLE;
    if (a->starting)
        return;
    if (a->tail >= a->head || a->stopping) {
        actor_make_ready(house, a);
        return;
    }
    if (a->head > KEPT) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &actor_anchors_key);
        actor_push(L, a, -1);
        lua_pushnil(L);
        lua_setiuservalue(L, -2, ACTOR_QUEUE);
        lua_pop(L, 2);
    }
    a->head = 2;
    a->tail = 1;
}

static struct actor *next_ready(lua_State *L, struct actors *house)
{
    struct actor *a;
    while ((a = house->ready)) {
        house->ready = a->next;
        a->queued = false;
        if (a->state != ACTOR_DEAD)
            return a;
        luaL_unref(L, lua_upvalueindex(ACTOR_ANCHORS), a->slot);
    }
    house->work.ready = false;
    return NULL;
}

/* -> queue, place, last place, self, handlers; for one that stops: false, reason, reference, self, handlers */
static int hand_out(lua_State *L, struct actors *house, struct actor *a)
{
    a->at = 0;
    lua_settop(L, 0);
    actor_push(L, a, lua_upvalueindex(ACTOR_ANCHORS));
    if (a->stopping) {
        a->holder->disturbed = true;
        lua_pushboolean(L, 0);
        lua_getiuservalue(L, 1, ACTOR_REASON);
        lua_pushvalue(L, 1);
    } else {
        int most = a->limit > 0 || a->concurrent ? 1 : SHARE;
        int last = a->tail - a->head < most ? a->tail : a->head + most - 1;
        house->budget -= last - a->head + 2;
        lua_getiuservalue(L, 1, ACTOR_QUEUE);
        lua_pushinteger(L, a->head);
        lua_pushinteger(L, last);
    }
    lua_getiuservalue(L, 1, ACTOR_SELF);
    lua_getiuservalue(L, 1, ACTOR_HANDLERS);
    if (a->limit > 0 && !a->stopping)
        actor_took(L, a);
    return 5;
}

/* (drainer, place after the last message handled or nil) -> as hand_out; nothing when there is no more to do for now */
static int actor_next(lua_State *L)
{
    struct actors *house = actors_of(L);
    struct drainer *d = lua_touserdata(L, 1);
    if (d->actor) {
        if (!d->disturbed && !d->detached)
            d->actor->head = (int)lua_tointeger(L, 2);
        release(L, house, d);
        if (house->shared)
            vm_task_aim(d->task, 0);
    }
    if (d->parked || house->budget <= 0)
        return 0;
    struct actor *a = next_ready(L, house);
    if (!a)
        return 0;
    d->actor = a;
    d->disturbed = false;
    d->call = 0;
    a->holder = d;
    a->state = ACTOR_BUSY;
    a->since = house->now;
    if (house->shared)
        vm_task_aim(d->task, actor_target(house, a));
    return hand_out(L, house, a);
}

/* (drainer) after a handler that left the queue otherwise than it found it -> as actor_next */
static int actor_again(lua_State *L)
{
    struct drainer *d = lua_touserdata(L, 1);
    struct actor *a = d->actor;
    if (a && a->doomed)
        return 0; /* it is killed when this task returns */
    if (!a || d->detached || d->parked || a->stopping || a->state == ACTOR_DEAD || a->tail < a->head)
        return actor_next(L);
    d->disturbed = false;
    return hand_out(L, actors_of(L), a);
}

/* (drainer, call) the message being handled is that call, none: 0 */
static int actor_note_call(lua_State *L)
{
    struct drainer *d = lua_touserdata(L, 1);
    d->call = (uint64_t)lua_tointeger(L, 2);
    return 0;
}

/* ---- drainers */

static struct drainer *new_drainer(struct actors *house)
{
    struct drainer *d = calloc(1, sizeof *d);
    struct vm_task *task = d ? vm_task_new(house->tasks, drainer_ended, d) : NULL;
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
    actor_disturb(house->L, a);
    if (!a->concurrent || a->stopping || a->starting || a->state == ACTOR_WAITING)
        return;
    d->detached = true;
    d->disturbed = false;
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

/* The vm is here for its actors, and what has that target is being broken into. */
static bool is_broken(const struct actors *house, uint64_t target)
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
        if (house->ready == first && is_broken(house, house->target))
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
 * ended, one way or the other */
static int actor_begin(lua_State *L)
{
    struct actors *house = actors_of(L);
    struct actor *a = actor_check(L, 1);
    int count = lua_gettop(L) - 2;
    struct drainer *d = new_drainer(house);
    if (!d)
        luaL_error(L, "not enough memory");
    lua_State *co = vm_task_coroutine(d->task);
    if (!lua_checkstack(co, count + 4)) {
        lua_pushcfunction(co, nothing);
        start(house, d, 0);
        luaL_error(L, "too many arguments");
    }
    d->actor = a;
    a->holder = d;
    d->disturbed = true;
    vm_task_set_target(d->task, actor_target(house, a));
    a->since = a->born;
    lua_xmove(L, co, count + 1);
    lua_pushlightuserdata(co, d);
    lua_insert(co, 2);
    lua_pushboolean(L, start(house, d, count + 1));
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
    actor_disturb(L, a);
    d->actor = NULL;
    bool broken = is_broken(d->house, actor_target(d->house, a));
    a->brutal |= broken;
    if (e->status == VM_TASK_KILLED || broken)
        killed(L, d->house, a, ref);
    else
        crash(L, d->house, a, e->co, ref);
    return 0;
}

static void drainer_ended(struct vm_task *task, int status, int count)
{
    struct drainer *d = vm_task_owner(task);
    lua_State *L = vm_tasks_state(vm_task_scheduler(task));
    struct ending e = {d, vm_task_coroutine(task), status};
    (void)count;
    if (d->actor && status == LUA_OK) {
        release(L, d->house, d);
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
        actor_disturb(L, a);
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
    if (a->holder)
        actor_disturb(L, a);
    else if (!a->queued)
        actor_make_ready(house, a);
    return 0;
}

void actor_open_run(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"next", actor_next}, {"again", actor_again}, {"note_call", actor_note_call}, {"begin", actor_begin},
        {"exit", actor_exit}, {"stop", actor_stop}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 2);
}
