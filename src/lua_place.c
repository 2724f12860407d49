/* lua_place.c - see lua_place.h.
 *
 *     none --enter, the gate lets in--> taken --its job is posted--> none
 *     none --await_place--> asked --its job is posted--> none
 *     taken, asked --closed, collected: it is given back--> none
 *
 * Whoever submits may be broken into between any two steps, also in the one that closes: so each change is one C function, and
 * the closer is spared (vm_interrupt_spare).
 */
#include "lua_place.h"

#include <lauxlib.h>

#include "ear.h"
#include "gate.h"
#include "lua_loop.h"
#include "lua_pool_inner.h"
#include "vm.h"

static const char class_name[] = "troupe.place";

struct lua_place {
    struct ear *ear;
    uint32_t pool;
    enum { NONE, TAKEN, ASKED } state;
    uint64_t id; /* when asked: of the question */
};

/* Without memory for the letter it stays what it is: the vm's end gives back what was asked. */
static int close_place(lua_State *L)
{
    struct lua_place *self = lua_touserdata(L, 1);
    struct message *m = self->state != NONE ? message_new(MAIL_PLACE) : NULL;
    if (!m)
        return 0;
    struct header *h = message_header(m);
    h->pool = self->pool;
    h->id = lua_place_id(self);
    h->u.number = PLACE_BACK;
    self->state = NONE;
    ear_post(self->ear, NULL, &m);
    return 0;
}

int lua_place_new(lua_State *L)
{
    struct lua_pool *pool = lua_pool_check_open(L);
    struct lua_place *self = lua_newuserdatauv(L, sizeof *self, 0);
    *self = (struct lua_place){.ear = pool->ear, .pool = pool->id};
    if (luaL_newmetatable(L, class_name)) {
        vm_interrupt_spare(close_place);
        lua_pushcfunction(L, close_place);
        lua_setfield(L, -2, "__close");
        lua_pushcfunction(L, close_place);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return 1;
}

int lua_place_enter(lua_State *L)
{
    struct lua_pool *pool = lua_pool_check_open(L);
    struct lua_place *self = luaL_checkudata(L, 2, class_name);
    if (!pool->gate) {
        lua_pushnil(L);
        return 1;
    }
    if (gate_enter(pool->gate))
        self->state = TAKEN;
    lua_pushboolean(L, self->state == TAKEN);
    return 1;
}

int lua_place_await(lua_State *L)
{
    struct lua_pool *pool = lua_pool_check_open(L);
    struct lua_place *self = luaL_checkudata(L, 2, class_name);
    double deadline = lua_loop_deadline(L, 3);
    self->id = ear_new_id(pool->ear);
    self->state = ASKED;
    struct header question = {.kind = MAIL_PLACE, .pool = pool->id, .id = self->id};
    question.u.number = lua_toboolean(L, 4) ? PLACE_NOW : PLACE_WAIT;
    return lua_loop_ask(L, &question, deadline);
}

struct lua_place *lua_place_of(lua_State *L, int index, const char *field)
{
    lua_getfield(L, index, field);
    struct lua_place *self = luaL_testudata(L, -1, class_name);
    lua_pop(L, 1);
    return self;
}

uint64_t lua_place_id(const struct lua_place *self)
{
    return self->state == ASKED ? self->id : 0;
}

void lua_place_leave(struct lua_place *self)
{
    self->state = NONE;
}
