/* lua_actor.c - the life of actors in a vm: made, looked at, ended.
 *
 * Invariants:
 *  1. a live actor is in `live` and anchored; a dead one is neither, but anchored as long as it stands in the ready list;
 *  2. actor_end happens once, whoever comes first; what it tells Lua (hook `ended`) is told when all of it is true.
 */
#include "lua_actor.h"

#include <limits.h>
#include <stdatomic.h>
#include <string.h>

#include <lauxlib.h>

#include "address.h"
#include "clock.h"
#include "ear.h"
#include "loop.h"
#include "lua_log.h"
#include "lua_loop.h"
#include "lua_registry.h"
#include "record.h"
#include "vm.h"

const char actor_anchors_key, actor_drain_key, actor_hooks_key;
static const char actor_mark, metatable_key, house_key;

struct actors *actor_house(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &house_key);
    struct actors *house = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return house;
}

/* Tasks of the vm count from 1, its actors from here, in each vm from elsewhere on: boxes are used again, and what was an
 * actor's address shall not be another's soon. */
static const uint32_t first_number = 0x80000000u, stride = 0x00c511d3u;
static _Atomic uint32_t houses;
static atomic_int programs; /* houses in vms that are programs' own */

struct actor *actor_at(lua_State *L, int index)
{
    struct actor *a = lua_touserdata(L, index); /* a light one has no length */
    return a && lua_rawlen(L, index) == sizeof *a && a->mark == &actor_mark ? a : NULL;
}

struct actor *actor_check(lua_State *L, int index)
{
    struct actor *a = actor_at(L, index);
    if (!a)
        luaL_typeerror(L, index, "actor reference");
    return a;
}

/* Lua: (hooks, name, values...) */
static int call_hook(lua_State *L)
{
    lua_pushvalue(L, 2);
    lua_gettable(L, 1); /* loaded by then, if it was not */
    lua_replace(L, 2);
    lua_call(L, lua_gettop(L) - 2, 0);
    return 0;
}

void actor_hook(lua_State *L, const char *name, int count)
{
    int top = lua_gettop(L) - count;
    if (!lua_checkstack(L, 4)) {
        lua_settop(L, top);
        return;
    }
    const struct actors *house = actor_house(L);
    struct vm *vm = house->shared ? vm_of(L) : NULL;
    uint64_t before = vm ? vm_target(vm) : 0; /* a hook may run within another's shield */
    actor_shield(L, house);
    lua_pushcfunction(L, call_hook);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &actor_hooks_key);
    lua_pushstring(L, name);
    lua_rotate(L, top + 1, 3);
    if (lua_pcall(L, 2 + count, 0, 0) != LUA_OK) {
        const char *why = lua_tostring(L, -1);
        lua_pushfstring(L, "news of an actor could not be told: %s", why ? why : "unknown error");
        lua_log_say(L, RECORD_ERROR);
    }
    if (vm)
        vm_set_target(vm, before);
    lua_settop(L, top);
}

struct actor *actor_push_new(lua_State *L, uint64_t id)
{
    struct actor *a = lua_newuserdatauv(L, sizeof *a, ACTOR_VALUES);
    memset(a, 0, sizeof *a);
    a->id = id;
    a->mark = &actor_mark;
    a->state = ACTOR_DEAD;
    a->head = 2;
    a->tail = 1;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
    lua_setmetatable(L, -2);
    return a;
}

uint64_t actor_new_id(struct actors *house)
{
    uint64_t id;
    do {
        if (++house->last_number < first_number)
            house->last_number = first_number;
        id = house->base | house->last_number;
    } while (id_map_find(&house->live, id));
    return id;
}

/* (reference, handlers, terminates, concurrent) another behaviour, from the next message on */
static int actor_become(lua_State *L)
{
    struct actor *a = actor_check(L, 1);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 1, ACTOR_HANDLERS);
    a->terminates = lua_toboolean(L, 3);
    a->concurrent = lua_toboolean(L, 4);
    a->changed = true;
    return 0;
}

void actor_kill_handlers(struct actors *house, const struct actor *a)
{
    for (struct drainer *d = house->drainers; d;) {
        struct drainer *next = d->next;
        if (d->actor == a) {
            d->actor = NULL;
            vm_task_kill(d->task);
            next = house->drainers; /* what it closed may have ended others */
        }
        d = next;
    }
}

void actor_end(lua_State *L, struct actors *house, struct actor *a)
{
    int error = lua_gettop(L), reason = error - 1;
    if (a->state == ACTOR_DEAD || !lua_checkstack(L, 8)) {
        lua_settop(L, reason - 1);
        return;
    }
    a->state = ACTOR_DEAD;
    actor_forget_peers(a);
    id_map_remove(&house->live, a->id);
    lua_registry_ended(L, a->id);
    actor_leave_place(L, house, a);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &actor_anchors_key);
    actor_push(L, a, -1);
    int ref = lua_gettop(L);
    if (!a->queued)
        luaL_unref(L, ref - 1, a->slot);
    lua_pushvalue(L, reason);
    lua_setiuservalue(L, ref, ACTOR_REASON);
    lua_pushvalue(L, error);
    actor_fail_calls(L, house, a);
    lua_pop(L, 1);
    a->holder = NULL;
    actor_kill_handlers(house, a);
    lua_pushvalue(L, ref);
    lua_pushvalue(L, reason);
    lua_getiuservalue(L, ref, ACTOR_QUEUE);
    lua_pushinteger(L, a->head);
    lua_pushinteger(L, a->tail);
    for (int i = ACTOR_QUEUE; i <= ACTOR_HANDLERS; i++) {
        lua_pushnil(L);
        lua_setiuservalue(L, ref, i);
    }
    bool unread = a->tail >= a->head;
    a->tail = a->head - 1;
    if (a->limit > 0)
        lua_loop_wake(L, a);
    if (a->noted || unread)
        actor_hook(L, "ended", 5);
    lua_settop(L, reason - 1);
}

void actor_finish(lua_State *L, struct actor *a, int ref)
{
    if (a->holder)
        a->holder->actor = NULL;
    lua_getiuservalue(L, ref, ACTOR_REASON);
    lua_pushvalue(L, -1);
    actor_end(L, actors_of(L), a);
}

/* (reference, reason) it is dead */
static int finish(lua_State *L)
{
    struct actor *a = actor_check(L, 1);
    lua_settop(L, 2);
    lua_setiuservalue(L, 1, ACTOR_REASON);
    actor_finish(L, a, 1);
    return 0;
}

/* (reference) -> true while it lives */
static int actor_alive(lua_State *L)
{
    const struct actor *a = actor_check(L, 1);
    lua_pushboolean(L, a->state != ACTOR_DEAD && !a->stopping);
    return 1;
}

/* (reference) -> true while its init has not returned and it lives */
static int actor_starting(lua_State *L)
{
    const struct actor *a = actor_check(L, 1);
    lua_pushboolean(L, a->starting && a->state != ACTOR_DEAD);
    return 1;
}

/* (reference) -> why it ended, or will; nil while it lives */
static int actor_reason(lua_State *L)
{
    actor_check(L, 1);
    lua_getiuservalue(L, 1, ACTOR_REASON);
    return 1;
}

/* (reference) -> its address; its mailbox_limit, nil: none */
static int actor_address(lua_State *L)
{
    const struct actor *a = actor_check(L, 1);
    lua_pushinteger(L, (lua_Integer)a->id);
    if (a->limit > 0)
        lua_pushinteger(L, a->limit);
    else
        lua_pushnil(L);
    return 2;
}

/* (address, mailbox_limit or nil) -> the actor of that address; a dead one where it is known to live no more */
static int actor_find(lua_State *L)
{
    struct actors *house = actors_of(L);
    uint64_t id = (uint64_t)luaL_checkinteger(L, 1);
    lua_Integer limit = luaL_optinteger(L, 2, 0);
    const struct actor *a = id_map_find(&house->live, id);
    if (a) {
        actor_push(L, a, lua_upvalueindex(ACTOR_ANCHORS));
    } else if (actor_is_at_home(house, id)) {
        actor_push_new(L, id);
    } else {
        struct actor *remote = actor_push_remote(L, id);
        if (limit > 0 && limit <= INT_MAX)
            remote->limit = (int)limit;
    }
    return 1;
}

/* (value) -> true when it is a reference */
static int actor_is(lua_State *L)
{
    lua_pushboolean(L, actor_at(L, 1) != NULL);
    return 1;
}

/* () -> a list of the actors that live, in no particular order */
static int actor_all(lua_State *L)
{
    lua_Integer count = 0;
    lua_settop(L, 0);
    lua_newtable(L);
    lua_pushnil(L);
    while (lua_next(L, lua_upvalueindex(ACTOR_ANCHORS))) {
        const struct actor *a = actor_at(L, -1);
        if (a && a->state != ACTOR_DEAD && !a->remote)
            lua_rawseti(L, 1, ++count);
        else
            lua_pop(L, 1);
    }
    return 1;
}

/* () -> the actor whose handler runs, nil outside any */
static int actor_self(lua_State *L)
{
    const struct drainer *d = actor_current(actors_of(L));
    if (d)
        actor_push(L, d->actor, lua_upvalueindex(ACTOR_ANCHORS));
    else
        lua_pushnil(L);
    return 1;
}

/* (reference) -> self, handlers, state, seconds alive, seconds with the handler, queue, head, tail, place at hand */
static int actor_look_into(lua_State *L)
{
    static const char *const names[] = {"idle", "ready", "busy", "waiting", "dead", "elsewhere"};
    const struct actor *a = actor_check(L, 1);
    double now = clock_now();
    lua_getiuservalue(L, 1, ACTOR_SELF);
    lua_getiuservalue(L, 1, ACTOR_HANDLERS);
    lua_pushstring(L, names[a->state]);
    lua_pushnumber(L, now - a->born);
    lua_pushnumber(L, a->holder && a->since < now ? now - a->since : 0);
    lua_getiuservalue(L, 1, ACTOR_QUEUE);
    lua_pushinteger(L, a->head);
    lua_pushinteger(L, a->tail);
    lua_pushinteger(L, a->holder ? a->at : 0);
    return 9;
}

static int equal(lua_State *L)
{
    const struct actor *a = actor_at(L, 1), *b = actor_at(L, 2);
    lua_pushboolean(L, a && b && a->id == b->id);
    return 1;
}

/* () this vm is here for its actors: what breaks into the job that runs now breaks into their handlers */
static int host(lua_State *L)
{
    struct vm *vm = vm_of(L);
    actors_of(L)->target = vm ? vm_target(vm) : 0;
    return 0;
}

/* () -> true when this vm is the program's own, made by nobody of ours */
static int is_programs(lua_State *L)
{
    lua_pushboolean(L, actors_of(L)->programs);
    return 1;
}

/* () -> true when no other vm of that kind has actors */
static int is_alone(lua_State *L)
{
    lua_pushboolean(L, atomic_load(&programs) == 1);
    return 1;
}

/* (moment or nil) the hook `tick` is called then */
static int set_deadline(lua_State *L)
{
    actors_of(L)->work.deadline = luaL_optnumber(L, 1, -1);
    return 0;
}

/* (hooks) */
static int set_up(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &actor_hooks_key);
    return 0;
}

static void forget_peers(void *object, void *context)
{
    (void)context;
    actor_forget_peers(object);
}

/* The vm closes: its tasks are gone already, or end now. */
static int close_house(lua_State *L)
{
    struct actors *house = lua_touserdata(L, 1);
    lua_actor_leave(L);
    atomic_fetch_sub(&programs, house->programs);
    house->programs = false;
    struct vm_tasks *tasks = vm_tasks_of(L);
    if (tasks)
        vm_tasks_set_work(tasks, NULL);
    while (house->drainers) {
        struct drainer *d = house->drainers;
        d->actor = NULL;
        if (tasks)
            vm_task_kill(d->task);
        if (house->drainers == d)
            break; /* it is running: this very code */
    }
    id_map_each(&house->live, forget_peers, NULL);
    id_map_release(&house->live);
    id_map_release(&house->calls);
    slab_release(&house->call_slab);
    return 0;
}

static struct actors *push_house(lua_State *L)
{
    struct loop *loop = lua_loop(L);
    struct actors *house = lua_newuserdatauv(L, sizeof *house, 0);
    memset(house, 0, sizeof *house);
    house->work = (struct vm_work){.deadline = -1, .run = actor_work};
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    house->L = lua_tothread(L, -1);
    lua_pop(L, 1);
    house->tasks = loop_tasks(loop);
    house->programs = !vm_of(L);
    atomic_fetch_add(&programs, house->programs);
    house->base = ear_address(loop_ear(loop));
    house->last_number = first_number | atomic_fetch_add(&houses, 1) * stride;
    id_map_init(&house->live);
    id_map_init(&house->calls);
    slab_init(&house->call_slab, sizeof(struct call));
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, close_house);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &house_key);
    vm_tasks_set_work(house->tasks, &house->work);
    return house;
}

static const luaL_Reg functions[] = {
    {"become", actor_become}, {"finish", finish},
    {"alive", actor_alive}, {"reason", actor_reason}, {"address", actor_address}, {"find", actor_find}, {"is", actor_is},
    {"all", actor_all}, {"current", actor_self}, {"look_into", actor_look_into}, {"host", host}, {"set_deadline", set_deadline}, {"set_up", set_up},
    {"is_programs", is_programs}, {"is_alone", is_alone},
    {"equal", equal}, {"starting", actor_starting}, {NULL, NULL}};

int lua_actor_open(lua_State *L)
{
    struct actors *house = push_house(L);
    lua_newtable(L); /* the anchors */
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &actor_anchors_key);
    lua_newtable(L); /* core */
    lua_newtable(L); /* the metatable of references, filled by actor.lua */
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
    lua_setfield(L, -2, "metatable");
    lua_pushvalue(L, -2);
    lua_pushlightuserdata(L, house);
    luaL_setfuncs(L, functions, 2);
    void (*const parts[])(lua_State *) = {actor_open_spawn, actor_open_send, actor_open_run, actor_open_drain, actor_open_call, actor_open_remote, actor_open_post,
                                          actor_open_letter, actor_open_place};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        lua_pushvalue(L, -2);
        lua_pushlightuserdata(L, house);
        parts[i](L);
    }
    return 1;
}
