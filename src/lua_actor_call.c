/* lua_actor_call.c - calls and answers.
 *
 *     asked --answered by the callee's drainer, by a token, by its death--> gone
 *
 * A call is in `calls` and in its callee's list until it is answered, also when whoever waited has given up. The one who waits is a
 * task, parked with the call as its subject, or a future of actor.lua's, which hook `answered` tells, or another vm, where it is
 * a call too. Between two vms each has its own number for it: the asker's travels.
 */
#include "lua_actor.h"

#include <lauxlib.h>

#include "clock.h"
#include "lua_loop.h"
#include "troupe.h"

static const double default_seconds = 5;

/* The reference of the callee, which is at 1, is kept while it owes answers. */
static void anchor(lua_State *L, struct actor *callee)
{
    if (!callee || !callee->remote || callee->calls)
        return;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &actor_anchors_key);
    lua_pushvalue(L, 1);
    callee->slot = luaL_ref(L, -2);
    lua_pop(L, 1);
}

static void let_go(lua_State *L, struct actor *callee)
{
    if (!callee || !callee->remote || callee->calls)
        return;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &actor_anchors_key);
    luaL_unref(L, -1, callee->slot);
    lua_pop(L, 1);
}

struct call *actor_call_new(lua_State *L, struct actors *house, struct actor *callee, uint64_t task)
{
    anchor(L, callee);
    struct call **list = callee ? &callee->calls : &house->own_calls;
    struct call *c = slab_get(&house->call_slab);
    if (c) {
        *c = (struct call){.id = ++house->last_call, .callee = callee, .task = task, .next = *list};
        if (id_map_insert(&house->calls, c) == 0) {
            if (c->next)
                c->next->prev = c;
            *list = c;
            return c;
        }
        slab_put(&house->call_slab, c);
    }
    let_go(L, callee);
    luaL_error(L, "not enough memory");
    return NULL;
}

void actor_call_drop(lua_State *L, struct actors *house, struct call *c)
{
    struct call **list = c->callee ? &c->callee->calls : &house->own_calls;
    id_map_remove(&house->calls, c->id);
    if (c->prev)
        c->prev->next = c->next;
    else
        *list = c->next;
    if (c->next)
        c->next->prev = c->prev;
    let_go(L, c->callee);
    slab_put(&house->call_slab, c);
}

void actor_answer(lua_State *L, struct actors *house, struct call *c, int count)
{
    struct vm_task *task = c->task ? vm_task_find(house->tasks, c->task) : NULL;
    if (c->asker) {
        actor_post_reply(L, c, count, true);
    } else if (task && vm_task_waits_for(task, c)) {
        vm_task_wake(task, L, count);
    } else if (!c->task) {
        lua_pushinteger(L, (lua_Integer)c->id);
        lua_insert(L, -count - 1);
        actor_hook(L, "answered", count + 1);
    } else {
        lua_pop(L, count);
    }
    actor_call_drop(L, house, c);
}

/* The same, where it is not too late to raise what cannot be sent. */
static void answer(lua_State *L, struct actors *house, struct call *c, int count)
{
    if (!c->asker) {
        actor_answer(L, house, c, count);
        return;
    }
    actor_post_reply(L, c, count, false);
    actor_call_drop(L, house, c);
}

void actor_fail_calls(lua_State *L, struct actors *house, struct actor *a)
{
    int error = lua_gettop(L);
    while (a->calls && lua_checkstack(L, 6)) {
        lua_pushboolean(L, 0);
        lua_pushvalue(L, error);
        actor_answer(L, house, a->calls, 2);
    }
}

void actor_reply(lua_State *L, struct actors *house, uint64_t call, int first)
{
    struct call *c = id_map_find(&house->calls, call);
    if (!c || c->deferred)
        return;
    if (!c->asker)
        actor_copy(L, first);
    luaL_checkstack(L, 4, NULL);
    lua_pushboolean(L, 1);
    lua_insert(L, first);
    answer(L, house, c, lua_gettop(L) - first + 1);
}

void actor_fail(lua_State *L, struct actors *house, uint64_t call)
{
    struct call *c = id_map_find(&house->calls, call);
    if (!c)
        return;
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    answer(L, house, c, 2);
}

/* (call, ok, results or error...): the answer to a call that was deferred -> true when somebody may still get it */
static int actor_reply_late(lua_State *L)
{
    struct actors *house = actors_of(L);
    struct call *c = id_map_find(&house->calls, (uint64_t)luaL_checkinteger(L, 1));
    if (c) {
        if (!c->asker)
            actor_copy(L, 3);
        answer(L, house, c, lua_gettop(L) - 1);
    }
    lua_pushboolean(L, c != NULL);
    return 1;
}

/* () -> the call that the running handler answers, which is answered later; nil: it is no call */
static int actor_defer(lua_State *L)
{
    struct actors *house = actors_of(L);
    const struct drainer *d = actor_current(house);
    struct call *c = d && d->call ? id_map_find(&house->calls, d->call) : NULL;
    if (!c)
        return 0;
    c->deferred = true;
    lua_pushinteger(L, (lua_Integer)c->id);
    return 1;
}

static int answered(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    if (vm_task_timed_out(vm_tasks_of(L))) {
        lua_pushnil(L);
        lua_pushliteral(L, "timeout");
        return 2;
    }
    if (!lua_toboolean(L, 1)) {
        lua_settop(L, 2);
        return lua_error(L);
    }
    return lua_gettop(L) - 1;
}

static struct actor *check_callee(lua_State *L, struct actors *house)
{
    struct actor *a = actor_check(L, 1);
    const struct drainer *d = actor_current(house);
    actor_check_name(L, "call");
    if (d && d->actor == a && !a->concurrent)
        luaL_error(L, "call: an actor cannot wait for an answer of its own");
    if (a->state == ACTOR_DEAD || a->stopping) {
        actor_hook(L, "undelivered", lua_gettop(L));
        lua_pushliteral(L, "dead");
        lua_error(L);
    }
    return a;
}

static struct call *ask_remote(lua_State *L, struct actors *house, struct actor *a, uint64_t task)
{
    struct call *c = actor_call_new(L, house, a, task);
    int rc = actor_post_message(L, house, a, c->id, 0);
    if (rc == 0)
        return c;
    actor_call_drop(L, house, c);
    if (rc == TROUPE_EDEAD) {
        actor_remote_lost(L, house, a, 1);
        actor_hook(L, "undelivered", lua_gettop(L));
        lua_pushliteral(L, "dead");
    } else if (rc != TROUPE_EREFUSED) {
        lua_pushfstring(L, "call: %s", troupe_strerror(rc));
    }
    lua_error(L);
    return NULL;
}

/* The reference, the name and the arguments are at 1, 2 and 3: the call, which is asked. */
static struct call *ask(lua_State *L, struct actors *house, uint64_t task)
{
    struct actor *a = check_callee(L, house);
    if (a->remote)
        return ask_remote(L, house, a, task);
    actor_copy(L, 3);
    struct call *c = actor_call_new(L, house, a, task);
    actor_put(L, house, a, 3, actor_current(house), 0, c->id);
    return c;
}

/* The reference, the name and the arguments are at 1, 2 and 3. Where a task can park. */
static int call_until(lua_State *L, double until)
{
    struct actors *house = actors_of(L);
    struct call *c = ask(L, house, vm_task_id(vm_task_running(house->tasks)));
    lua_settop(L, 0);
    return vm_task_park(house->tasks, L, c, 0, until, 0, answered);
}

/* (reference, name, ...) -> results; nil, "timeout". Raises the error of the handler */
static int actor_call(lua_State *L)
{
    actor_check(L, 1);
    actor_check_name(L, "call");
    if (vm_task_may_park(actors_of(L)->tasks, L))
        return call_until(L, clock_now() + default_seconds);
    lua_pushnumber(L, default_seconds);
    lua_insert(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &actor_hooks_key);
    lua_getfield(L, -1, "call_outside");
    lua_replace(L, -2);
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* (seconds or nil, reference, name, ...) as call, only where may_park() */
static int actor_call_for(lua_State *L)
{
    double until = lua_isnil(L, 1) ? -1 : clock_now() + luaL_checknumber(L, 1);
    lua_remove(L, 1);
    return call_until(L, until);
}

/* (reference, name, ...) -> number of the call; hook `answered` is told of the answer */
static int actor_ask(lua_State *L)
{
    struct actors *house = actors_of(L);
    struct call *c = ask(L, house, 0);
    lua_Integer id = (lua_Integer)c->id;
    if (!vm_task_running(house->tasks))
        loop_rearm(lua_loop(L));
    lua_pushinteger(L, id);
    return 1;
}

void actor_open_call(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"call", actor_call}, {"call_for", actor_call_for}, {"ask", actor_ask}, {"reply_late", actor_reply_late}, {"defer", actor_defer}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 2);
}
