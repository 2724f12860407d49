/* lua_actor_post.c - letters to actors of other vms, and to those vms: messages, answers, what shall be done with an actor.
 *
 * They go straight to the box that the address names; no one else reads them. From one vm to one other they keep their order.
 */
#include "lua_actor.h"

#include <string.h>

#include <lauxlib.h>

#include "address.h"
#include "ear.h"
#include "lua_loop.h"
#include "mailbox.h"
#include "mailbox_route.h"
#include "troupe.h"
#include "value.h"

struct message *actor_write(lua_State *L, const struct letter *what, int first, const char *word, int unnumbered)
{
    struct message *m = message_new(what->kind);
    struct value_mode mode = {.unnumbered = unnumbered, .remote = address_node(what->to) != mailbox_house()};
    if (!m || value_encode(L, first, lua_gettop(L), word, &mode, &m->bytes)) {
        if (!m)
            lua_pushliteral(L, "not enough memory");
        message_destroy(&m);
        return NULL;
    }
    struct header *h = message_header(m);
    h->flags = what->flags;
    h->to = what->to;
    h->from = what->from;
    h->id = what->id;
    h->u.number = what->number;
    return m;
}

int actor_post(lua_State *L, struct message *letter)
{
    struct loop *loop = lua_loop_seat(L)->loop;
    int rc = !letter ? TROUPE_ENOMEM : loop ? mailbox_post(ear_mailbox(loop_ear(loop)), &letter) : TROUPE_EDEAD;
    message_destroy(&letter);
    return rc;
}

int actor_post_message(lua_State *L, struct actors *house, const struct actor *a, uint64_t call, uint16_t flags)
{
    const struct drainer *d = actor_current(house);
    struct letter what = {.kind = MAIL_TELL, .to = a->id, .from = house->base, .id = call, .flags = flags};
    if (d) {
        what.from = d->actor->id;
        what.number = d->actor->limit;
    }
    struct message *m = actor_write(L, &what, 2, "argument", 1);
    return m ? actor_post(L, m) : TROUPE_EREFUSED;
}

/* An error value that cannot be encoded, as text. */
static int as_text(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    return 1;
}

/* The error on top becomes one that can be encoded. */
static void make_plain(lua_State *L)
{
    lua_pushcfunction(L, as_text);
    lua_insert(L, -2);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
        lua_pop(L, 1);
        lua_pushnil(L);
    }
}

bool actor_post_reply(lua_State *L, const struct call *c, int count, bool late)
{
    int first = lua_gettop(L) - count + 1;
    bool ok = lua_toboolean(L, first);
    struct letter what = {.kind = MAIL_REPLY, .to = c->asker, .id = c->number, .flags = ok ? 0 : FLAG_ERROR};
    struct message *m = actor_write(L, &what, first + 1, "result", 0);
    if (!m && !late)
        lua_error(L);
    if (!m) { /* why is on top */
        if (!ok) {
            lua_settop(L, first + 1);
            make_plain(L);
        }
        what.flags = FLAG_ERROR;
        m = actor_write(L, &what, lua_gettop(L), "result", 0);
    }
    bool lives = actor_post(L, m) == 0;
    lua_settop(L, first - 1);
    return lives;
}

/* (reference, operation, ...) an order for the vm of an actor of another vm; from whose handler runs -> true; nil, "dead" */
static int control(lua_State *L)
{
    struct actors *house = actors_of(L);
    struct actor *a = actor_check(L, 1);
    const struct drainer *d = actor_current(house);
    if (a->state == ACTOR_DEAD)
        goto dead;
    struct message *m = actor_write(L, &(struct letter){.kind = MAIL_CONTROL, .to = a->id, .from = d ? d->actor->id : house->base},
                                    2, "argument", 1);
    if (!m)
        return lua_error(L);
    int rc = actor_post(L, m);
    if (rc == TROUPE_EDEAD) {
        actor_remote_lost(L, house, a, 1);
        goto dead;
    }
    if (rc)
        luaL_error(L, "%s", troupe_strerror(rc));
    lua_pushboolean(L, 1);
    return 1;
dead:
    lua_pushnil(L);
    lua_pushliteral(L, "dead");
    return 2;
}

/* (reference) the node ends the vm that it is in, if that is the actor's own */
static int doom(lua_State *L)
{
    const struct actor *a = actor_check(L, 1);
    struct message *m = message_new(MAIL_DOOM);
    if (m)
        message_header(m)->id = a->id;
    struct ear *ear = loop_ear(lua_loop_with_node(L));
    if (m)
        ear_post(ear, NULL, &m);
    return 0;
}

/* (reference, operation, ...) the same, and its vm answers -> number of the call, for hook `answered`; nil, "dead" */
static int inquire(lua_State *L)
{
    struct actors *house = actors_of(L);
    struct actor *a = actor_check(L, 1);
    if (a->state == ACTOR_DEAD)
        goto dead;
    struct call *c = actor_call_new(L, house, a, 0);
    struct message *m = actor_write(L, &(struct letter){.kind = MAIL_CONTROL, .to = a->id, .from = house->base, .id = c->id}, 2,
                                    "argument", 1);
    int rc = m ? actor_post(L, m) : TROUPE_EREFUSED;
    if (rc == 0) {
        lua_pushinteger(L, (lua_Integer)c->id);
        return 1;
    }
    actor_call_drop(L, house, c);
    if (rc == TROUPE_EREFUSED)
        return lua_error(L);
    if (rc != TROUPE_EDEAD)
        luaL_error(L, "%s", troupe_strerror(rc));
    actor_remote_lost(L, house, a, 1);
dead:
    lua_pushnil(L);
    lua_pushliteral(L, "dead");
    return 2;
}

/* (address of a vm, reference, reason) that vm is told of the end of an actor of this one */
static int obituary(lua_State *L)
{
    struct letter what = {.kind = MAIL_OBITUARY, .to = (uint64_t)luaL_checkinteger(L, 1), .from = actor_check(L, 2)->id};
    lua_settop(L, 3);
    struct message *m = actor_write(L, &what, 3, "reason", 0);
    if (!m) {
        lua_settop(L, 3);
        make_plain(L);
        m = actor_write(L, &what, 3, "reason", 0);
    }
    actor_post(L, m);
    return 0;
}

/* (reference, address of a vm) that vm has spawned it, and is to be told of its end */
static int set_maker(lua_State *L)
{
    struct actor *a = actor_check(L, 1);
    a->maker = (uint32_t)((uint64_t)luaL_checkinteger(L, 2) >> 32);
    a->noted = true;
    return 0;
}

/* (reference, reason) the vm that has spawned it, if that is another, is told of its end */
static int tell_maker(lua_State *L)
{
    const struct actor *a = actor_check(L, 1);
    if (!a->maker)
        return 0;
    lua_settop(L, 2);
    lua_pushinteger(L, (lua_Integer)((uint64_t)a->maker << 32));
    lua_insert(L, 1);
    return obituary(L);
}

/* () -> number of a call that nobody was asked yet, for hook `answered`; the address of this vm */
static int await_reply(lua_State *L)
{
    struct actors *house = actors_of(L);
    lua_loop_with_node(L);
    lua_pushinteger(L, (lua_Integer)actor_call_new(L, house, NULL, 0)->id);
    lua_pushinteger(L, (lua_Integer)house->base);
    return 2;
}

/* (number, address of a vm, ok, results or error...) answers a call that was made there -> true when that vm lives */
static int send_reply(lua_State *L)
{
    struct call c = {.number = (uint64_t)luaL_checkinteger(L, 1), .asker = (uint64_t)luaL_checkinteger(L, 2)};
    lua_pushboolean(L, actor_post_reply(L, &c, lua_gettop(L) - 2, false));
    return 1;
}

/* () -> the address of this vm */
static int own_address(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)actors_of(L)->base);
    return 1;
}

/* (reference) -> the address of its vm */
static int vm_address(lua_State *L)
{
    uint64_t id = actor_check(L, 1)->id;
    lua_pushinteger(L, (lua_Integer)address_make(address_node(id), address_box(id), 0));
    return 1;
}

void actor_open_post(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"control", control}, {"inquire", inquire}, {"obituary", obituary}, {"await_reply", await_reply},
        {"set_maker", set_maker}, {"tell_maker", tell_maker},
        {"send_reply", send_reply}, {"doom", doom}, {"own_address", own_address}, {"vm_address", vm_address}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 2);
}
