/* lua_batch.c - a batch as its owner holds it. Its outcome stays a letter until it is asked for, and is decoded once, onto the
 * stack, from where results go straight to where they belong.
 *
 * Invariants: a pending batch is anchored in the pending table; the finaliser frees a letter nobody asked for.
 */
#include "lua_batch.h"

#include <lauxlib.h>

#include "lua_loop.h"
#include "lua_job.h"
#include "troupe.h"
#include "value.h"

struct lua_batch {
    struct future future; /* first */
    struct ear *ear;
    struct message *letter; /* the outcome */
    uint32_t pool;
};

static const char class_key;

/* What batch_turn waits for: any outcome. */
static const char resolved;

static void unanchor(lua_State *L, const struct future *f)
{
    lua_job_push_pending(L);
    lua_pushnil(L);
    lua_rawseti(L, -2, (lua_Integer)f->slot + 1);
    lua_pop(L, 1);
}

static bool resolve(struct future *future, struct message **letter, void *context)
{
    struct lua_batch *self = (struct lua_batch *)future;
    self->letter = *letter;
    *letter = NULL;
    lua_checkstack(context, 4);
    unanchor(context, future);
    lua_loop_wake(context, future);
    lua_loop_wake(context, &resolved);
    return false;
}

static struct lua_batch *check(lua_State *L)
{
    return luaL_checkudata(L, 1, "troupe.batch");
}

/* Decodes the outcome onto the stack. True when the calls were made: their entries, *count slots of them; else error and
 * traceback. */
static bool push_outcome(lua_State *L, struct lua_batch *self, int *count)
{
    static const struct value_mode mode;
    luaL_argcheck(L, self->letter, 1, "a batch not yet collected expected");
    if (value_decode(L, message_body(self->letter), message_body_size(self->letter), &mode, count))
        lua_error(L);
    return !(message_header(self->letter)->flags & FLAG_ERROR);
}

/* Frees the letter; the seconds its run took. */
static lua_Number finish(struct lua_batch *self)
{
    lua_Number seconds = message_header(self->letter)->u.seconds;
    message_destroy(&self->letter);
    return seconds;
}

static int entries(lua_State *L, int status, lua_KContext context)
{
    struct lua_batch *self = lua_touserdata(L, 1);
    int count;
    (void)status;
    (void)context;
    lua_settop(L, 1);
    bool made = push_outcome(L, self, &count);
    lua_Number seconds = finish(self);
    if (!made) {
        lua_pushnil(L);
        lua_insert(L, 2);
        lua_settop(L, 4);
        return 3;
    }
    lua_createtable(L, count, 0);
    lua_insert(L, 2);
    for (int i = count; i >= 1; i--)
        lua_rawseti(L, 2, i);
    lua_pushnumber(L, seconds);
    return 2;
}

/* (batch) -> table of entries, seconds; nil, error, traceback */
static int batch_entries(lua_State *L)
{
    lua_loop_await(L, &check(L)->future, -1, 0, entries);
    return entries(L, LUA_OK, 0);
}

/* Puts the first result of each entry into results[index + 1 ..]; the number of calls before the first that failed. */
static lua_Integer store(lua_State *L, int at, int top, int results, lua_Integer index, bool *failed)
{
    lua_Integer calls = 0;
    while (at <= top) {
        int count = (int)lua_tointeger(L, at);
        if (count < 0) {
            *failed = true;
            lua_pushvalue(L, at + 1);
            lua_pushvalue(L, at + 2);
            return calls;
        }
        if (count > 0)
            lua_pushvalue(L, at + 1);
        else
            lua_pushnil(L);
        lua_rawseti(L, results, index + ++calls);
        at += count + 1;
    }
    return calls;
}

static int collect(lua_State *L, int status, lua_KContext context)
{
    struct lua_batch *self = lua_touserdata(L, 1);
    int count;
    bool failed = false;
    lua_Integer index = lua_tointeger(L, 3), calls = 0;
    (void)status;
    (void)context;
    lua_settop(L, 3);
    if (push_outcome(L, self, &count)) {
        luaL_checkstack(L, 4, NULL);
        calls = store(L, 4, 3 + count, 2, index, &failed);
    } else {
        failed = true;
    }
    lua_Number seconds = finish(self);
    if (!failed) {
        lua_pushnumber(L, seconds);
        return 1;
    }
    lua_pushnil(L);
    lua_insert(L, -3);
    lua_pushinteger(L, calls);
    lua_insert(L, -3);
    return 4;
}

/* (batch, results, index) -> seconds; nil, calls before the one that failed, error, traceback */
static int batch_collect(lua_State *L)
{
    struct lua_batch *self = check(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_checkinteger(L, 3);
    lua_loop_await(L, &self->future, -1, 0, collect);
    return collect(L, LUA_OK, 0);
}

/* (batch) true when its outcome was handled. Handles nothing itself: of many batches each can be asked, and what was said of
 * the first still holds when the last was asked. */
static int batch_ready(lua_State *L)
{
    lua_pushboolean(L, !check(L)->future.pending);
    return 1;
}

static int turned(lua_State *L, int status, lua_KContext context)
{
    (void)L;
    (void)status;
    (void)context;
    return 0;
}

/* () waits for letters, one outcome of a batch at least if it parks; a signal ends the wait */
int lua_batch_turn(lua_State *L)
{
    lua_loop_once(L, &resolved, turned);
    return 0;
}

/* () those in lua_batch_turn go on: something that looks like a batch has its outcome */
int lua_batch_wake(lua_State *L)
{
    lua_loop_wake(L, &resolved);
    return 0;
}

/* (any batch) */
static int batch_turn(lua_State *L)
{
    check(L);
    return lua_batch_turn(L);
}

/* (batch) nobody wants it any more: cancelled if it has not begun, dropped if it has */
static int batch_drop(lua_State *L)
{
    struct lua_batch *self = check(L);
    message_destroy(&self->letter);
    if (!self->future.pending)
        return 0;
    struct message *m = message_new(MAIL_CANCEL);
    if (m) {
        message_header(m)->pool = self->pool;
        message_header(m)->id = self->future.id;
        ear_post(self->ear, NULL, &m);
    }
    ear_forget(self->ear, &self->future);
    unanchor(L, &self->future);
    return 0;
}

static int batch_gc(lua_State *L)
{
    struct lua_batch *self = lua_touserdata(L, 1);
    message_destroy(&self->letter);
    return 0;
}

void lua_batch_push_class(lua_State *L)
{
    static const luaL_Reg methods[] = {{"entries", batch_entries}, {"collect", batch_collect}, {"ready", batch_ready}, {"turn", batch_turn},
                                       {"drop", batch_drop}, {"__gc", batch_gc}, {NULL, NULL}};
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &class_key) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    luaL_newmetatable(L, "troupe.batch");
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &class_key);
}

struct future *lua_batch_push(lua_State *L, struct ear *ear, uint32_t pool, int class, int pending)
{
    struct lua_batch *self = lua_newuserdatauv(L, sizeof *self, 0);
    *self = (struct lua_batch){.future = {.resolve = resolve}, .ear = ear, .pool = pool};
    lua_pushvalue(L, class);
    lua_setmetatable(L, -2);
    if (ear_expect(ear, &self->future))
        luaL_error(L, "not enough memory");
    lua_pushvalue(L, -1);
    lua_rawseti(L, pending, (lua_Integer)self->future.slot + 1);
    return &self->future;
}
