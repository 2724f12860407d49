/* lua_actor_place.c - light actors: in which shared vm they live (placement.h), and what a shared vm is told.
 *
 * Invariants:
 *  1. an actor that was placed is counted in its vm until actor_end;
 *  2. in a shared vm each actor is a target of its own for what breaks in: while its handlers run, and tasks made by them.
 */
#include "lua_actor.h"

#include <lauxlib.h>

#include "address.h"
#include "clock.h"
#include "lua_loop.h"
#include "mailbox.h"
#include "mailbox_route.h"
#include "placement.h"
#include "run_note.h"
#include "thread.h"
#include "vm.h"

static int places(void)
{
    int cores = thread_cores();
    return cores < PLACEMENT_MOST ? cores : PLACEMENT_MOST;
}

/* (number of a call or nil) -> "there", address of the vm; "start", place; "wait": the call is answered with the address, or
 * fails; "unknown": ask again with a number; "away": this is a worker process, which does not see the program's vms */
static int place(lua_State *L)
{
    static const char *const words[] = {"there", "start", "wait", "unknown"};
    struct placement_ask ask = {
        .places = places(), .own = actors_of(L)->base, .number = (uint64_t)luaL_optinteger(L, 1, 0), .now = clock_now()};
    uint64_t vm;
    int at;
    if (mailbox_house()) {
        lua_pushliteral(L, "away");
        return 1;
    }
    enum placement_answer answer = placement_choose(&placement_program, &ask, &vm, &at);
    if (answer == PLACEMENT_FULL)
        luaL_error(L, "not enough memory");
    lua_pushstring(L, words[answer]);
    lua_pushinteger(L, answer == PLACEMENT_THERE ? (lua_Integer)vm : at);
    return 2;
}

/* Lua: (waiters as pointer) -> a list: number, address of its vm, and so on */
static int push_waiters(lua_State *L)
{
    const struct placement_waiter *w = lua_touserdata(L, 1);
    lua_Integer count = 0;
    lua_newtable(L);
    for (; w; w = w->next) {
        lua_pushinteger(L, (lua_Integer)w->number);
        lua_rawseti(L, 2, ++count);
        lua_pushinteger(L, (lua_Integer)w->vm);
        lua_rawseti(L, 2, ++count);
    }
    return 1;
}

/* Raises when memory is out: then they are answered by their timeouts. */
static int give_waiters(lua_State *L, struct placement_waiter *waiters)
{
    lua_pushcfunction(L, push_waiters);
    lua_pushlightuserdata(L, waiters);
    int status = lua_pcall(L, 1, 1, 0);
    placement_free_waiters(&waiters);
    return status == LUA_OK ? 1 : lua_error(L);
}

/* (place) this vm is the one started for it -> who waits, a list of number, vm, ...; nil: there is one already */
static int host_many(lua_State *L)
{
    struct actors *house = actors_of(L);
    int at = (int)luaL_checkinteger(L, 1);
    struct placement_waiter *waiters;
    luaL_argcheck(L, at >= 0 && at < PLACEMENT_MOST, 1, "no such place");
    house->shared = true;
    if (!placement_up(&placement_program, at, house->base, &waiters))
        return 0;
    return give_waiters(L, waiters);
}

/* (place) no vm could be started -> who waits, as above */
static int place_failed(lua_State *L)
{
    int at = (int)luaL_checkinteger(L, 1);
    struct placement_waiter *waiters;
    luaL_argcheck(L, at >= 0 && at < PLACEMENT_MOST, 1, "no such place");
    placement_failed(&placement_program, at, &waiters);
    return give_waiters(L, waiters);
}

/* (place, number) who waits there under that number, or was to start a vm there, leaves it -> false: the answer is on its way */
static int withdraw(lua_State *L)
{
    int at = (int)luaL_checkinteger(L, 1);
    luaL_argcheck(L, at >= 0 && at < PLACEMENT_MOST, 1, "no such place");
    bool left = placement_withdraw(&placement_program, at, actors_of(L)->base, (uint64_t)luaL_optinteger(L, 2, 0));
    lua_pushboolean(L, left);
    return 1;
}

/* (address of a vm) the actor that was placed there was not made */
static int unplace(lua_State *L)
{
    placement_left(&placement_program, (uint64_t)luaL_checkinteger(L, 1));
    return 0;
}

/* (reference, guest) it is the actor that was placed here; a guest, which nobody has counted, is counted now */
static int settle(lua_State *L)
{
    actor_check(L, 1)->placed = true;
    if (lua_toboolean(L, 2))
        placement_joined(&placement_program, actors_of(L)->base);
    return 0;
}

/* (reference) -> true when it was placed here */
static int is_placed(lua_State *L)
{
    lua_pushboolean(L, actor_check(L, 1)->placed);
    return 1;
}

/* The node is told that it is dead: it goes on breaking into its handlers until then. */
static void tell_node(lua_State *L, uint64_t id, uint32_t pool)
{
    struct message *m = message_new(MAIL_DOOMED);
    if (!m)
        return;
    message_header(m)->id = id;
    message_header(m)->pool = pool;
    message_header(m)->to = address_make(0, MAILBOX_NODE, 0);
    actor_post(L, m);
}

void actor_leave_place(lua_State *L, const struct actors *house, const struct actor *a)
{
    if (a->placed)
        placement_left(&placement_program, house->base);
    if (a->reported)
        tell_node(L, a->id, house->pool);
}

void actor_doom(lua_State *L, struct actors *house, const struct header *h)
{
    struct actor *a = id_map_find(&house->live, h->id);
    if (!a) {
        tell_node(L, h->id, h->pool);
        return;
    }
    house->pool = h->pool;
    a->brutal = a->reported = true;
    actor_push(L, a, lua_upvalueindex(ACTOR_ANCHORS));
    lua_pushliteral(L, "killed");
    actor_kill(L, house, a);
}

/* ---- targets */

uint64_t actor_target(const struct actors *house, const struct actor *a)
{
    return !house->shared ? house->target : a ? run_actor_target(a->id) : 0;
}

void actor_shield(lua_State *L, const struct actors *house)
{
    if (house->shared)
        vm_set_target(vm_of(L), 0);
}

void actor_unshield(lua_State *L, const struct actors *house)
{
    const struct vm_task *t = house->shared ? vm_task_running(house->tasks) : NULL;
    if (house->shared)
        vm_set_target(vm_of(L), t ? vm_task_target(t) : 0);
}

/* () from here on the running handler is not broken into, until unshield or its next wait: what it changes is its vm's, and
 * shall be changed whole */
static int shield(lua_State *L)
{
    actor_shield(L, actors_of(L));
    return 0;
}

static int unshield(lua_State *L)
{
    actor_unshield(L, actors_of(L));
    return 0;
}

/* () -> the actor whose handler runs, or has made the task that runs; nil: there is none, or it is dead */
static int owner(lua_State *L)
{
    struct actors *house = actors_of(L);
    const struct drainer *d = actor_current(house);
    const struct vm_task *t = d ? NULL : vm_task_running(house->tasks);
    const struct actor *a = d ? d->actor : NULL;
    if (t && run_is_actor(vm_task_target(t)))
        a = id_map_find(&house->live, house->base | (uint32_t)vm_task_target(t));
    if (a)
        actor_push(L, a, lua_upvalueindex(ACTOR_ANCHORS));
    else
        lua_pushnil(L);
    return 1;
}

void actor_open_place(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"place", place}, {"host_many", host_many}, {"place_failed", place_failed}, {"unplace", unplace}, {"withdraw", withdraw},
        {"settle", settle}, {"is_placed", is_placed}, {"shield", shield}, {"unshield", unshield}, {"owner", owner},
        {NULL, NULL}};
    luaL_setfuncs(L, functions, 2);
}
