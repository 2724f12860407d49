/* lua_actor_letter.c - letters from other vms that have to do with actors: each becomes what it would be in one vm.
 *
 * A letter is handled when it comes, also where the vm is blocked: it puts something into a queue, or makes a task ready, and
 * runs no handler. One that cannot be read for want of memory, or of what it needs to be decoded, is lost and logged.
 */
#include "lua_actor.h"

#include <lauxlib.h>

#include "address.h"
#include "ear.h"
#include "lua_log.h"
#include "lua_loop.h"
#include "mailbox.h"
#include "record.h"
#include "value.h"

static const char reader_key;

static uint64_t vm_of_address(uint64_t address)
{
    return address_make(address_node(address), address_box(address), 0);
}

/* Pushes the letter's values. Raises when it cannot. */
static int push_values(lua_State *L, const struct message *m)
{
    static const struct value_mode here, remote = {.remote = true};
    int count;
    luaL_checkstack(L, 20, NULL);
    const struct value_mode *mode = address_node(message_header(m)->from) ? &remote : &here;
    if (value_decode(L, message_body(m), message_body_size(m), mode, &count))
        lua_error(L);
    return count;
}

/* Pushes the sender's reference, false where it is no actor. */
static void push_sender(lua_State *L, const struct header *h)
{
    if (address_task(h->from) == 0) {
        lua_pushboolean(L, 0);
        return;
    }
    struct actor *a = actor_push_remote(L, h->from);
    if (h->u.number > 0 && h->kind == MAIL_TELL)
        a->limit = (int)h->u.number;
}

/* The call of another vm, to this actor (its reference is at 1) or to the vm. */
static struct call *note_call(lua_State *L, struct actors *house, struct actor *a, const struct header *h)
{
    struct call *c = actor_call_new(L, house, a, 0);
    c->asker = vm_of_address(h->from);
    c->number = h->id;
    return c;
}

/* The sender's vm learns that there is no such actor: a call fails, and hears so first. */
static void tell_dead(lua_State *L, const struct header *h)
{
    lua_pushliteral(L, "dead");
    if (h->id)
        actor_post(L, actor_write(L, &(struct letter){.kind = MAIL_REPLY, .to = vm_of_address(h->from), .id = h->id,
                                                      .flags = FLAG_ERROR},
                                  lua_gettop(L), "result", 0));
    actor_post(L, actor_write(L, &(struct letter){.kind = MAIL_OBITUARY, .to = vm_of_address(h->from), .from = h->to},
                              lua_gettop(L), "reason", 0));
    lua_pop(L, 1);
}

/* Hook `undelivered` gets the reference and the letter's values. */
static void undelivered(lua_State *L, const struct message *m)
{
    int ref = lua_gettop(L);
    push_values(L, m);
    actor_hook(L, "undelivered", lua_gettop(L) - ref + 1);
}

static void told(lua_State *L, struct actors *house, const struct message *m)
{
    const struct header *h = message_header(m);
    struct actor *a = id_map_find(&house->live, h->to);
    if (!a || a->stopping) {
        tell_dead(L, h);
        if (a)
            actor_push(L, a, lua_upvalueindex(ACTOR_ANCHORS));
        else
            actor_push_new(L, h->to);
        undelivered(L, m);
        return;
    }
    actor_push(L, a, lua_upvalueindex(ACTOR_ANCHORS));
    if (push_values(L, m) < 1 || lua_type(L, 2) != LUA_TSTRING)
        return;
    push_sender(L, h);
    lua_insert(L, 3);
    actor_put(L, house, a, 4, NULL, 3, h->id ? note_call(L, house, a, h)->id : 0);
    if (a->limit > 0)
        actor_note_sender(L, a, vm_of_address(h->from), h->flags & FLAG_COUNTED);
}

/* Body: what shall be done, and with what. Hook `control` gets: number of the call or 0, the actor's reference or
 * false for the vm itself, the sender's or false, the address of the vm that asks; then these. */
static void control(lua_State *L, struct actors *house, const struct message *m)
{
    const struct header *h = message_header(m);
    const struct actor *a = id_map_find(&house->live, h->to);
    if (!a && address_task(h->to)) {
        tell_dead(L, h);
        return;
    }
    lua_pushinteger(L, h->id ? (lua_Integer)note_call(L, house, NULL, h)->id : 0);
    if (a)
        actor_push(L, a, lua_upvalueindex(ACTOR_ANCHORS));
    else
        lua_pushboolean(L, false); /* the vm itself is asked */
    push_sender(L, h);
    lua_pushinteger(L, (lua_Integer)vm_of_address(h->from));
    push_values(L, m);
    actor_hook(L, "control", lua_gettop(L));
}

/* To a call that was made here; or by a token of a call that was made to an actor here. */
static void replied(lua_State *L, struct actors *house, const struct message *m)
{
    const struct header *h = message_header(m);
    struct call *c = id_map_find(&house->calls, h->id);
    if (!c)
        return;
    lua_pushboolean(L, !(h->flags & FLAG_ERROR));
    int count = push_values(L, m) + 1;
    actor_answer(L, house, c, count);
}

static void ended(lua_State *L, struct actors *house, const struct message *m)
{
    struct actor *a = actor_push_known(L, message_header(m)->from);
    if (!a || !a->remote)
        return;
    push_values(L, m);
    lua_settop(L, 2);
    actor_remote_end(L, house, a, 1);
}

/* Its vm had closed before it read the letter. */
static void came_back(lua_State *L, struct actors *house, const struct message *m)
{
    struct actor *a = actor_push_remote(L, message_header(m)->from);
    actor_remote_lost(L, house, a, 1);
    if (!(message_header(m)->flags & FLAG_DISCARD))
        undelivered(L, m);
}

static void credited(lua_State *L, const struct message *m)
{
    const struct header *h = message_header(m);
    struct actor *a = actor_push_known(L, h->from);
    if (!a || !a->remote)
        return;
    a->limit = (int)h->id;
    a->length -= h->u.number < a->length ? (int)h->u.number : a->length;
    lua_loop_wake(L, a);
}

/* A vm is gone, or a worker process with all its vms, and could not tell. */
static void gone(lua_State *L, struct actors *house, const struct message *m)
{
    uint64_t from = message_header(m)->from;
    lua_newtable(L); /* first, for what is told of an end may make new references */
    actor_push_remotes(L);
    lua_pushnil(L);
    while (lua_next(L, 2)) {
        struct actor *a = actor_at(L, -1);
        if (a && address_belongs(vm_of_address(a->id), from))
            lua_rawseti(L, 1, (lua_Integer)lua_rawlen(L, 1) + 1);
        else
            lua_pop(L, 1);
    }
    for (lua_Integer i = 1; lua_rawgeti(L, 1, i) != LUA_TNIL; i++) {
        lua_pushstring(L, message_header(m)->flags & FLAG_KILLED ? "killed" : "lost");
        actor_remote_end(L, house, actor_at(L, 3), 3);
        lua_settop(L, 2);
    }
}

/* Lua: (letter as pointer) */
static int read_letter(lua_State *L)
{
    struct actors *house = actors_of(L);
    const struct message *m = lua_touserdata(L, 1);
    lua_settop(L, 0);
    switch (message_header(m)->kind) {
    case MAIL_TELL:
        told(L, house, m);
        break;
    case MAIL_CONTROL:
        control(L, house, m);
        break;
    case MAIL_REPLY:
        replied(L, house, m);
        break;
    case MAIL_OBITUARY:
        ended(L, house, m);
        break;
    case MAIL_BOUNCE:
        came_back(L, house, m);
        break;
    case MAIL_CREDIT:
        credited(L, m);
        break;
    case MAIL_LOST:
        gone(L, house, m);
        break;
    case MAIL_DOOM:
        actor_doom(L, house, message_header(m));
        break;
    default:
        break;
    }
    return 0;
}

/* A call that cannot be read fails. */
static void fail_unread(lua_State *L, const struct message *m)
{
    const struct header *h = message_header(m);
    if (h->id && (h->kind == MAIL_TELL || h->kind == MAIL_CONTROL))
        actor_post(L, actor_write(L, &(struct letter){.kind = MAIL_REPLY, .to = vm_of_address(h->from), .id = h->id,
                                                      .flags = FLAG_ERROR},
                                  lua_gettop(L), "result", 0));
}

void lua_actor_letter(struct message **letter, void *context)
{
    lua_State *L = context;
    int top = lua_gettop(L);
    if (!lua_checkstack(L, 6))
        return;
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &reader_key) != LUA_TFUNCTION || actor_house(L)->closed) {
        if (message_turn_back(*letter)) {
            actor_post(L, *letter);
            *letter = NULL;
        }
    } else {
        lua_pushlightuserdata(L, *letter);
        if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
            if (lua_type(L, -1) != LUA_TSTRING) {
                lua_pop(L, 1);
                lua_pushliteral(L, "error object");
            }
            fail_unread(L, *letter);
            lua_pushfstring(L, "mail for an actor could not be read: %s", lua_tostring(L, -1));
            lua_log_say(L, RECORD_ERROR);
        }
    }
    lua_settop(L, top);
}

/* The upvalues of what is opened are on top. */
void actor_open_letter(lua_State *L)
{
    lua_pushcclosure(L, read_letter, 2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &reader_key);
}
