/* lua_stream.c - what a job sends its owner while it runs: letters in a queue, decoded when they are taken.
 *
 * Invariants:
 *  1. a job that has sent something, or is streamed, has a stream in the table `streams`, under itself, weakly: it has
 *     `streams` set, and the stream is gone with it;
 *  2. the job may be a window of letters ahead of what was taken here. That is told it at half a window each: so it waits
 *     only for a program that takes nothing;
 *  3. letters of an earlier run of the job are given out like others, and answered to nobody.
 */
#include "lua_stream.h"

#include <lauxlib.h>

#include "lua_loop.h"
#include "run_note.h"
#include "troupe.h"
#include "value.h"

enum { WINDOW_DEFAULT = 64 };

struct stream {
    const struct lua_job *job;
    struct message *first, *last;
    struct message *progress; /* the latest; NULL: none */
    uint64_t run;        /* of the last letter that came */
    uint64_t told;       /* the last number that the run was told to be taken */
    uint64_t synced;     /* the number of what was taken and waits to be resumed; 0: none */
    uint64_t synced_run;
    uint32_t window;     /* 0: the default */
    int takers;          /* iterators open */
    bool lifted;         /* no window, for this run */
};

static const char streams_key, stream_class;

static int forget(lua_State *L)
{
    struct stream *self = lua_touserdata(L, 1);
    message_destroy_list(&self->first);
    message_destroy(&self->progress);
    return 0;
}

static void push_streams(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &streams_key) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &streams_key);
}

static void push_class(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &stream_class) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, forget);
    lua_setfield(L, -2, "__gc");
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &stream_class);
}

/* The stream of the job at `index`; NULL: it has none. */
static struct stream *find(lua_State *L, const struct lua_job *self, int index)
{
    if (!self->streams)
        return NULL;
    lua_checkstack(L, 4);
    index = lua_absindex(L, index);
    push_streams(L);
    lua_pushvalue(L, index);
    lua_rawget(L, -2);
    struct stream *s = lua_touserdata(L, -1);
    lua_pop(L, 2);
    return s;
}

/* Lua: (job) gives it a stream. */
static int make(lua_State *L)
{
    struct lua_job *job = lua_touserdata(L, 1);
    struct stream *s = lua_newuserdatauv(L, sizeof *s, 0);
    *s = (struct stream){.job = job};
    push_class(L);
    lua_setmetatable(L, -2);
    push_streams(L);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_rawset(L, -3);
    job->streams = true;
    return 0;
}

static struct stream *need(lua_State *L, struct lua_job *self, int index)
{
    if (!self->streams) {
        index = lua_absindex(L, index);
        lua_pushcfunction(L, make);
        lua_pushvalue(L, index);
        lua_call(L, 1, 0);
    }
    return find(L, self, index);
}

/* Tells the node of the job's stream; without an answer. */
static void tell(const struct lua_job *self, enum message_kind kind, uint64_t number, uint64_t run, uint16_t flags)
{
    struct message *m = self->status == PENDING ? message_new(kind) : NULL;
    if (!m)
        return;
    struct header *h = message_header(m);
    h->pool = self->pool;
    h->id = self->future.id;
    h->flags = flags;
    h->code = run;
    h->u.number = (int64_t)number;
    ear_post(self->ear, NULL, &m);
}

static void lift(const struct lua_job *self, struct stream *s)
{
    if (s->lifted || s->takers > 0)
        return;
    s->lifted = true;
    tell(self, MAIL_WINDOW, RUN_WINDOW_OPEN, 0, 0);
}

void lua_stream_take(lua_State *L, struct lua_job *self, struct message **letter)
{
    lua_checkstack(L, 4);
    if (!self->streams) {
        lua_pushcfunction(L, make);
        lua_pushvalue(L, -2);
        if (lua_pcall(L, 1, 0, 0)) {
            lua_pop(L, 1);
            return; /* no memory: it is lost, as are others that come now */
        }
    }
    struct stream *s = find(L, self, -1);
    const struct header *h = message_header(*letter);
    if (h->flags & FLAG_PROGRESS) {
        message_destroy(&s->progress);
        s->progress = *letter;
        *letter = NULL;
        return;
    }
    if (h->code != s->run) { /* the job runs again, with the window that the node gave it */
        s->run = h->code;
        s->told = 0;
        s->lifted = false;
    }
    if (s->last)
        s->last->next = *letter;
    else
        s->first = *letter;
    s->last = *letter;
    (*letter)->next = NULL;
    *letter = NULL;
    if (self->waited || self->told || (self->place.shelf && self->place.shelf->watched))
        lift(self, s);
    lua_loop_wake(L, s);
}

void lua_stream_push_progress(lua_State *L, const struct lua_job *self, int index)
{
    static const struct value_mode mode;
    int count;
    const struct stream *s = find(L, self, index);
    const struct message *m = s ? s->progress : NULL;
    if (!m)
        lua_pushnil(L);
    else if (value_decode(L, message_body(m), message_body_size(m), &mode, &count))
        lua_error(L);
}

void lua_stream_end(lua_State *L, const struct lua_job *self)
{
    struct stream *s = find(L, self, -1);
    if (s)
        lua_loop_wake(L, s);
}

void lua_stream_lift(lua_State *L, struct lua_job *self, int index)
{
    self->waited = true;
    struct stream *s = find(L, self, index);
    if (!s)
        return;
    lift(self, s);
}

void lua_stream_lift_all(lua_State *L, const struct shelf *shelf)
{
    push_streams(L);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        struct stream *s = lua_touserdata(L, -1);
        if (s->job->place.shelf == shelf)
            lift(s->job, s);
    }
    lua_pop(L, 1);
}

void lua_stream_forget(struct lua_job *self)
{
    tell(self, MAIL_WINDOW, RUN_WINDOW_OPEN, 0, FLAG_DISCARD);
}

/* (job [, window]) someone takes what it sends from now on */
int lua_stream_open(lua_State *L)
{
    struct lua_job *self = lua_job_check(L);
    lua_Integer window = luaL_optinteger(L, 2, 0);
    luaL_argcheck(L, lua_isnoneornil(L, 2) || (window >= 1 && window < RUN_WINDOW_OPEN), 2, "a window of at least 1 expected");
    luaL_argcheck(L, self->status != DETACHED, 1, "a job that was not detached expected");
    struct stream *s = need(L, self, 1);
    s->takers++;
    if (window) {
        s->window = (uint32_t)window;
        s->lifted = false;
        tell(self, MAIL_WINDOW, s->window, 0, 0);
    }
    return 0;
}

/* (job) an iterator was left, or is at its end: a job that goes on is asked to end */
int lua_stream_close(lua_State *L)
{
    struct lua_job *self = lua_job_check(L);
    struct stream *s = find(L, self, 1);
    if (s && s->takers > 0)
        s->takers--;
    tell(self, MAIL_HALT, 0, 0, 0);
    return 0;
}

static bool has_news(const void *context)
{
    const struct stream *s = context;
    return s->first || !s->job->future.pending;
}

/* The letter has been taken: its job learns of it, in time to go on sending. */
static void acknowledge(const struct lua_job *self, struct stream *s, const struct header *h)
{
    uint64_t number = (uint64_t)h->u.number, window = s->window ? s->window : WINDOW_DEFAULT;
    if (h->flags & FLAG_SYNC) {
        s->synced = number;
        s->synced_run = h->code;
    }
    if (s->lifted || h->code != s->run || (number - s->told) * 2 < window)
        return;
    s->told = number;
    tell(self, MAIL_TAKEN, number, h->code, 0);
}

/* Lua: (job) -> true, values...; false at the end; nil at the deadline */
static int next_on(lua_State *L, int status, lua_KContext context)
{
    static const struct value_mode mode;
    const struct lua_job *self = lua_touserdata(L, 1);
    int count;
    (void)status;
    (void)context;
    lua_settop(L, 1);
    struct stream *s = find(L, self, 1);
    struct message *m = s->first;
    if (!m) {
        if (self->status == PENDING)
            lua_pushnil(L);
        else
            lua_pushboolean(L, 0);
        return 1;
    }
    s->first = m->next;
    if (!s->first)
        s->last = NULL;
    acknowledge(self, s, message_header(m));
    lua_pushboolean(L, 1);
    int rc = value_decode(L, message_body(m), message_body_size(m), &mode, &count);
    message_destroy(&m);
    if (rc)
        lua_error(L);
    return 1 + count;
}

/* (job [, timeout]) */
int lua_stream_next(lua_State *L)
{
    struct lua_job *self = lua_job_check(L);
    double deadline = lua_loop_deadline(L, 2);
    luaL_argcheck(L, self->status != DETACHED, 1, "a job that was not detached expected");
    lua_settop(L, 1);
    struct stream *s = need(L, self, 1);
    lua_loop_wait(L, has_news, s, deadline, 0, next_on);
    return next_on(L, LUA_OK, 0);
}

/* (job [, stop]) -> true when what it synced was taken, and it goes on now, or ends */
int lua_stream_resume(lua_State *L)
{
    struct lua_job *self = lua_job_check(L);
    struct stream *s = find(L, self, 1);
    bool waits = s && s->synced && self->status == PENDING;
    if (waits)
        tell(self, MAIL_RESUME, s->synced, s->synced_run, lua_toboolean(L, 2) ? FLAG_STOPPED : 0);
    if (s)
        s->synced = 0;
    lua_pushboolean(L, waits);
    return 1;
}
