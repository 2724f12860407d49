/* lua_job.c - a job as its owner holds it: a future that becomes results or an error.
 *
 *     pending --RESULT--> finished | stopped | failed | cancelled | lost | killed
 *        `------------- detach --> detached
 *
 * Invariants:
 *  1. a pending job is anchored in the pending table under its slot + 1: the ear points into it. One that has ended
 *     stays there while its pool's shelf has it, until it is asked about;
 *  2. an outcome is decoded when it arrives: one plain scalar into `value`, anything else into the user value
 *     (one result: itself; several or none: a table with n; an error: a table {error, traceback});
 *  3. jobs have no finaliser: collecting a million of them costs nothing.
 */
#include "lua_job_inner.h"

#include <lauxlib.h>
#include <string.h>

#include "clock.h"
#include "lua_loop.h"
#include "lua_outcome.h"
#include "lua_stream.h"
#include "troupe.h"

static const char class_key, pending_key;

void lua_job_push_pending(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &pending_key) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &pending_key);
}

static void anchor(lua_State *L, const struct future *f, int pending, bool hold)
{
    if (hold)
        lua_pushvalue(L, -1);
    else
        lua_pushnil(L);
    lua_rawseti(L, pending, (lua_Integer)f->slot + 1);
}

/* A turn of the repeating job on top of the stack has ended: callbacks get a job of that turn's own. */
static void tell_turn(lua_State *L, const struct lua_job *self, struct message **letter)
{
    if (!self->told)
        return;
    struct lua_job *turn = lua_newuserdatauv(L, sizeof *turn, 1);
    *turn = (struct lua_job){.future.id = self->future.id, .ear = self->ear, .pool = self->pool};
    lua_job_push_class(L);
    lua_setmetatable(L, -2);
    lua_job_hold(L, turn, letter);
    lua_outcome_tell(L, 2);
    lua_pop(L, 1);
}

static bool resolve(struct future *future, struct message **letter, void *context)
{
    struct lua_job *self = (struct lua_job *)future;
    lua_State *L = context;
    lua_checkstack(L, 12);
    lua_job_push_pending(L);
    lua_rawgeti(L, -1, (lua_Integer)future->slot + 1);
    if (message_header(*letter)->kind == MAIL_EMIT) {
        lua_stream_take(L, self, letter);
        lua_pop(L, 2);
        return true;
    }
    self->runs += !(message_header(*letter)->flags & FLAG_CANCELLED);
    if (message_header(*letter)->flags & FLAG_MORE) {
        tell_turn(L, self, letter);
        lua_pop(L, 2);
        return true;
    }
    lua_job_hold(L, self, letter);
    bool stays = shelf_end(L, &self->place);
    if (!stays)
        anchor(L, future, lua_gettop(L) - 1, false);
    lua_loop_wake(L, future);
    lua_stream_end(L, self);
    if (self->told)
        lua_outcome_tell(L, 1);
    lua_pop(L, 2);
    return stays;
}

struct lua_job *lua_job_check(lua_State *L)
{
    struct lua_job *self = lua_touserdata(L, 1);
    bool has = self && lua_getmetatable(L, 1);
    if (!has || !(lua_rawequal(L, -1, lua_upvalueindex(1)) || lua_job_is_repeating(L)))
        luaL_typeerror(L, 1, "troupe.job");
    lua_pop(L, 1);
    return self;
}

/* Pushes the results of a finished job. */
static int push_results(lua_State *L, struct lua_job *self)
{
    switch ((enum held)self->held) {
    case HELD_NIL:
        lua_pushnil(L);
        return 1;
    case HELD_BOOLEAN:
        lua_pushboolean(L, self->value.boolean);
        return 1;
    case HELD_INTEGER:
        lua_pushinteger(L, self->value.integer);
        return 1;
    case HELD_FLOAT:
        lua_pushnumber(L, self->value.number);
        return 1;
    case HELD_ONE:
        lua_getiuservalue(L, 1, 1);
        return 1;
    case HELD_MANY:
        break;
    }
    lua_getiuservalue(L, 1, 1);
    int table = lua_gettop(L);
    lua_getfield(L, table, "n");
    int count = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    luaL_checkstack(L, count, "too many results");
    for (int i = 1; i <= count; i++)
        lua_rawgeti(L, table, i);
    lua_remove(L, table);
    return count;
}

/* Pushes the error value and its traceback, nil where there is none. */
static void push_error(lua_State *L, const struct lua_job *self)
{
    if (self->held == HELD_MANY) {
        lua_getiuservalue(L, 1, 1);
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        lua_remove(L, -3);
    } else {
        lua_getiuservalue(L, 1, 1);
        lua_pushnil(L);
    }
}

static int finish_join(lua_State *L, struct lua_job *self)
{
    if (self->status != PENDING)
        shelf_leave(L, &self->place);
    if (self->status == DETACHED)
        luaL_error(L, "the job was detached");
    if (self->status == PENDING) {
        lua_pushnil(L);
        lua_pushliteral(L, "timeout");
        return 2;
    }
    lua_pushboolean(L, lua_job_has_results(self));
    if (lua_job_has_results(self))
        return 1 + push_results(L, self);
    push_error(L, self);
    lua_pop(L, 1);
    return 2;
}

/* A text gets the worker's traceback behind it; any other value is raised as it is. */
static int finish_await(lua_State *L, struct lua_job *self)
{
    if (self->status != PENDING)
        shelf_leave(L, &self->place);
    if (self->status == DETACHED)
        luaL_error(L, "the job was detached");
    if (self->status == PENDING) {
        lua_pushnil(L);
        lua_pushliteral(L, "timeout");
        return 2;
    }
    if (lua_job_has_results(self))
        return push_results(L, self);
    push_error(L, self);
    bool trace = lua_type(L, -2) == LUA_TSTRING && lua_rawlen(L, -1) > 0;
    if (trace)
        lua_pushfstring(L, "%s\nworker's %s", lua_tostring(L, -2), lua_tostring(L, -1));
    else
        lua_pop(L, 1);
    return lua_error(L);
}

typedef int finisher(lua_State *L, struct lua_job *self);

static int finish(lua_State *L, int status, lua_KContext context)
{
    finisher *f = (finisher *)context;
    (void)status;
    return f(L, lua_touserdata(L, 1));
}

/* Waits for the job's end, then `f` says what is returned. */
static int wait_and(lua_State *L, finisher *f)
{
    struct lua_job *self = lua_job_check(L);
    double deadline = lua_loop_deadline(L, 2);
    luaL_argcheck(L, self->status != DETACHED, 1, "a job that was not detached expected");
    if (self->status == PENDING) {
        lua_stream_lift(L, self, 1);
        lua_loop_await(L, &self->future, deadline, (lua_KContext)f, finish);
    }
    return f(L, self);
}

static int job_join(lua_State *L)
{
    return wait_and(L, finish_join);
}

static int job_await(lua_State *L)
{
    return wait_and(L, finish_await);
}

static struct header about(const struct lua_job *self, enum message_kind kind)
{
    return (struct header){.kind = (uint8_t)kind, .pool = self->pool, .id = self->future.id};
}

/* Asks the node about a pending job; false for any other. */
static int ask(lua_State *L, const struct lua_job *self, const struct header *question)
{
    if (self->status == PENDING)
        return lua_loop_ask(L, question, -1);
    lua_pushboolean(L, 0);
    return 1;
}

static int job_cancel(lua_State *L)
{
    const struct lua_job *self = lua_job_check(L);
    const struct header question = about(self, MAIL_CANCEL);
    return ask(L, self, &question);
}

static int job_stop(lua_State *L)
{
    const struct lua_job *self = lua_job_check(L);
    const struct header question = about(self, MAIL_HALT);
    return ask(L, self, &question);
}

/* (job [, grace]) -> true if it was live */
static int job_kill(lua_State *L)
{
    const struct lua_job *self = lua_job_check(L);
    lua_Number grace = luaL_optnumber(L, 2, 1);
    luaL_argcheck(L, grace >= 0, 2, "seconds of at least 0 expected");
    struct header question = about(self, MAIL_KILL);
    question.u.seconds = grace < 1e9 ? grace : 1e9;
    return ask(L, self, &question);
}

/* The word for what the job is: known here once it has ended, else the node's answer, on top. */
static int finish_status(lua_State *L, int status, lua_KContext context)
{
    static const char *const words[] = {
        [FINISHED] = "finished", [STOPPED] = "stopped", [FAILED] = "failed", [CANCELLED] = "cancelled", [LOST] = "failed",
        [KILLED] = "stopped", [DETACHED] = "detached"};
    const struct lua_job *self = lua_touserdata(L, 1);
    (void)status;
    (void)context;
    if (self->status != PENDING)
        lua_pushstring(L, words[self->status]);
    return 1;
}

static int ask_status(lua_State *L)
{
    const struct header question = about(lua_touserdata(L, 1), MAIL_STATUS);
    return lua_loop_ask(L, &question, -1);
}

static int job_status(lua_State *L)
{
    struct lua_job *self = lua_job_check(L);
    while (ear_turn(self->ear, L))
        ;
    if (self->status == PENDING) {
        lua_pushcfunction(L, ask_status);
        lua_pushvalue(L, 1);
        lua_callk(L, 1, 1, 0, finish_status);
    }
    return finish_status(L, LUA_OK, 0);
}

static int job_detach(lua_State *L)
{
    struct lua_job *self = lua_job_check(L);
    shelf_leave(L, &self->place);
    if (self->status == PENDING) {
        lua_stream_forget(self);
        ear_forget(self->ear, &self->future);
        lua_job_push_pending(L);
        anchor(L, &self->future, lua_gettop(L), false);
        self->status = DETACHED;
        lua_loop_wake(L, &self->future);
    }
    self->status = DETACHED;
    return 0;
}

static void set_time(lua_State *L, const char *name, double at)
{
    if (at <= 0)
        return;
    lua_pushnumber(L, at);
    lua_setfield(L, -2, name);
}

/* What is known of an ended job: the table is on top. */
static void add_end(lua_State *L, const struct lua_job *self)
{
    lua_pushinteger(L, self->attempt);
    lua_setfield(L, -2, "attempt");
    if (self->worker) {
        lua_pushinteger(L, self->worker);
        lua_setfield(L, -2, "worker");
    }
    set_time(L, "ended", self->ended);
    if (self->attempt && self->seconds > 0) {
        lua_pushnumber(L, self->seconds);
        lua_setfield(L, -2, "seconds");
        set_time(L, "started", self->ended - self->seconds);
    }
    if (self->status == FAILED) {
        push_error(L, self);
        lua_setfield(L, -3, "traceback");
        lua_pop(L, 1);
    }
}

/* The node's answer is on top, unless the job had ended before it was asked. */
static int finish_info(lua_State *L, int status, lua_KContext context)
{
    const struct lua_job *self = lua_touserdata(L, 1);
    (void)status;
    (void)context;
    bool live = self->status == PENDING && lua_istable(L, -1);
    if (!live) {
        lua_createtable(L, 0, 8);
        if (self->status == PENDING)
            lua_pushliteral(L, "unknown"); /* its pool is gone, and the outcome on its way */
        finish_status(L, LUA_OK, 0);
        lua_setfield(L, -2, "status");
    }
    lua_pushinteger(L, (lua_Integer)self->future.id);
    lua_setfield(L, -2, "id");
    set_time(L, "submitted", self->submitted);
    if (self->status != PENDING && self->status != DETACHED)
        add_end(L, self);
    lua_stream_push_progress(L, self, 1);
    lua_setfield(L, -2, "progress");
    return 1;
}

static int ask_info(lua_State *L)
{
    struct header question = about(lua_touserdata(L, 1), MAIL_STATUS);
    question.u.number = 1;
    return lua_loop_ask(L, &question, -1);
}

/* id, status, submitted; as far as there is such: worker, attempt, started, ended, seconds of the run, progress, traceback */
static int job_info(lua_State *L)
{
    struct lua_job *self = lua_job_check(L);
    lua_settop(L, 1);
    while (ear_turn(self->ear, L))
        ;
    if (self->status == PENDING) {
        lua_pushcfunction(L, ask_info);
        lua_pushvalue(L, 1);
        lua_callk(L, 1, 1, 0, finish_info);
    }
    return finish_info(L, LUA_OK, 0);
}

/* (job) -> the word for what it ended as, "pending" before: without asking anybody */
static int job_seen(lua_State *L)
{
    static const char *const words[] = {[PENDING] = "pending", [FINISHED] = "finished", [STOPPED] = "finished",
                                        [FAILED] = "failed", [KILLED] = "failed", [CANCELLED] = "cancelled", [LOST] = "lost", [DETACHED] = "detached"};
    lua_pushstring(L, words[lua_job_check(L)->status]);
    return 1;
}

/* (job) callbacks will want its outcome: core.on_outcome's function is called with it */
static int job_tell(lua_State *L)
{
    lua_job_check(L)->told = true;
    return 0;
}

static int job_id(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)lua_job_check(L)->future.id);
    return 1;
}

static int job_tostring(lua_State *L)
{
    struct lua_job *self = lua_job_check(L);
    lua_pushfstring(L, "troupe.job (%I)", (LUAI_UACINT)self->future.id);
    return 1;
}

void lua_job_push_class(lua_State *L)
{
    static const luaL_Reg methods[] = {{"await", job_await}, {"join", job_join}, {"cancel", job_cancel},
                                       {"stop", job_stop}, {"kill", job_kill}, {"status", job_status},
                                       {"detach", job_detach}, {"info", job_info}, {"resume", lua_stream_resume}, {"_open", lua_stream_open}, {"_close", lua_stream_close},
                                       {"_next", lua_stream_next}, {"_seen", job_seen}, {"_tell", job_tell}, {"_id", job_id},
                                       {"__tostring", job_tostring}, {NULL, NULL}};
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &class_key) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    luaL_newmetatable(L, "troupe.job");
    lua_pushvalue(L, -1);
    luaL_setfuncs(L, methods, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &class_key);
}

struct future *lua_job_push(lua_State *L, struct ear *ear, uint32_t pool, int class, int pending)
{
    struct lua_job *self = lua_newuserdatauv(L, sizeof *self, 1);
    *self = (struct lua_job){.future = {.resolve = resolve}, .ear = ear, .pool = pool, .submitted = clock_now()};
    lua_pushvalue(L, class);
    lua_setmetatable(L, -2);
    if (ear_expect(ear, &self->future))
        luaL_error(L, "not enough memory");
    anchor(L, &self->future, pending, true);
    return &self->future;
}

void lua_job_shelve(struct future *future, struct shelf *shelf)
{
    struct lua_job *self = (struct lua_job *)future;
    shelf_add(shelf, &self->place, future->slot);
}
