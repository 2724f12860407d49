/* lua_actor_send.c - the mail of actors in one vm: messages into queues, and out of them for receive.
 *
 * A queue is a table of places. From place 2 on stands what is sent, one behind the other:
 *
 *     name                                   a message without arguments
 *     count, name, arguments...              count of at least 1
 *     -1 - count, name, call, arguments...   somebody waits for the answer to that call
 *     0, function, value, value              the drainer calls function(self, value, value, reference)
 *     reference or false                     who sent what stands behind it, up to the next such; false: no actor
 *
 * So a sender is there once for all that it sends in a row. Place 1, in the queue of an actor that receives, says who sent what
 * stands at the front, nil: nobody knows yet. What has been handled is left where it is, arguments apart, until the queue is
 * empty: then it fills from the front again. A queue that always has something in it is moved to its front now and then.
 *
 * Values that are no references are copied when they could be changed: an actor shares nothing with another.
 */
#include "lua_actor.h"

#include <lauxlib.h>

#include "lua_loop.h"
#include "troupe.h"
#include "value.h"

/* From so many handled places on they are cleared away. */
enum { CLEARED = 4096 };

/* So many arguments leave room enough on the stack of every C function. */
enum { ROOMY = 8 };

void actor_make_ready(struct actors *house, struct actor *a)
{
    a->state = ACTOR_READY;
    if (a->queued)
        return;
    a->next = NULL;
    a->queued = true;
    if (house->ready)
        house->last_ready->next = a;
    else
        house->ready = a;
    house->last_ready = a;
    house->work.ready = true;
}

/* Lua: (buffer as pointer) -> the values in it */
static int decode(lua_State *L)
{
    static const struct value_mode mode;
    const struct buffer *buffer = lua_touserdata(L, 1);
    int count;
    lua_settop(L, 0);
    if (value_decode(L, buffer->data, buffer->size, &mode, &count))
        lua_error(L);
    return count;
}

static void copy_all(lua_State *L, int first)
{
    static const struct value_mode mode;
    unsigned char small[512];
    struct buffer buffer;
    luaL_checkstack(L, 4, NULL);
    buffer_init_lent(&buffer, small, sizeof small);
    int rc = value_encode(L, first, lua_gettop(L), "argument", &mode, &buffer);
    if (rc == 0) {
        lua_settop(L, first - 1);
        lua_pushcfunction(L, decode);
        lua_pushlightuserdata(L, &buffer);
        rc = lua_pcall(L, 1, LUA_MULTRET, 0);
    }
    buffer_release(&buffer);
    if (rc)
        lua_error(L);
}

static bool may_be_shared(lua_State *L, int index)
{
    int type = lua_type(L, index);
    return type < LUA_TTABLE || (type == LUA_TUSERDATA && actor_at(L, index));
}

bool actor_may_pass(lua_State *L, int first)
{
    for (int i = lua_gettop(L); i >= first; i--)
        if (!may_be_shared(L, i))
            return false;
    return true;
}

void actor_copy(lua_State *L, int first)
{
    if (!actor_may_pass(L, first))
        copy_all(L, first);
}

/* Moves what is left of the queue to its front. */
static void clear_front(lua_State *L, struct actor *a, int queue)
{
    int to = 2;
    for (int from = a->head; from <= a->tail; from++) {
        lua_rawgeti(L, queue, from);
        lua_rawseti(L, queue, to++);
    }
    for (int i = to; i <= a->tail; i++) {
        lua_pushnil(L);
        lua_rawseti(L, queue, i);
    }
    a->head = 2;
    a->tail = to - 1;
    a->at = 0;
}

/* The table on top is the queue of the actor at 1, unless it has got one while that was made: a finaliser may send. Leaves the
 * queue on top. */
static void set_queue(lua_State *L, struct actor *a)
{
    if (lua_getiuservalue(L, 1, ACTOR_QUEUE) == LUA_TTABLE) {
        lua_remove(L, -2);
        return;
    }
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, ACTOR_QUEUE);
    a->head = 2;
    a->tail = 1;
    a->last_sender = NO_SENDER;
}

/* Pushes the queue of the actor at 1, to the index `queue`. */
static void push_queue(lua_State *L, struct actor *a, int queue)
{
    if (lua_getiuservalue(L, 1, ACTOR_QUEUE) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_createtable(L, 4, 0);
        set_queue(L, a);
    }
    if (a->head > CLEARED && a->head > a->tail / 2)
        clear_front(L, a, queue);
}

/* There is a message: whoever should look is told. */
static void announce(lua_State *L, struct actors *house, struct actor *a)
{
    if (a->state == ACTOR_IDLE)
        actor_make_ready(house, a);
    else if (a->state == ACTOR_WAITING) {
        a->state = ACTOR_BUSY;
        vm_task_wake(a->holder->task, L, 0);
    }
    a->length += a->limit > 0;
}

/* Who sends: whom the drainer handles, or the reference at the index, 0: no actor. */
static void push_sender(lua_State *L, const struct drainer *d, int sender)
{
    if (d)
        actor_push(L, d->actor, lua_upvalueindex(ACTOR_ANCHORS));
    else if (sender)
        lua_pushvalue(L, sender);
    else
        lua_pushboolean(L, 0);
}

void actor_put(lua_State *L, struct actors *house, struct actor *a, int first, const struct drainer *d, int sender, uint64_t call)
{
    int last = lua_gettop(L), count = last - first + 1;
    if (count > ROOMY)
        luaL_checkstack(L, 10, "too many arguments");
    int queue = last + 1;
    push_queue(L, a, queue);
    const struct actor *from = d ? d->actor : sender ? actor_at(L, sender) : NULL;
    uint64_t id = from ? from->id : 0;
    int at = a->tail;
    if (id != a->last_sender) {
        push_sender(L, d, sender);
        lua_rawseti(L, queue, ++at);
    }
    if (count > 0 || call) {
        lua_pushinteger(L, call ? -1 - count : count);
        lua_rawseti(L, queue, ++at);
    }
    lua_pushvalue(L, 2);
    lua_rawseti(L, queue, ++at);
    if (call) {
        lua_pushinteger(L, (lua_Integer)call);
        lua_rawseti(L, queue, ++at);
    }
    for (int i = first; i <= last; i++) {
        lua_pushvalue(L, i);
        lua_rawseti(L, queue, ++at);
    }
    a->tail = at; /* the message is there now: memory errors above have put nothing there */
    a->last_sender = id;
    announce(L, house, a);
}

static void rearm(lua_State *L, const struct actors *house)
{
    if (!vm_task_running(house->tasks))
        loop_rearm(lua_loop(L));
}

void actor_check_name(lua_State *L, const char *what)
{
    if (lua_type(L, 2) != LUA_TSTRING)
        luaL_error(L, "%s: name of a message expected, got %s", what, luaL_typename(L, 2));
}

int actor_refuse_dead(lua_State *L)
{
    actor_hook(L, "undelivered", lua_gettop(L));
    lua_pushnil(L);
    lua_pushliteral(L, "dead");
    return 2;
}

bool actor_is_full(const struct actor *a)
{
    return a->limit > 0 && a->length >= a->limit && a->state != ACTOR_DEAD && !a->stopping;
}

void actor_took(lua_State *L, struct actor *a)
{
    a->length--;
    lua_loop_wake(L, a);
    if (a->peers)
        actor_give_credit(L, a);
}

static bool has_room(const void *context)
{
    return !actor_is_full(context);
}

/* To an actor of another vm. */
static int deliver_remote(lua_State *L, struct actors *house, struct actor *a)
{
    int rc = actor_post_message(L, house, a, 0, a->limit > 0 ? FLAG_COUNTED : 0);
    if (rc == TROUPE_EREFUSED)
        return lua_error(L);
    if (rc == TROUPE_EDEAD) {
        actor_remote_lost(L, house, a, 1);
        return actor_refuse_dead(L);
    }
    if (rc) {
        lua_pushnil(L);
        lua_pushstring(L, troupe_strerror(rc));
        return 2;
    }
    a->length += a->limit > 0;
    lua_pushboolean(L, 1);
    return 1;
}

static int deliver(lua_State *L, struct actors *house, struct actor *a, const struct drainer *d)
{
    if (a->state == ACTOR_DEAD || a->stopping)
        return actor_refuse_dead(L);
    if (a->remote)
        return deliver_remote(L, house, a);
    if (!actor_may_pass(L, 3)) {
        copy_all(L, 3);
        d = actor_current(house); /* a value's __troupe_pack may have ended it */
        if (a->state == ACTOR_DEAD || a->stopping)
            return actor_refuse_dead(L);
    }
    actor_put(L, house, a, 3, d, 0, 0);
    if (!d)
        rearm(L, house);
    lua_pushboolean(L, 1);
    return 1;
}

static int send_again(lua_State *L, int status, lua_KContext context)
{
    struct actor *a = lua_touserdata(L, 1);
    (void)status;
    (void)context;
    while (actor_is_full(a))
        lua_loop_wait(L, has_room, a, -1, 0, send_again);
    return deliver(L, actors_of(L), a, actor_current(actors_of(L)));
}

/* (reference, name, ...) -> true; nil, "dead" */
static int actor_send(lua_State *L)
{
    struct actor *a = actor_check(L, 1);
    struct actors *house = actors_of(L);
    const struct drainer *d = actor_current(house);
    actor_check_name(L, "send");
    if (actor_is_full(a) && !(d && d->actor == a)) /* an actor never waits for room in its own mailbox */
        return send_again(L, LUA_OK, 0);
    return deliver(L, house, a, d);
}

/* (reference, name, ...) -> true; nil, "dead" or "full" */
static int actor_try_send(lua_State *L)
{
    struct actor *a = actor_check(L, 1);
    actor_check_name(L, "try_send");
    if (actor_is_full(a)) {
        lua_pushnil(L);
        lua_pushliteral(L, "full");
        return 2;
    }
    return deliver(L, actors_of(L), a, actor_current(actors_of(L)));
}

/* (reference, name, ...) a message that no limit holds back, its values as they are -> true when the actor lives */
static int post(lua_State *L)
{
    struct actor *a = actor_check(L, 1);
    struct actors *house = actors_of(L);
    bool lives = a->state != ACTOR_DEAD && !a->stopping;
    if (a->remote)
        return deliver(L, house, a, NULL);
    if (lives) {
        actor_put(L, house, a, 3, actor_current(house), 0, 0);
        rearm(L, house);
    }
    lua_pushboolean(L, lives);
    return 1;
}

/* (reference, function, value, value) the drainer calls function(self, value, value, reference) in its turn */
static int actor_order(lua_State *L)
{
    struct actor *a = actor_check(L, 1);
    lua_settop(L, 4);
    if (a->state == ACTOR_DEAD)
        return 0;
    int queue = 5;
    push_queue(L, a, queue);
    int at = a->tail;
    lua_pushinteger(L, 0);
    lua_rawseti(L, queue, ++at);
    for (int i = 2; i <= 4; i++) {
        lua_pushvalue(L, i);
        lua_rawseti(L, queue, ++at);
    }
    a->tail = at;
    announce(L, actors_of(L), a);
    rearm(L, actors_of(L));
    return 0;
}

/* ---- receive, for the actor whose handler runs */

static struct actor *own_actor(lua_State *L)
{
    struct actor *a = actor_check(L, 1);
    const struct drainer *d = actor_current(actors_of(L));
    if (!d || d->actor != a)
        luaL_error(L, "receive: only in a handler of the actor itself");
    return a;
}

/* The handler that receives for the first time has been called for the sender at the front: the queue is on top. */
static void note_front(lua_State *L)
{
    int queue = lua_gettop(L);
    lua_getiuservalue(L, 1, ACTOR_SELF);
    if (lua_getfield(L, -1, "sender") == LUA_TNIL)
        lua_pushboolean(L, 0);
    lua_rawseti(L, queue, 1);
    lua_settop(L, queue);
}

/* (reference) -> queue or nil, place of the first message, last place */
static int actor_mail(lua_State *L)
{
    struct actor *a = own_actor(L);
    if (lua_getiuservalue(L, 1, ACTOR_QUEUE) == LUA_TTABLE && !a->receives) {
        note_front(L);
        a->receives = true;
    }
    lua_pushinteger(L, a->head);
    lua_pushinteger(L, a->tail);
    return 3;
}

/* (reference, first place, last place, whole) something has been taken out of the queue, which is there now; whole: more than
 * the name of a sender */
static int actor_take(lua_State *L)
{
    struct actor *a = own_actor(L);
    a->head = (int)luaL_checkinteger(L, 2);
    a->tail = (int)luaL_checkinteger(L, 3);
    a->strayed = true; /* the sender at its front may be another */
    if (a->limit > 0 && lua_toboolean(L, 4))
        actor_took(L, a);
    return 0;
}

/* (reference, call or 0) that message is the one at hand now, and self.sender its sender */
static int actor_received(lua_State *L)
{
    struct actors *house = actors_of(L);
    own_actor(L)->strayed = true;
    struct drainer *d = actor_current(house);
    d->call = (uint64_t)luaL_checkinteger(L, 2);
    return 0;
}

static int mail_came(lua_State *L, int status, lua_KContext context)
{
    struct actor *a = lua_touserdata(L, 1);
    bool came = a->state != ACTOR_WAITING;
    (void)status;
    (void)context;
    if (!came)
        a->state = ACTOR_BUSY;
    lua_pushboolean(L, came);
    return 1;
}

/* (reference, deadline or nil) waits for the next message -> false when its time was up */
static int actor_wait_mail(lua_State *L)
{
    struct actor *a = own_actor(L);
    struct actors *house = actors_of(L);
    double deadline = luaL_optnumber(L, 2, -1);
    if (a->holder != actor_current(house))
        luaL_error(L, "receive: this handler has waited before, and its actor, which is concurrent, has gone on without it");
    if (!vm_task_may_park(house->tasks, L))
        luaL_error(L, "receive: cannot wait here: called from C, or in a coroutine");
    a->state = ACTOR_WAITING;
    return vm_task_park(house->tasks, L, a, 0, deadline, 0, mail_came);
}

/* (...) -> copies, as a receiver would get */
static int copies(lua_State *L)
{
    actor_copy(L, 1);
    return lua_gettop(L);
}

/* (reference) what it can do without is given back when its queue is next empty */
static int actor_shrink(lua_State *L)
{
    actor_check(L, 1)->shrinks = true;
    return 0;
}

void actor_open_send(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"send", actor_send}, {"try_send", actor_try_send}, {"post", post}, {"order", actor_order},
        {"mail", actor_mail}, {"received", actor_received}, {"take", actor_take}, {"wait_mail", actor_wait_mail}, {"shrink", actor_shrink},
        {"copy", copies},
        {NULL, NULL}};
    luaL_setfuncs(L, functions, 2);
}
