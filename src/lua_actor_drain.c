/* lua_actor_drain.c - how messages are handled: the body of a drainer's task.
 *
 * A drainer takes a ready actor, goes through its queue (the layout is in lua_actor_send.c), calls a handler for each message,
 * and takes the next actor. What it works with lies at the bottom of its stack; a message and its handler lie above, for as
 * long as the handler runs.
 *
 *     taken --handle--> taken, until its share is used up, it has no mail, it ends, or its handler waits --> released
 *
 * Invariants:
 *  1. before a handler is called its message has left the queue: a->head is behind it, a->at is where it stood;
 *  2. what holds after a call is looked up after each: a handler may end its actor, take mail, change its behaviour, or wait,
 *     and then it goes on in `went_on`, on a drainer that takes no further actor;
 *  3. self.sender is the sender at the front of the queue, unless the actor has `strayed`: then it is set from place 1 before
 *     the next message;
 *  4. a call is answered by what its handler returns, unless it was deferred.
 *
 * It is in C for the sake of what lies between two messages: some ten steps, each of which costs less here than in Lua.
 */
#include "lua_actor.h"

#include <string.h>

#include <lauxlib.h>

#include "lua_loop.h"
#include "vm.h"

/* Places of queues that one actor may have in a turn. */
enum { SHARE = 1000 };

/* A queue that has had so many places is thrown away when it is empty. */
enum { KEPT = 256 };

/* So many arguments need no look at the stack's size. */
enum { ROOMY = 8 };

/* The drainer's stack, and its function's third upvalue. */
enum { REFERENCE = 1, QUEUE, SELF, HANDLERS, TOP = HANDLERS };
enum { SENDER_NAME = 3 };

static void release(lua_State *L, struct actors *house, struct drainer *d)
{
    struct actor *a = d->actor;
    d->actor = NULL;
    d->call = d->asked = 0;
    if (!a || a->holder != d)
        return;
    a->holder = NULL;
    a->at = 0;
    if (a->state == ACTOR_DEAD)
        return;
    a->state = ACTOR_IDLE;
    if (a->starting)
        return;
    if (a->tail >= a->head || a->stopping) {
        actor_make_ready(house, a);
        return;
    }
    if (a->head > KEPT || a->shrinks) {
        a->shrinks = false;
        lua_rawgetp(L, LUA_REGISTRYINDEX, &actor_anchors_key);
        actor_push(L, a, -1);
        lua_pushnil(L);
        lua_setiuservalue(L, -2, ACTOR_QUEUE);
        lua_pop(L, 2);
    }
    a->head = 2;
    a->tail = 1;
}

void actor_release(lua_State *L, struct drainer *d)
{
    release(L, d->house, d);
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

/* Puts its values where they are worked with. */
static void load(lua_State *L, struct actor *a)
{
    lua_settop(L, 0);
    actor_push(L, a, lua_upvalueindex(ACTOR_ANCHORS));
    lua_getiuservalue(L, REFERENCE, ACTOR_QUEUE);
    lua_getiuservalue(L, REFERENCE, ACTOR_SELF);
    lua_getiuservalue(L, REFERENCE, ACTOR_HANDLERS);
    a->changed = false;
}

/* The next ready actor; false: none, or no more for now. */
static bool take(lua_State *L, struct drainer *d)
{
    struct actors *house = d->house;
    if (d->actor && house->shared)
        vm_task_aim(d->task, 0);
    release(L, house, d);
    if (d->parked || house->budget <= 0 || actor_is_broken(house, house->target))
        return false;
    struct actor *a = next_ready(L, house);
    if (!a)
        return false;
    d->actor = a;
    d->left = SHARE;
    a->holder = d;
    a->state = ACTOR_BUSY;
    a->since = house->now;
    house->budget -= 2;
    if (house->shared)
        vm_task_aim(d->task, actor_target(house, a));
    load(L, a);
    return true;
}

/* The actor has more for this drainer. */
static inline bool goes_on(const struct drainer *d)
{
    const struct actor *a = d->actor;
    return a && a->holder == d && (a->stopping || (a->head <= a->tail && d->left > 0)) && !d->parked && a->state != ACTOR_DEAD;
}

/* ---- one message */

static int went_on(lua_State *L, int status, lua_KContext context);

static inline void call(lua_State *L, struct drainer *d, int arguments, int results)
{
    lua_callk(L, arguments, results, (lua_KContext)d, went_on);
}

/* What was called has returned: results lie there only where somebody asked for them. */
static inline void returned(lua_State *L, struct drainer *d)
{
    uint64_t asked = d->asked;
    d->call = 0;
    if (asked) {
        d->asked = 0;
        actor_reply(L, d->house, asked, TOP + 1);
        lua_settop(L, TOP);
    }
}

/* The reference or false on top is the sender from here on. Pops it. */
static void set_sender(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(SENDER_NAME));
    if (lua_toboolean(L, -2))
        lua_pushvalue(L, -2);
    else
        lua_pushnil(L);
    lua_rawset(L, SELF);
    lua_pop(L, 1);
}

/* Pushes the arguments of a message, which stand from a place on. */
static void push_arguments(lua_State *L, int place, int count)
{
    if (count > ROOMY)
        luaL_checkstack(L, count + ROOMY, "too many arguments");
    for (int i = place; i < place + count; i++)
        if (lua_rawgeti(L, QUEUE, i) >= LUA_TSTRING) {
            lua_pushboolean(L, 0); /* the queue keeps nothing alive that has been handled */
            lua_rawseti(L, QUEUE, i);
        }
}

/* Pushes a field of the class; false, and nothing: there is none, or it is false. */
static bool push_field(lua_State *L, const char *name)
{
    lua_pushboolean(L, 1);
    lua_rawget(L, HANDLERS);
    lua_getfield(L, -1, name);
    bool found = lua_toboolean(L, -1);
    lua_remove(L, found ? -2 : -1);
    if (!found)
        lua_pop(L, 1);
    return found;
}

static void refuse_call(lua_State *L, struct drainer *d, int name)
{
    uint64_t asked = d->asked;
    d->asked = d->call = 0;
    push_field(L, "name");
    lua_rawgeti(L, QUEUE, name);
    lua_pushfstring(L, "%s has no handler '%s'", lua_tostring(L, -2), lua_tostring(L, -1));
    actor_fail(L, d->house, asked);
    lua_settop(L, TOP);
}

/* The name on top is that of an obituary: nobody needs to hear of it. */
static bool is_obituary(lua_State *L)
{
    const char *name = lua_tostring(L, -1);
    return strcmp(name, "down") == 0 || strcmp(name, "exit") == 0;
}

/* A message whose name, at that place, no handler has: it is otherwise's, or nobody's. */
static void handle_stray(lua_State *L, struct drainer *d, int name, int arguments, int count)
{
    if (push_field(L, "otherwise")) {
        lua_pushvalue(L, SELF);
        lua_rawgeti(L, QUEUE, name);
        push_arguments(L, arguments, count);
        call(L, d, 2 + count, d->asked ? LUA_MULTRET : 0);
        returned(L, d);
        return;
    }
    if (d->asked) {
        refuse_call(L, d, name);
        return;
    }
    lua_pushvalue(L, REFERENCE);
    lua_rawgeti(L, QUEUE, name);
    if (!is_obituary(L)) {
        push_arguments(L, arguments, count);
        actor_hook(L, "undelivered", 2 + count);
    }
    lua_settop(L, TOP);
}

/* The name is at that place, the arguments from another on. */
static void handle_named(lua_State *L, struct drainer *d, int name, int arguments, int count)
{
    lua_rawgeti(L, QUEUE, name);
    if (lua_rawget(L, HANDLERS) == LUA_TNIL) {
        lua_pop(L, 1);
        handle_stray(L, d, name, arguments, count);
        return;
    }
    lua_pushvalue(L, SELF);
    push_arguments(L, arguments, count);
    call(L, d, 1 + count, d->asked ? LUA_MULTRET : 0);
    returned(L, d);
}

/* function, value, value: the function gets self, the values and the reference */
static void handle_order(lua_State *L, struct drainer *d, int place)
{
    lua_rawgeti(L, QUEUE, place);
    lua_pushvalue(L, SELF);
    lua_rawgeti(L, QUEUE, place + 1);
    lua_rawgeti(L, QUEUE, place + 2);
    lua_pushvalue(L, REFERENCE);
    call(L, d, 4, 0);
    returned(L, d);
}

static void leave_queue(lua_State *L, struct drainer *d, int places)
{
    struct actor *a = d->actor;
    a->head += places;
    d->left -= places;
    d->house->budget -= places;
    if (a->limit > 0)
        actor_took(L, a);
}

/* A message that begins with a number, which is on top. */
static void handle_counted(lua_State *L, struct drainer *d, int place)
{
    int kind = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (kind > 0) {
        leave_queue(L, d, 2 + kind);
        handle_named(L, d, place + 1, place + 2, kind);
    } else if (kind == 0) {
        leave_queue(L, d, 4);
        handle_order(L, d, place + 1);
    } else {
        leave_queue(L, d, 2 - kind);
        lua_rawgeti(L, QUEUE, place + 2);
        d->call = d->asked = (uint64_t)lua_tointeger(L, -1);
        lua_pop(L, 1);
        handle_named(L, d, place + 1, place + 3, -1 - kind);
    }
}

/* The next message; or only its sender. */
static void handle(lua_State *L, struct drainer *d)
{
    struct actor *a = d->actor;
    int place = a->head;
    if (a->changed)
        load(L, a);
    if (a->strayed) {
        a->strayed = false;
        lua_rawgeti(L, QUEUE, 1);
        set_sender(L);
    }
    switch (lua_rawgeti(L, QUEUE, place)) {
    case LUA_TSTRING:
        a->at = place;
        leave_queue(L, d, 1);
        if (lua_rawget(L, HANDLERS) == LUA_TNIL) {
            lua_pop(L, 1);
            handle_stray(L, d, place, 0, 0);
            return;
        }
        lua_pushvalue(L, SELF);
        call(L, d, 1, 0);
        returned(L, d);
        return;
    case LUA_TNUMBER:
        a->at = place;
        handle_counted(L, d, place);
        return;
    default:
        a->head++;
        if (a->receives) {
            lua_pushvalue(L, -1);
            lua_rawseti(L, QUEUE, 1);
        }
        set_sender(L);
        return;
    }
}

static void terminated(lua_State *L, struct drainer *d)
{
    d->terminating = false;
    if (d->actor)
        actor_finish(L, d->actor, REFERENCE);
}

/* It stops: its behaviour has its say. */
static void terminate(lua_State *L, struct drainer *d)
{
    if (d->actor->changed)
        load(L, d->actor);
    if (d->actor->terminates && push_field(L, "terminate")) {
        d->terminating = true;
        lua_pushvalue(L, SELF);
        lua_getiuservalue(L, REFERENCE, ACTOR_REASON);
        call(L, d, 2, 0);
    }
    terminated(L, d);
}

/* An actor that is killed while its handler runs ends with this task. */
static bool is_doomed(const struct drainer *d)
{
    return d->actor && d->actor->doomed;
}

static int go_on(lua_State *L, struct drainer *d)
{
    while (!is_doomed(d) && (goes_on(d) || take(L, d))) {
        if (d->actor->stopping)
            terminate(L, d);
        else
            handle(L, d);
    }
    return 0;
}

/* What was called has waited, and has returned now. */
static int went_on(lua_State *L, int status, lua_KContext context)
{
    struct drainer *d = (struct drainer *)context;
    (void)status;
    if (d->terminating)
        terminated(L, d);
    else
        returned(L, d);
    return go_on(L, d);
}

/* (drainer) */
static int drain(lua_State *L)
{
    struct drainer *d = lua_touserdata(L, 1);
    return go_on(L, d);
}

/* The upvalues of what is opened are on top. */
void actor_open_drain(lua_State *L)
{
    lua_pushliteral(L, "sender");
    lua_pushcclosure(L, drain, 3);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &actor_drain_key);
}
