/* lua_actor_remote.c - actors of other vms, as references to them see it; and what other vms hear when this one ends.
 *
 * What is known of one is its address, and that it was not heard to be dead. There is one reference for it in a vm, as long as
 * anybody has it. That it is dead is told by its vm (MAIL_OBITUARY), to vms that asked for it (note) or sent it something;
 * by a letter that comes back (MAIL_BOUNCE); and by a post that finds its vm gone.
 *
 * Invariants:
 *  1. `remotes` has every reference to an actor of another vm that somebody still has, by address;
 *  2. actor_remote_end happens once; what it tells Lua (hook `ended`) is told when all of it is true.
 */
#include "lua_actor.h"

#include <lauxlib.h>

#include "address.h"
#include "lua_loop.h"
#include "lua_registry.h"
#include "mailbox_route.h"
#include "troupe.h"

/* Registry: address -> reference, weak. */
static const char remotes_key;

bool actor_is_at_home(const struct actors *house, uint64_t address)
{
    return address_make(address_node(address), address_box(address), 0) == house->base;
}

struct actor *actor_push_known(lua_State *L, uint64_t address)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &remotes_key);
    lua_rawgeti(L, -1, (lua_Integer)address);
    lua_remove(L, -2);
    return actor_at(L, -1);
}

struct actor *actor_push_remote(lua_State *L, uint64_t address)
{
    struct actor *a = actor_push_known(L, address);
    if (a)
        return a;
    lua_pop(L, 1);
    lua_loop_with_node(L); /* which knows what becomes of vms */
    a = actor_push_new(L, address);
    a->remote = true;
    a->state = ACTOR_REMOTE;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &remotes_key);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, (lua_Integer)address);
    lua_pop(L, 1);
    return a;
}

void actor_remote_end(lua_State *L, struct actors *house, struct actor *a, int ref)
{
    int reason = lua_gettop(L);
    if (a->state == ACTOR_DEAD || !lua_checkstack(L, 10)) {
        lua_settop(L, reason - 1);
        return;
    }
    ref = lua_absindex(L, ref);
    a->state = ACTOR_DEAD;
    lua_pushvalue(L, reason);
    lua_setiuservalue(L, ref, ACTOR_REASON);
    actor_fail_calls(L, house, a);
    if (a->limit > 0)
        lua_loop_wake(L, a);
    if (a->noted) {
        lua_pushvalue(L, ref);
        lua_pushvalue(L, reason);
        actor_hook(L, "ended", 2);
    }
    lua_settop(L, reason - 1);
}

void actor_remote_lost(lua_State *L, struct actors *house, struct actor *a, int ref)
{
    lua_pushstring(L, mailbox_is_killed(a->id) ? "killed" : "lost");
    actor_remote_end(L, house, a, ref);
}

void actor_push_remotes(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &remotes_key);
}

static void add_called(void *object, void *context)
{
    const struct actor *a = object;
    lua_State *L = context;
    if (!a->calls && !actor_house(L)->target)
        return;
    actor_push(L, a, 2);
    lua_rawseti(L, 1, (lua_Integer)lua_rawlen(L, 1) + 1);
}

/* The reason is on top, and stays. */
static void end_lost(lua_State *L, struct actors *house, struct actor *a)
{
    lua_pushvalue(L, -1);
    lua_pushvalue(L, -1);
    actor_end(L, house, a);
}

/* Lua: () who waits for this vm's actors elsewhere is told that they are lost */
static int tell_all(lua_State *L)
{
    struct actors *house = actor_house(L);
    lua_settop(L, 0);
    lua_newtable(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &actor_anchors_key);
    id_map_each(&house->live, add_called, L);
    lua_pushliteral(L, "lost");
    for (lua_Integer i = (lua_Integer)lua_rawlen(L, 1); i > 0; i--) {
        lua_rawgeti(L, 1, i);
        lua_insert(L, -2);
        actor_fail_calls(L, house, actor_at(L, -2));
        if (house->target) /* its own vm's: what it has not read has a fate, too */
            end_lost(L, house, actor_at(L, -2));
        lua_remove(L, -2);
    }
    while (house->own_calls) {
        lua_pushboolean(L, 0);
        lua_pushvalue(L, -2);
        actor_answer(L, house, house->own_calls, 2);
    }
    actor_hook(L, "leave", 1);
    return 0;
}

void lua_actor_leave(lua_State *L)
{
    struct actors *house = actor_house(L);
    if (!house || house->closed || !lua_checkstack(L, 4))
        return;
    house->closed = true;
    lua_registry_left(L, house->base);
    bool complete = lua_rawgetp(L, LUA_REGISTRYINDEX, &actor_hooks_key) == LUA_TTABLE;
    lua_pop(L, 1);
    if (!complete)
        return; /* actor.lua could not be loaded whole: there were no actors */
    lua_pushcfunction(L, tell_all);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK)
        lua_pop(L, 1); /* for want of memory: calls to them end by their timeouts */
}

/* (reference) -> true when it is of another vm */
static int is_remote(lua_State *L)
{
    lua_pushboolean(L, actor_check(L, 1)->remote);
    return 1;
}

/* (reference) -> true while it is not known to be dead: hook `ended` is told of its end. One of another vm: that vm is to tell */
static int note(lua_State *L)
{
    struct actor *a = actor_check(L, 1);
    bool first = !a->noted;
    a->noted = true;
    if (a->remote && first && a->state != ACTOR_DEAD) {
        lua_settop(L, 1);
        lua_pushliteral(L, "watch");
        if (actor_post(L, actor_write(L, &(struct letter){.kind = MAIL_CONTROL, .to = a->id, .from = actors_of(L)->base}, 2,
                                      "argument", 1)) == TROUPE_EDEAD)
            actor_remote_lost(L, actors_of(L), a, 1);
    }
    lua_pushboolean(L, a->state != ACTOR_DEAD);
    return 1;
}

/* (reference) the hook `ended` is told of its end, as its vm knows already */
static int expect(lua_State *L)
{
    actor_check(L, 1)->noted = true;
    return 0;
}

void actor_open_remote(lua_State *L)
{
    static const luaL_Reg functions[] = {{"is_remote", is_remote}, {"note", note}, {"expect", expect}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 2);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &remotes_key);
}
