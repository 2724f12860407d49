/* vm_batch.c - many calls in one job.
 *
 * The stack, while calls run:
 *
 *     1 progress   2 handler   3 function   4 .. 3+count arguments   then, for each call done, its count and results
 *
 * A call may park the job: everything a continuation needs is on the stack and in `progress`.
 */
#include "vm_batch.h"

#include <stdbool.h>

#include <lauxlib.h>

#include "message.h"
#include "value.h"
#include "vm_job.h"

enum { PROGRESS = 1, HANDLER, FUNCTION, FIRST };

struct progress {
    int count; /* of calls */
    int done;
    int mark; /* the stack slot that gets the count of the results of the call under way */
    bool strict; /* errors are not caught */
};

/* Lua: (error) -> {error, traceback}. A lack of memory never gets here. */
static int handler(lua_State *L)
{
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    luaL_traceback(L, L, NULL, 1);
    lua_rawseti(L, -2, 2);
    return 1;
}

/* The error on top becomes the entry of the call under way. */
static void enter_error(lua_State *L, struct progress *p)
{
    lua_pushinteger(L, -1);
    lua_replace(L, p->mark);
    int error = lua_gettop(L);
    if (lua_type(L, error) == LUA_TTABLE) {
        lua_rawgeti(L, error, 2);
        lua_rawgeti(L, error, 1);
        lua_replace(L, error);
    } else {
        lua_pushliteral(L, "");
    }
}

static void enter(lua_State *L, struct progress *p, int status)
{
    if (status == LUA_OK || status == LUA_YIELD) {
        lua_pushinteger(L, lua_gettop(L) - p->mark);
        lua_replace(L, p->mark);
    } else {
        enter_error(L, p);
    }
    p->done++;
}

static int go_on(lua_State *L, int status, lua_KContext context);

static int call_rest(lua_State *L, struct progress *p)
{
    while (p->done < p->count) {
        luaL_checkstack(L, 8, "too many results in one batch");
        lua_pushinteger(L, 0);
        p->mark = lua_gettop(L);
        lua_pushvalue(L, FUNCTION);
        lua_pushvalue(L, FIRST + p->done);
        int status = LUA_OK;
        if (p->strict)
            lua_callk(L, 1, LUA_MULTRET, 0, go_on);
        else
            status = lua_pcallk(L, 1, LUA_MULTRET, HANDLER, 0, go_on);
        enter(L, p, status);
    }
    return lua_gettop(L) - (FIRST - 1 + p->count);
}

static int go_on(lua_State *L, int status, lua_KContext context)
{
    (void)context;
    struct progress *p = lua_touserdata(L, PROGRESS);
    enter(L, p, status);
    return call_rest(L, p);
}

int vm_batch_body(lua_State *L)
{
    const struct message *letter = lua_touserdata(L, 1);
    lua_settop(L, 0);
    struct progress *p = lua_newuserdatauv(L, sizeof *p, 0);
    lua_pushcfunction(L, handler);
    *p = (struct progress){.count = vm_job_push_call(L, letter), .strict = message_header(letter)->flags & FLAG_STRICT};
    return call_rest(L, p);
}

/* Error entry in place of the `count` results behind slot `at`; the reason is on top. Needs no memory. */
static void refuse(lua_State *L, int at, int count)
{
    lua_pushinteger(L, -1);
    lua_replace(L, at);
    lua_insert(L, at + 1);
    lua_pushnil(L);
    lua_insert(L, at + 2);
    for (; count > 0; count--)
        lua_remove(L, at + 3);
}

void vm_batch_sift(lua_State *L, int first)
{
    struct buffer scratch;
    buffer_init(&scratch);
    lua_checkstack(L, 4);
    for (int at = first; at <= lua_gettop(L);) {
        int count = (int)lua_tointeger(L, at);
        if (count < 0)
            count = 2;
        scratch.size = 0;
        if (value_encode(L, at + 1, at + count, "result", vm_job_mode(), &scratch)) {
            refuse(L, at, count);
            count = 2;
        }
        at += count + 1;
    }
    buffer_release(&scratch);
}
