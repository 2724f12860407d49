/* lua_ear.c - one ear a vm, found in its registry.
 *
 * A client's ear lives in a userdata whose finaliser leaves the node; it was made before all pools and jobs of the vm, so
 * it is finalised after them. A worker's ear belongs to the worker; the registry holds a bare pointer to it.
 */
#include "lua_ear.h"

#include <lauxlib.h>

#include "clock.h"
#include "lua_open.h"
#include "node.h"
#include "troupe.h"
#include "value.h"

static const char ear_key;

static int leave(lua_State *L)
{
    struct ear **box = lua_touserdata(L, 1);
    if (*box)
        node_leave(box);
    return 0;
}

static void set_ear(lua_State *L, int index)
{
    lua_pushvalue(L, index);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &ear_key);
}

static struct ear *open_ear(lua_State *L)
{
    static const struct node_hooks hooks = {.open = lua_open_preload, .attach = lua_ear_attach};
    struct ear **box = lua_newuserdatauv(L, sizeof *box, 0), *ear;
    *box = NULL;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, leave);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    set_ear(L, -1);
    int rc = ear_open(&ear, NULL, NULL);
    if (rc == 0) {
        rc = node_enter(&hooks);
        if (rc)
            ear_close(&ear);
    }
    if (rc) {
        lua_pushnil(L);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &ear_key);
        luaL_error(L, rc == TROUPE_EINVAL ? "troupe cannot be used in a forked child of the program that loaded it" : "troupe cannot start: %s",
                   troupe_strerror(rc));
    }
    *box = ear;
    lua_pop(L, 1);
    return ear;
}

struct ear *lua_ear(lua_State *L)
{
    int type = lua_rawgetp(L, LUA_REGISTRYINDEX, &ear_key);
    void *p = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (type == LUA_TLIGHTUSERDATA)
        return p;
    if (type == LUA_TUSERDATA && *(struct ear **)p)
        return *(struct ear **)p;
    return open_ear(L);
}

void lua_ear_attach(lua_State *L, struct ear *ear)
{
    lua_pushlightuserdata(L, ear);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &ear_key);
}

static int nothing(lua_State *L)
{
    (void)L;
    return 0;
}

/* A pending hook runs now, and may raise. */
static void let_hooks_run(lua_State *L)
{
    lua_pushcfunction(L, nothing);
    lua_call(L, 0, 0);
}

bool lua_ear_await(lua_State *L, struct ear *ear, const struct future *future, double deadline)
{
    luaL_checkstack(L, 8, NULL);
    for (;;) {
        int rc = ear_await(ear, future, deadline, L);
        if (rc == 0)
            return true;
        if (rc == TROUPE_ETIMEDOUT)
            return false;
        if (rc != TROUPE_EINTR)
            luaL_error(L, "waiting: %s", troupe_strerror(rc));
        let_hooks_run(L);
    }
}

double lua_ear_deadline(lua_State *L, int index)
{
    if (lua_isnoneornil(L, index))
        return -1;
    lua_Number seconds = luaL_checknumber(L, index);
    luaL_argcheck(L, seconds >= 0, index, "a timeout is not negative");
    return seconds > 1e9 ? -1 : clock_now() + seconds;
}

struct question {
    struct future future;
    struct message *answer;
};

static void keep_answer(struct future *future, struct message **letter, void *context)
{
    struct question *q = (struct question *)future;
    (void)context;
    q->answer = *letter;
    *letter = NULL;
}

/* A question lives in a userdata, so that an error raised while it waits leaves nothing behind. */
static int forget_question(lua_State *L)
{
    struct question *q = lua_touserdata(L, 1);
    if (q->future.pending)
        ear_forget(lua_ear(L), &q->future);
    message_destroy(&q->answer);
    return 0;
}

static struct question *push_question(lua_State *L)
{
    struct question *q = lua_newuserdatauv(L, sizeof *q, 0);
    *q = (struct question){.future = {.resolve = keep_answer}};
    if (luaL_newmetatable(L, "troupe.question")) {
        lua_pushcfunction(L, forget_question);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, forget_question);
        lua_setfield(L, -2, "__close");
    }
    lua_setmetatable(L, -2);
    return q;
}

static int post_question(struct ear *ear, struct question *q, const struct header *header)
{
    int rc = ear_expect(ear, &q->future);
    if (rc)
        return rc;
    struct message *letter = message_new(MAIL_NONE);
    if (!letter)
        return TROUPE_ENOMEM;
    struct header *h = message_header(letter);
    h->kind = header->kind;
    h->flags = header->flags;
    h->pool = header->pool;
    h->id = header->id;
    h->u = header->u;
    return ear_post(ear, &q->future, &letter);
}

bool lua_ear_ask(lua_State *L, struct ear *ear, const struct header *question, double deadline)
{
    static const struct value_mode mode;
    struct question *q = push_question(L);
    int slot = lua_gettop(L), count;
    lua_toclose(L, slot);
    int rc = post_question(ear, q, question);
    if (rc)
        luaL_error(L, "asking the node: %s", troupe_strerror(rc));
    bool answered = lua_ear_await(L, ear, &q->future, deadline);
    if (answered && value_decode(L, message_body(q->answer), message_body_size(q->answer), &mode, &count))
        lua_error(L);
    lua_closeslot(L, slot);
    lua_remove(L, slot);
    return answered;
}
