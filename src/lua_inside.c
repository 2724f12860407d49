/* lua_inside.c - what a running job may ask and say: troupe.job, troupe.checkin; lua_emit.c has emit and sync.
 *
 * For the thread of the worker that runs it. A job that was asked to end learns of it here, and nowhere else: nothing is
 * raised, nothing interrupted.
 */
#include "lua_inside.h"

#include <lauxlib.h>

#include "clock.h"
#include "lua_loop.h"
#include "value.h"
#include "vm_run.h"
#include "vm_stream.h"
#include "vm_task.h"

struct vm_run *lua_inside_check(lua_State *L, const char *what)
{
    struct vm_run *run = vm_run_current(vm_tasks_of(L));
    if (!run)
        luaL_error(L, "%s: only inside a job of a pool", what);
    return run;
}

/* Notes how far the job is; the owner is told at most so often. */
static const double progress_pause = 0.1;

static void note_progress(lua_State *L, struct vm_run *run)
{
    static const struct value_mode mode;
    if (run->unwanted)
        return;
    if (!run->progress && !(run->progress = message_new(MAIL_EMIT)))
        luaL_error(L, "not enough memory");
    message_clear_body(run->progress);
    if (value_encode(L, 1, 1, "progress", &mode, &run->progress->bytes)) {
        message_destroy(&run->progress);
        lua_error(L);
    }
    double now = clock_now();
    if (now < run->progress_at)
        return;
    run->progress_at = now + progress_pause;
    vm_stream_tell_progress(run);
}

/* () -> table about the running job: id, name, attempt, worker; nil outside any */
static int job(lua_State *L)
{
    const struct vm_run *run = vm_run_current(vm_tasks_of(L));
    if (!run)
        return 0;
    const struct header *h = message_header(run->letter);
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, (lua_Integer)h->id);
    lua_setfield(L, -2, "id");
    lua_pushstring(L, run->name);
    lua_setfield(L, -2, "name");
    lua_pushinteger(L, (lua_Integer)run_attempt(h->from));
    lua_setfield(L, -2, "attempt");
    lua_pushinteger(L, (lua_Integer)(h->worker & 0xffff));
    lua_setfield(L, -2, "worker");
    return 1;
}

/* ([progress]) -> true; false once the job was asked to end */
static int checkin(lua_State *L)
{
    struct vm_run *run = lua_inside_check(L, "checkin");
    if (!lua_isnoneornil(L, 1))
        note_progress(L, run);
    if (!run->stopping)
        loop_glance(lua_loop(L));
    lua_pushboolean(L, !run->stopping);
    return 1;
}

void lua_inside_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"job", job}, {"checkin", checkin}, {"emit", lua_emit}, {"sync", lua_sync}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
