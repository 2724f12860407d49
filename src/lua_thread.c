/* lua_thread.c - the handle of an llthreads child: what `thread:method()` does.
 *
 *     new -> attached [start()]                 results wait for join
 *     new -> attached [start(false, false)]     no results: join says true, 0
 *     new -> detached [start(true)]             on its own; join says nil, message
 *     new -> detached [start(true, true)]       on its own; join says true, 0
 *     started -> joined [join]                  the child is gone
 *     any -> gone [__gc, __close]
 *
 *  1. handle.child is NULL only before `new` has made it and after a join or the end of the handle;
 *  2. a collection never waits: running attached children become orphans (lua_orphans.c). lua_close and
 *     __close wait.
 */
#include <errno.h>
#include <string.h>

#include <lauxlib.h>

#include "clock.h"
#include "lua_child.h"
#include "lua_llthreads.h"
#include "lua_loop.h"
#include "troupe.h"
#include "value.h"
#include "vm_task.h"

struct handle {
    struct child *child; /* first: `slot` of lua_thread_push */
    bool started, detached, joinable, joined;
};

static const char TYPE[] = "LLThread";

static struct handle *check_handle(lua_State *L)
{
    struct handle *self = luaL_checkudata(L, 1, TYPE);
    luaL_argcheck(L, self->child || self->joined, 1, "thread expected");
    return self;
}

static int push_failure(lua_State *L, const char *message)
{
    luaL_pushfail(L);
    lua_pushstring(L, message);
    return 2;
}

static int handle_start(lua_State *L)
{
    struct handle *self = check_handle(L);
    bool detached = lua_toboolean(L, 2);
    bool joinable = lua_isnone(L, 3) ? !detached : lua_toboolean(L, 3);
    if (self->started)
        return push_failure(L, "Thread already started.");
    int rc = child_start(self->child, joinable && !detached);
    if (rc)
        return push_failure(L, strerror(rc == TROUPE_ENOMEM ? ENOMEM : EAGAIN));
    self->started = true;
    self->detached = detached;
    self->joinable = joinable;
    lua_settop(L, 1);
    return 1;
}

/* Why the thread cannot be joined; NULL when it can. */
static const char *unjoinable(const struct handle *self)
{
    if (!self->started)
        return "Can't join a thread that hasn't be started.";
    if (self->detached && !self->joinable)
        return "Can't join a thread that has been detached.";
    if (self->joined)
        return "Can't join a thread that has already been joined.";
    return NULL;
}

/* Waits. A signal ends the wait only when its handler wants this code to stop, which it says with a hook:
 * an interrupt of ours, or Ctrl-C in the interpreter. */
static int await(lua_State *L, struct handle *self, double timeout)
{
    lua_Hook hook = lua_gethook(L);
    double end = timeout > 0 ? clock_now() + timeout : 0;
    for (;;) {
        int rc = child_join(self->child, timeout);
        if (rc != TROUPE_EINTR || lua_gethook(L) != hook)
            return rc;
        if (timeout > 0)
            timeout = end > clock_now() ? end - clock_now() : 0;
    }
}

/* Lua: (child as pointer) -> true, its results; or false and its error. */
static int decode_outcome(lua_State *L)
{
    struct child *child = lua_touserdata(L, 1);
    static const struct value_mode mode;
    const struct buffer *outcome;
    int count;
    lua_settop(L, 0);
    bool failed = child_outcome(child, &outcome);
    lua_pushboolean(L, !failed);
    if (failed) {
        lua_pushliteral(L, "Error from child thread: ");
        lua_pushlstring(L, outcome->data ? (const char *)outcome->data : "", outcome->size);
        lua_concat(L, 2);
    } else if (value_decode(L, outcome->data, outcome->size, &mode, &count)) {
        lua_pushboolean(L, 0);
        lua_replace(L, 1);
    }
    return lua_gettop(L);
}

/* Pushes what join returns. The child is gone even when there is no memory for its results. */
static int push_outcome(lua_State *L, struct handle *self)
{
    lua_settop(L, 1);
    lua_pushcfunction(L, decode_outcome);
    lua_pushlightuserdata(L, self->child);
    int status = lua_pcall(L, 1, LUA_MULTRET, 0);
    self->joined = true;
    lua_child_release(L, &self->child);
    return status == LUA_OK ? lua_gettop(L) - 1 : lua_error(L);
}

/* The child has ended, or rc says why it is not waited for any longer. */
static int finish_join(lua_State *L, struct handle *self, int rc)
{
    if (rc)
        return push_failure(L, troupe_strerror(rc));
    if (self->joinable && !self->detached)
        return push_outcome(L, self);
    self->joined = true;
    lua_child_release(L, &self->child);
    lua_pushboolean(L, 1);
    lua_pushinteger(L, 0);
    return 2;
}

/* The thread is at 1. */
static int waited(lua_State *L, int status, lua_KContext context)
{
    struct handle *self = lua_touserdata(L, 1);
    (void)status;
    (void)context;
    if (self->joined)
        return push_failure(L, unjoinable(self)); /* another task was first */
    return finish_join(L, self, child_join(self->child, 0));
}

static int join_among_tasks(lua_State *L, struct handle *self, double timeout)
{
    int rc = lua_child_watch(L, self->child);
    if (rc)
        return push_failure(L, troupe_strerror(rc));
    lua_loop_wait(L, lua_child_has_ended, self->child, timeout < 0 ? -1 : clock_now() + timeout, 0, waited);
    return waited(L, LUA_OK, 0);
}

static int handle_join(lua_State *L)
{
    struct handle *self = check_handle(L);
    double timeout = luaL_optnumber(L, 2, -1);
    luaL_argcheck(L, timeout == timeout, 2, "milliseconds expected");
    const char *why = unjoinable(self);
    if (why)
        return push_failure(L, why);
    struct vm_tasks *tasks = timeout == 0 || child_ended(self->child) ? NULL : vm_tasks_of(L);
    if (tasks && vm_tasks_count(tasks) > 0)
        return join_among_tasks(L, self, timeout / 1000);
    return finish_join(L, self, await(L, self, timeout / 1000));
}

static int handle_alive(lua_State *L)
{
    struct handle *self = check_handle(L);
    const char *why = unjoinable(self);
    if (why)
        return push_failure(L, why);
    lua_pushboolean(L, !child_ended(self->child));
    return 1;
}

static int handle_started(lua_State *L)
{
    lua_pushboolean(L, check_handle(L)->started);
    return 1;
}

static int handle_detached(lua_State *L)
{
    lua_pushboolean(L, check_handle(L)->detached);
    return 1;
}

static int handle_joinable(lua_State *L)
{
    lua_pushboolean(L, check_handle(L)->joinable);
    return 1;
}

static int handle_interrupt(lua_State *L)
{
    struct handle *self = check_handle(L);
    enum vm_interrupt how = VM_INTERRUPT_ONCE;
    if (!lua_isnoneornil(L, 2))
        how = lua_toboolean(L, 2) ? VM_INTERRUPT_ALWAYS : VM_INTERRUPT_OFF;
    if (self->child)
        child_interrupt(self->child, how);
    return 0;
}

/* thread:name(text): what its OS thread is called. For wrappers that hide the chunk, before the start. */
static int handle_name(lua_State *L)
{
    struct handle *self = check_handle(L);
    const char *name = luaL_checkstring(L, 2);
    if (!self->started)
        child_set_name(self->child, name);
    lua_settop(L, 1);
    return 1;
}

static int handle_tostring(lua_State *L)
{
    lua_pushfstring(L, "%s: %p", TYPE, luaL_checkudata(L, 1, TYPE));
    return 1;
}

static bool is_attached(const struct handle *self)
{
    return self->child && self->started && !self->detached;
}

static int handle_close(lua_State *L)
{
    struct handle *self = luaL_checkudata(L, 1, TYPE);
    if (is_attached(self))
        while (await(L, self, -1) == TROUPE_EINTR)
            ;
    lua_child_release(L, &self->child);
    return 0;
}

static int handle_gc(lua_State *L)
{
    struct handle *self = luaL_checkudata(L, 1, TYPE);
    if (!is_attached(self) || child_ended(self->child))
        lua_child_release(L, &self->child);
    else if (lua_orphans_closing(L, 1))
        return handle_close(L);
    else
        lua_orphans_take(L, &self->child);
    return 0;
}

static void push_metatable(lua_State *L)
{
    static const luaL_Reg methods[] = {
        { "alive", handle_alive },         { "detached", handle_detached }, { "interrupt", handle_interrupt },
        { "join", handle_join },           { "joinable", handle_joinable }, { "name", handle_name },
        { "start", handle_start },         { "started", handle_started },   { "__close", handle_close },
        { "__gc", handle_gc },             { "__tostring", handle_tostring }, { NULL, NULL }
    };
    if (luaL_newmetatable(L, TYPE)) {
        lua_orphans_open(L);
        luaL_setfuncs(L, methods, 0);
        lua_pushvalue(L, -1);
        lua_setfield(L, -2, "__index");
    }
}

void lua_thread_push(lua_State *L, struct child ***slot)
{
    struct handle *self = lua_newuserdatauv(L, sizeof *self, 0);
    memset(self, 0, sizeof *self);
    *slot = &self->child;
    push_metatable(L);
    lua_setmetatable(L, -2);
    lua_orphans_mark(L, -1);
}
