/* lua_pool_ask.c - what a pool's handle asks of the node; each waits for the answer. */
#include "lua_pool_inner.h"

#include <lauxlib.h>

#include "ear.h"
#include "loop.h"
#include "lua_loop.h"
#include "lua_place.h"
#include "mailbox_route.h"

/* (pool, soon, timeout) -> true when it has drained, nil at the timeout */
static int pool_shutdown(lua_State *L)
{
    struct lua_pool *self = lua_pool_check(L);
    double deadline = lua_loop_deadline(L, 3);
    self->closed = true;
    struct header question = {.kind = MAIL_CLOSE, .pool = self->id, .flags = lua_toboolean(L, 2) ? FLAG_SOON : 0};
    return lua_loop_ask(L, &question, deadline);
}

static int pool_stats(lua_State *L)
{
    struct lua_pool *self = lua_pool_check_open(L);
    struct header question = {.kind = MAIL_STATS, .pool = self->id};
    return lua_loop_ask(L, &question, -1);
}

/* (pool, delayed) -> true: all pending jobs are cancelled, with `delayed` those whose time has not come, too
 * (pool, false, id) -> true when that job will never run */
static int pool_cancel(lua_State *L)
{
    struct lua_pool *self = lua_pool_check_open(L);
    struct header question = {.kind = MAIL_CANCEL, .pool = self->id, .u.number = lua_toboolean(L, 2)};
    question.id = (uint64_t)luaL_optinteger(L, 3, 0);
    return lua_loop_ask(L, &question, -1);
}

/* (pool, timeout) -> true once nothing is pending, nil at the timeout */
static int pool_join(lua_State *L)
{
    struct lua_pool *self = lua_pool_check_open(L);
    struct header question = {.kind = MAIL_JOIN, .pool = self->id};
    return lua_loop_ask(L, &question, lua_loop_deadline(L, 2));
}

static int pool_resize(lua_State *L)
{
    struct lua_pool *self = lua_pool_check_open(L);
    lua_Integer workers = luaL_checkinteger(L, 2);
    luaL_argcheck(L, workers >= 1 && workers <= INT32_MAX, 2, "at least one worker");
    struct header question = {.kind = MAIL_RESIZE, .pool = self->id, .u.number = workers};
    self->workers = (int)workers;
    return lua_loop_ask(L, &question, -1);
}

/* (pool, paused) -> true */
static int pool_pause(lua_State *L)
{
    struct lua_pool *self = lua_pool_check_open(L);
    struct header question = {.kind = MAIL_PAUSE, .pool = self->id, .u.number = lua_toboolean(L, 2)};
    return lua_loop_ask(L, &question, -1);
}

/* () -> an array of arrays: id, name of each pool of the program; nil when there was no memory for it */
static int pool_list_all(lua_State *L)
{
    const struct header question = {.kind = MAIL_POOLS};
    return lua_loop_ask(L, &question, -1);
}

/* (id) -> workers, gate, whether they are processes, whether few may wait, in an array; nil when there is no such pool */
static int pool_find(lua_State *L)
{
    const struct header question = {.kind = MAIL_FIND, .pool = (uint32_t)luaL_checkinteger(L, 1)};
    return lua_loop_ask(L, &question, -1);
}

/* (id, workers, gate, process) -> a handle on a pool that was found */
static int pool_handle(lua_State *L)
{
    struct ear *ear = loop_ear(lua_loop_with_node(L));
    struct lua_pool *self = lua_newuserdatauv(L, sizeof *self, 1);
    *self = (struct lua_pool){.ear = ear, .id = (uint32_t)luaL_checkinteger(L, 1), .guest = true,
                              .workers = (int)luaL_checkinteger(L, 2),
                              .gate = (struct gate *)(uintptr_t)luaL_checkinteger(L, 3),
                              .remote = lua_toboolean(L, 4) || mailbox_house() != 0};
    shelf_init(&self->shelf, ear);
    lua_pushvalue(L, lua_upvalueindex(UP_CLASS));
    lua_setmetatable(L, -2);
    return 1;
}

/* (pool) it ends without this handle */
static int pool_disown(lua_State *L)
{
    lua_pool_check(L)->guest = true;
    return 0;
}

static int pool_is_guest(lua_State *L)
{
    lua_pushboolean(L, lua_pool_check(L)->guest);
    return 1;
}

/* (id) -> its statistics, nil when there is no such pool any more */
static int pool_stats_of(lua_State *L)
{
    const struct header question = {.kind = MAIL_STATS, .pool = (uint32_t)luaL_checkinteger(L, 1)};
    return lua_loop_ask(L, &question, -1);
}

/* (id, soon) -> true when it has drained */
static int pool_shut(lua_State *L)
{
    const struct header question = {.kind = MAIL_CLOSE, .pool = (uint32_t)luaL_checkinteger(L, 1),
                                    .flags = lua_toboolean(L, 2) ? FLAG_SOON : 0};
    return lua_loop_ask(L, &question, -1);
}

void lua_pool_add_questions(lua_State *L)
{
    static const luaL_Reg functions[] = {{"shutdown", pool_shutdown}, {"stats", pool_stats}, {"cancel", pool_cancel},
                                         {"resize", pool_resize}, {"pause", pool_pause}, {"pools", pool_list_all},
                                         {"find", pool_find}, {"handle", pool_handle}, {"is_guest", pool_is_guest}, {"disown", pool_disown}, {"stats_of", pool_stats_of}, {"shut", pool_shut}, {"place", lua_place_new},
                                         {"enter", lua_place_enter}, {"await_place", lua_place_await}, {"join", pool_join}, {NULL, NULL}};
    int table = lua_gettop(L) - UP_COUNT;
    for (const luaL_Reg *f = functions; f->name; f++) {
        for (int i = 1; i <= UP_COUNT; i++)
            lua_pushvalue(L, table + i);
        lua_pushcclosure(L, f->func, UP_COUNT);
        lua_setfield(L, table, f->name);
    }
}
