/* lua_pool.c - the pool's hot calls: submit, and the batches that map is made of. What is rare is in lua/troupe/pool.lua.
 *
 * Upvalues of every function here: the classes of pools, jobs and batches, the pending jobs, the known functions.
 *
 * A Lua function without upvalues travels as bytecode with the first job that runs it. Submitted again, its code is
 * sent once for all under its hash, and jobs only name it. The table of known functions has weak keys:
 *
 *     nil -> true (sent once, inline) -> hash        false: it has upvalues, which may change: always inline
 */
#include "lua_pool.h"

#include <lauxlib.h>
#include <string.h>

#include "gate.h"
#include "lua_batch.h"
#include "lua_loop.h"
#include "lua_job.h"
#include "lua_order.h"
#include "lua_outcome.h"
#include "lua_place.h"
#include "lua_pool_inner.h"
#include "lua_output.h"
#include "lua_question.h"
#include "mailbox_route.h"
#include "node.h"
#include "order.h"
#include "troupe.h"
#include "value.h"
#include "vm_task.h"

struct lua_pool *lua_pool_check(lua_State *L)
{
    struct lua_pool *self = lua_touserdata(L, 1);
    if (!self || !lua_getmetatable(L, 1) || !lua_rawequal(L, -1, lua_upvalueindex(UP_CLASS)))
        luaL_typeerror(L, 1, "troupe.pool");
    lua_pop(L, 1);
    return self;
}

struct lua_pool *lua_pool_check_open(lua_State *L)
{
    struct lua_pool *self = lua_pool_check(L);
    luaL_argcheck(L, !self->closed, 1, "the pool is closed");
    return self;
}

static struct message *new_letter(lua_State *L, enum message_kind kind, const struct lua_pool *pool)
{
    struct message *m = message_new(kind);
    if (!m)
        luaL_error(L, "not enough memory");
    message_header(m)->pool = pool->id;
    return m;
}

/* Sends the bytecode of the function at `index` to the node. Its hash, 0 when memory is out. */
static uint64_t send_code(lua_State *L, struct lua_pool *pool, int index)
{
    struct message *m = message_new(MAIL_CODE);
    if (!m || value_dump(L, index, &m->bytes)) {
        message_destroy(&m);
        return 0;
    }
    uint64_t hash = value_code_hash(message_body(m), message_body_size(m));
    message_header(m)->code = hash;
    return ear_post(pool->ear, NULL, &m) == 0 ? hash : 0;
}

static void know(lua_State *L, int index, uint64_t hash)
{
    lua_pushvalue(L, index);
    if (hash)
        lua_pushinteger(L, (lua_Integer)hash);
    else
        lua_pushboolean(L, value_is_plain_code(L, index));
    lua_rawset(L, lua_upvalueindex(UP_KNOWN));
}

/* The hash under which the workers know the function at `index`, 0 when it must travel with the job. */
static uint64_t code_of(lua_State *L, struct lua_pool *pool, int index)
{
    if (lua_type(L, index) != LUA_TFUNCTION || lua_iscfunction(L, index))
        return 0;
    lua_pushvalue(L, index);
    int type = lua_rawget(L, lua_upvalueindex(UP_KNOWN));
    uint64_t hash = type == LUA_TNUMBER ? (uint64_t)lua_tointeger(L, -1) : 0;
    bool second = type == LUA_TBOOLEAN && lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (second)
        hash = send_code(L, pool, index);
    if (type == LUA_TNIL || (second && hash))
        know(L, index, hash);
    return hash;
}

/* The letter was never posted: its handle, NULL if nobody has one, stays without an outcome. */
static void forget(lua_State *L, struct future *future)
{
    if (!future)
        return;
    ear_forget(loop_ear(lua_loop(L)), future);
    lua_pushnil(L);
    lua_rawseti(L, lua_upvalueindex(UP_PENDING), (lua_Integer)future->slot + 1);
}

static void swap(lua_State *L, int a, int b)
{
    lua_pushvalue(L, a);
    lua_copy(L, b, a);
    lua_replace(L, b);
}

/* Encodes the call at first..last, behind `extra` functions in front of it and what says which these are, into the letter. On refusal the reason is raised, the letter freed. */
static void encode_call(lua_State *L, const struct lua_pool *pool, int first, int last, int extra, uint64_t code, struct message **letter,
                        struct future *future)
{
    const struct value_mode mode = {.unnumbered = extra + !code, .remote = pool->remote};
    struct header *h = message_header(*letter);
    if (code) {
        h->flags |= FLAG_CODE;
        h->code = code;
        for (int i = first; i > first - extra; i--)
            swap(L, i, i - 1); /* the function goes in front of the extra ones */
        first++;
    }
    if (extra)
        h->flags |= FLAG_EXTRA;
    if (value_encode(L, first - extra, last, "argument", &mode, &(*letter)->bytes) == 0)
        return;
    message_destroy(letter);
    forget(L, future);
    lua_error(L);
}

/* The name is that of the options at index 2. */
static void append_order(lua_State *L, struct message **letter, const struct job_order *order, struct future *future)
{
    if (lua_order_append(L, 2, order, *letter) == 0)
        return;
    message_destroy(letter);
    forget(L, future);
    luaL_error(L, "not enough memory");
}

static void post(lua_State *L, struct lua_pool *pool, struct message **letter, struct future *future)
{
    if (!future)
        message_header(*letter)->id = ear_new_id(pool->ear);
    int rc = ear_post(pool->ear, future, letter);
    if (rc == 0)
        return;
    forget(L, future);
    luaL_error(L, "cannot submit: %s", troupe_strerror(rc));
}

struct submission {
    int first, last;  /* on the stack: function, arguments */
    int extra;        /* values in front of them: see push_extra */
    struct job_order *order;
    struct lua_place *place; /* NULL: none */
    bool discard, apart;
};

static int submit(lua_State *L, const struct submission *s)
{
    bool discard = s->discard;
    struct lua_pool *pool = lua_pool_check_open(L);
    luaL_checkstack(L, 8, NULL);
    uint64_t code = code_of(L, pool, s->first);
    struct future *future = NULL;
    if (!discard)
        future = lua_job_push(L, pool->ear, pool->id, lua_upvalueindex(UP_JOB), lua_upvalueindex(UP_PENDING));
    if (future && s->order && s->order->gang_size)
        s->order->gang = future->id;
    struct message *m = new_letter(L, MAIL_SUBMIT, pool);
    if (discard)
        message_header(m)->flags |= FLAG_DISCARD;
    encode_call(L, pool, s->first, s->last, s->extra, code, &m, future);
    if (s->order)
        append_order(L, &m, s->order, future);
    post(L, pool, &m, future);
    if (s->place)
        lua_place_leave(s->place);
    if (future && s->order && s->order->every > 0)
        lua_job_repeat(L);
    if (future && !s->apart)
        lua_job_shelve(future, &pool->shelf);
    return discard ? 0 : 1;
}

/* True for a table of a function and at most `discard`: with any other option the table is Lua's matter. */
static bool only_discards(lua_State *L, int index, bool *discard)
{
    bool only = true;
    *discard = false;
    lua_pushnil(L);
    while (only && lua_next(L, index)) {
        bool named = lua_type(L, -2) == LUA_TSTRING && strcmp(lua_tostring(L, -2), "discard") == 0;
        if (named && lua_isboolean(L, -1))
            *discard = lua_toboolean(L, -1);
        else
            only = lua_isinteger(L, -2) && lua_tointeger(L, -2) == 1 && lua_isfunction(L, -1);
        lua_pop(L, 1);
    }
    if (!only)
        lua_pop(L, 1);
    return only && lua_rawlen(L, index) == 1;
}

static int submitted_in_lua(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    return lua_gettop(L);
}

/* What has options goes on in lua/troupe/pool/submit.lua. */
static int submit_in_lua(lua_State *L)
{
    lua_getfield(L, lua_upvalueindex(UP_CLASS), "_submit_with");
    lua_insert(L, 1);
    lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, submitted_in_lua); /* it may wait for a place */
    return lua_gettop(L);
}

/* (pool, function or table of it and options, ...) -> job, or nothing with discard */
static int pool_submit(lua_State *L)
{
    bool discard = false;
    int type = lua_type(L, 2);
    luaL_checkstack(L, 4, NULL);
    if (lua_pool_check_open(L)->particular) {
        return submit_in_lua(L);
    } else if (type == LUA_TTABLE && only_discards(L, 2, &discard)) {
        lua_rawgeti(L, 2, 1);
        lua_replace(L, 2);
    } else if (type == LUA_TTABLE) {
        return submit_in_lua(L);
    } else if (type != LUA_TFUNCTION && type != LUA_TSTRING) {
        luaL_typeerror(L, 2, "function, string or table of options");
    }
    const struct submission s = {.first = 2, .last = lua_gettop(L), .discard = discard};
    return submit(L, &s);
}

static bool boolean_field(lua_State *L, const char *name)
{
    lua_getfield(L, 2, name);
    bool v = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return v;
}

/* Puts the options' functions that go with the call, and its name, before it, and in front of them what says which they are: how many
 * values. */
static int push_extra(lua_State *L)
{
    static const char *const names[] = {"cleanup", "on_done_in_worker", "name"}; /* in the order of enum job_extra's bits */
    lua_Integer which = 0;
    int count = 0;
    luaL_checkstack(L, 4, NULL);
    for (int i = 0; i < 3; i++) {
        if (lua_getfield(L, 2, names[i]) == LUA_TNIL) {
            lua_pop(L, 1);
            continue;
        }
        which |= 1 << i;
        lua_insert(L, 3 + count++);
    }
    if (!which)
        return 0;
    lua_pushinteger(L, which);
    lua_insert(L, 3);
    return 1 + count;
}

/* (pool, checked options, function, ...) -> job, or nothing with discard */
static int pool_submit_ordered(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TTABLE);
    struct job_order order = lua_order_of_job(L, 2);
    static const struct job_order none;
    bool discard = boolean_field(L, "discard"), apart = boolean_field(L, "apart");
    struct lua_place *place = lua_place_of(L, 2, "placed");
    if (place)
        order.place = lua_place_id(place);
    bool plain = memcmp(&order, &none, sizeof order) == 0;
    int extra = push_extra(L);
    const struct submission s = {.first = 3 + extra, .last = lua_gettop(L), .extra = extra, .order = plain ? NULL : &order,
                                 .place = place, .discard = discard, .apart = apart};
    return submit(L, &s);
}

/* (pool, checked options or nil, function, items, from, to) -> batch that calls function(item) for each of them */
static int pool_submit_batch(lua_State *L)
{
    struct lua_pool *pool = lua_pool_check_open(L);
    bool ordered = lua_istable(L, 2);
    struct job_order order = {0};
    if (ordered)
        order = lua_order_of_job(L, 2);
    lua_Integer from = luaL_checkinteger(L, 5), to = luaL_checkinteger(L, 6);
    luaL_checktype(L, 4, LUA_TTABLE);
    luaL_argcheck(L, to >= from && to - from < 100000, 6, "a batch has 1 to 100000 items");
    luaL_checkstack(L, (int)(to - from) + 12, "too many items in one batch");
    uint64_t code = code_of(L, pool, 3);
    int function = lua_gettop(L) + 1, last = function + (int)(to - from) + 1;
    lua_pushvalue(L, 3);
    for (lua_Integer i = from; i <= to; i++)
        lua_geti(L, 4, i);
    struct future *future = lua_batch_push(L, pool->ear, pool->id, lua_upvalueindex(UP_BATCH), lua_upvalueindex(UP_PENDING));
    struct message *m = new_letter(L, MAIL_SUBMIT, pool);
    message_header(m)->flags |= FLAG_BATCH | (order.retries ? FLAG_STRICT : 0);
    encode_call(L, pool, function, last, 0, code, &m, future);
    if (ordered)
        append_order(L, &m, &order, future);
    post(L, pool, &m, future);
    return 1;
}

/* The places that the settings at index 1 allow. A worker process has none of them here: the node does, and is asked. */
static void make_gate(lua_State *L, struct lua_pool *self)
{
    lua_getfield(L, 1, "queue_limit");
    lua_getfield(L, 1, "preload");
    if (lua_toboolean(L, -1) && self->remote)
        luaL_error(L, "troupe.pool: option 'preload': C functions cannot cross to another process");
    lua_pop(L, 1);
    if (lua_toboolean(L, -1) && mailbox_house() == 0 && !(self->gate = gate_new(lua_tointeger(L, -1))))
        luaL_error(L, "not enough memory");
    lua_pop(L, 1);
}

/* The letter holds the gate for the node. */
static int post_open(struct lua_pool *self, struct message **letter)
{
    struct gate *held = self->gate;
    if (held)
        gate_hold(held);
    int rc = ear_post(self->ear, NULL, letter);
    if (rc)
        gate_release(&held);
    return rc;
}

/* (settings [, init, args...]) -> pool. Arguments were checked in Lua. */
static int pool_new(lua_State *L)
{
    int top = lua_gettop(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    struct ear *ear = loop_ear(lua_loop_with_node(L));
    struct lua_pool *self = lua_newuserdatauv(L, sizeof *self, 1);
    *self = (struct lua_pool){.ear = ear, .id = node_new_pool_id(), .closed = true};
    shelf_init(&self->shelf, ear);
    lua_pushvalue(L, lua_upvalueindex(UP_CLASS));
    lua_setmetatable(L, -2);
    lua_getfield(L, 1, "process");
    lua_getfield(L, 1, "workers");
    self->workers = (int)lua_tointeger(L, -1);
    self->remote = lua_toboolean(L, -2) || mailbox_house() != 0;
    lua_pop(L, 2);
    const struct value_mode with_function = {.unnumbered = 1, .remote = self->remote};
    make_gate(L, self);
    struct message *m = new_letter(L, MAIL_OPEN, self);
    int rc = lua_order_of_pool(L, 1, top >= 2, self->gate, m);
    if (rc == 0 && top >= 2 && value_encode(L, 2, top, "init argument", &with_function, &m->bytes)) {
        message_destroy(&m);
        return lua_error(L);
    }
    if (rc == 0)
        rc = post_open(self, &m);
    message_destroy(&m);
    if (rc)
        luaL_error(L, "cannot open the pool: %s", troupe_strerror(rc));
    self->closed = false;
    return 1;
}

/* (pool) from now on, all its submits go through Lua */
static int pool_be_particular(lua_State *L)
{
    lua_pool_check(L)->particular = true;
    return 0;
}

/* (pool, timeout) -> the next job that ended and was not asked about; nothing when none is in flight or the time is up */
static int pool_next_ended(lua_State *L)
{
    struct lua_pool *self = lua_pool_check(L);
    double deadline = lua_loop_deadline(L, 2);
    lua_settop(L, 2);
    return shelf_await(L, &self->shelf, deadline);
}

/* (pool) gives up its hold on the jobs that ended, and those in flight: as it is collected. */
static int pool_forget(lua_State *L)
{
    struct lua_pool *self = lua_pool_check(L);
    shelf_clear(L, &self->shelf);
    gate_release(&self->gate);
    return 0;
}

/* (pool) -> a job in flight, nothing when there is none */
static int pool_flying(lua_State *L)
{
    return shelf_push_flying(L, &lua_pool_check(L)->shelf);
}

/* (pool, soon) closes it without waiting. */
static int pool_close(lua_State *L)
{
    struct lua_pool *self = lua_pool_check(L);
    if (self->closed)
        return 0;
    self->closed = true;
    struct message *m = self->guest ? NULL : message_new(MAIL_CLOSE);
    if (!m)
        return 0; /* it is closed with its vm */
    message_header(m)->pool = self->id;
    message_header(m)->flags = FLAG_SOON;
    ear_post(self->ear, NULL, &m);
    return 0;
}

/* (length) -> an empty table with room for so many */
static int sized_table(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 1);
    lua_createtable(L, n > 0 && n < INT32_MAX ? (int)n : 0, 0);
    return 1;
}

static int pool_id(lua_State *L)
{
    lua_pushinteger(L, lua_pool_check(L)->id);
    return 1;
}

static int pool_workers(lua_State *L)
{
    lua_pushinteger(L, lua_pool_check(L)->workers);
    return 1;
}

static int pool_is_closed(lua_State *L)
{
    lua_pushboolean(L, lua_pool_check(L)->closed);
    return 1;
}

static void push_known(lua_State *L)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
}

int lua_pool_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"new", pool_new}, {"submit", pool_submit}, {"submit_ordered", pool_submit_ordered}, {"submit_batch", pool_submit_batch},
        {"close", pool_close}, {"be_particular", pool_be_particular}, {"next_ended", pool_next_ended}, {"forget", pool_forget}, {"flying", pool_flying},
        {"turn_batches", lua_batch_turn}, {"wake_batches", lua_batch_wake}, {"on_outcome", lua_outcome_set}, {"on_question", lua_question_set}, {"on_output", lua_output_set}, {"id", pool_id},
        {"workers", pool_workers}, {"table", sized_table}, {"is_closed", pool_is_closed}, {NULL, NULL}};
    luaL_newlibtable(L, functions);
    luaL_newmetatable(L, "troupe.pool");
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "class");
    lua_job_push_class(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, -4, "job_class");
    lua_batch_push_class(L);
    lua_job_push_pending(L);
    push_known(L);
    lua_pool_add_questions(L);
    luaL_setfuncs(L, functions, UP_COUNT);
    return 1;
}
