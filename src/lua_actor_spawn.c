/* lua_actor_spawn.c - actors are made.
 *
 * lua/troupe/actor.lua's spawn knows every option. Most actors of a vm are made in large numbers from a behaviour that was used
 * before, with no option but where they live: for these `make` is the short way, from what `plan` has kept of the behaviour.
 *
 *     new: busy, starting --init returns, or there is none: started--> idle
 */
#include "lua_actor.h"

#include <string.h>

#include <lauxlib.h>

#include "clock.h"

enum plan_value { PLAN_META = 1, PLAN_HANDLERS, PLAN_INIT, PLAN_VALUES = PLAN_INIT };

struct plan {
    bool terminates, concurrent, has_init;
};

/* Third upvalue of the functions here: behaviour -> plan, while somebody has the behaviour. */
enum { PLANS = 3 };

/* The table of self and its handlers are at these indices: pushes the reference. Nothing is handled before it is started. */
static struct actor *push_actor(lua_State *L, struct actors *house, int self, int handlers)
{
    if (house->closed)
        luaL_error(L, "spawn: this Lua state is closing");
    struct actor *a = actor_push_new(L, actor_new_id(house));
    lua_pushvalue(L, self);
    lua_setiuservalue(L, -2, ACTOR_SELF);
    lua_pushvalue(L, handlers);
    lua_setiuservalue(L, -2, ACTOR_HANDLERS);
    a->born = clock_now();
    lua_pushvalue(L, -1);
    a->slot = luaL_ref(L, lua_upvalueindex(ACTOR_ANCHORS));
    if (id_map_insert(&house->live, a)) {
        luaL_unref(L, lua_upvalueindex(ACTOR_ANCHORS), a->slot);
        luaL_error(L, "not enough memory");
    }
    a->state = ACTOR_BUSY;
    a->starting = true;
    return a;
}

/* (self, handlers, terminates, concurrent, limit) -> reference; starting: nothing is handled before `started` */
static int new_actor(lua_State *L)
{
    struct actor *a = push_actor(L, actors_of(L), 1, 2);
    a->terminates = lua_toboolean(L, 3);
    a->concurrent = lua_toboolean(L, 4);
    a->limit = (int)lua_tointeger(L, 5);
    return 1;
}

static void start(struct actors *house, struct actor *a)
{
    a->starting = false;
    if (a->state == ACTOR_DEAD || a->holder)
        return;
    a->state = ACTOR_IDLE;
    if (a->tail >= a->head || a->stopping)
        actor_make_ready(house, a);
}

/* (reference) its init has returned, or there is none: it handles messages from now on */
static int started(lua_State *L)
{
    start(actors_of(L), actor_check(L, 1));
    return 0;
}

/* ---- the short way */

/* (behaviour, meta of self, handlers, terminates, concurrent, init or nil) what `make` needs */
static int plan(lua_State *L)
{
    lua_settop(L, 6);
    lua_pushvalue(L, 1);
    struct plan *p = lua_newuserdatauv(L, sizeof *p, PLAN_VALUES);
    *p = (struct plan){.terminates = lua_toboolean(L, 4), .concurrent = lua_toboolean(L, 5), .has_init = lua_toboolean(L, 6)};
    static const int values[] = {[PLAN_META] = 2, [PLAN_HANDLERS] = 3, [PLAN_INIT] = 6};
    for (int i = PLAN_META; i <= PLAN_VALUES; i++) {
        lua_pushvalue(L, values[i]);
        lua_setiuservalue(L, -2, i);
    }
    lua_rawset(L, lua_upvalueindex(PLANS));
    return 0;
}

static bool is_text(lua_State *L, int index, const char *text)
{
    return lua_type(L, index) == LUA_TSTRING && strcmp(lua_tostring(L, index), text) == 0;
}

/* The table at 1 is { behaviour, isolation = "local" }, and nothing else. */
static bool is_short(lua_State *L)
{
    bool local = false;
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        if (is_text(L, -2, "isolation") && is_text(L, -1, "local"))
            local = true;
        else if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) != 1)
            return false;
        lua_pop(L, 1);
    }
    return local;
}

/* (what spawn gets, ...) -> reference; its init, and self, where there is one: then it is not broken into before that begins;
 * nothing: it takes the long way */
static int make(lua_State *L)
{
    struct actors *house = actors_of(L);
    int known = lua_gettop(L) + 1, self = known + 1, handlers = known + 2;
    if (lua_type(L, 1) != LUA_TTABLE || !actor_may_pass(L, 2))
        return 0;
    lua_rawgeti(L, 1, 1);
    if (lua_rawget(L, lua_upvalueindex(PLANS)) != LUA_TUSERDATA || !is_short(L))
        return 0;
    const struct plan *p = lua_touserdata(L, known);
    lua_createtable(L, 0, 2);
    lua_getiuservalue(L, known, PLAN_META);
    lua_setmetatable(L, self);
    lua_getiuservalue(L, known, PLAN_HANDLERS);
    struct actor *a = push_actor(L, house, self, handlers);
    a->terminates = p->terminates;
    a->concurrent = p->concurrent;
    lua_pushvalue(L, -1);
    lua_setfield(L, self, "ref");
    if (!p->has_init) {
        start(house, a);
        return 1;
    }
    actor_shield(L, house);
    lua_getiuservalue(L, known, PLAN_INIT);
    lua_pushvalue(L, self);
    return 3;
}

void actor_open_spawn(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"new", new_actor}, {"started", started}, {"plan", plan}, {"make", make}, {NULL, NULL}};
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    luaL_setfuncs(L, functions, 3);
}
