/* lua_orphans.c - running children whose handles were collected.
 *
 * A collector that joined them would stop the program for as long as they run, and for ever when they loop.
 * So they go on, and are awaited when their parent's state is closed: GRACE seconds all together, for the
 * work that is nearly done; then they are interrupted, and after WRIT seconds more those blocked beyond reach
 * are left to the end of the process.
 *
 *  1. the userdata that holds the orphans is made before any handle, so lua_close finalises it after them;
 *  2. a weak table knows the handles by address: a collection clears the entry before the finaliser runs,
 *     lua_close does not;
 *  3. each new orphan has two old ones looked at, so that ended ones do not pile up.
 */
#include <stdlib.h>

#include <lauxlib.h>

#include "clock.h"
#include "lua_llthreads.h"
#include "troupe.h"

static const double GRACE = 3, WRIT = 1;

struct orphan {
    struct orphan *next;
    struct child *child;
};

struct orphans {
    struct orphan *first, **last; /* oldest look first */
};

static const char holder_key, marks_key;

static struct orphan *pop(struct orphans *self)
{
    struct orphan *orphan = self->first;
    if (!orphan)
        return NULL;
    self->first = orphan->next;
    if (!self->first)
        self->last = &self->first;
    return orphan;
}

static void append(struct orphans *self, struct orphan *orphan)
{
    orphan->next = NULL;
    *self->last = orphan;
    self->last = &orphan->next;
}

static void drop(struct orphan *orphan)
{
    child_release(&orphan->child);
    free(orphan);
}

/* Looks at the oldest: gone when it has ended, else to the end of the queue. */
static void look(struct orphans *self)
{
    struct orphan *orphan = pop(self);
    if (orphan && child_ended(orphan->child))
        drop(orphan);
    else if (orphan)
        append(self, orphan);
}

static void await(struct orphans *self, double until)
{
    for (struct orphan *orphan = self->first; orphan; orphan = orphan->next) {
        double left;
        do
            left = until - clock_now();
        while (child_join(orphan->child, left > 0 ? left : 0) == TROUPE_EINTR);
    }
}

/* __gc of the holder: the state is being closed. */
static int finalise(lua_State *L)
{
    struct orphans *self = luaL_testudata(L, 1, "LLThread orphans");
    if (!self || !self->first)
        return 0;
    await(self, clock_now() + GRACE);
    for (struct orphan *orphan = self->first; orphan; orphan = orphan->next)
        child_interrupt(orphan->child, VM_INTERRUPT_ALWAYS);
    await(self, clock_now() + WRIT);
    for (struct orphan *orphan; (orphan = pop(self)) != NULL;)
        drop(orphan);
    return 0;
}

static void push_marks(lua_State *L)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
}

void lua_orphans_open(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &holder_key) == LUA_TNIL) {
        push_marks(L);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &marks_key);
        struct orphans *self = lua_newuserdatauv(L, sizeof *self, 0);
        self->first = NULL;
        self->last = &self->first;
        luaL_newmetatable(L, "LLThread orphans");
        lua_pushcfunction(L, finalise);
        lua_setfield(L, -2, "__gc");
        lua_setmetatable(L, -2);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &holder_key);
    }
    lua_pop(L, 1);
}

void lua_orphans_take(lua_State *L, struct child **child)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &holder_key);
    struct orphans *self = lua_touserdata(L, -1);
    lua_pop(L, 1);
    look(self);
    look(self);
    struct orphan *orphan = malloc(sizeof *orphan);
    if (!orphan) { /* let go: it is not awaited, but neither lost nor in the way */
        child_release(child);
        return;
    }
    orphan->child = *child;
    *child = NULL;
    append(self, orphan);
}

void lua_orphans_mark(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &marks_key);
    lua_pushvalue(L, index);
    lua_rawsetp(L, -2, lua_touserdata(L, index));
    lua_pop(L, 1);
}

bool lua_orphans_closing(lua_State *L, int index)
{
    const void *handle = lua_touserdata(L, index);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &marks_key);
    bool there = lua_rawgetp(L, -1, handle) != LUA_TNIL;
    lua_pop(L, 2);
    return there;
}
