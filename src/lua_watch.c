/* lua_watch.c - descriptors that call a function, in a task, when they are ready.
 *
 * A watch is a userdata with its function as user value, anchored in the registry under its address while it is open,
 * and under the address after that while a task of it runs.
 */
#include "lua_watch.h"

#include <limits.h>
#include <poll.h>

#include <lauxlib.h>

#include "lua_loop.h"
#include "lua_task.h"
#include "troupe.h"
#include "vm_task.h"

struct watch {
    struct loop *loop;
    int descriptor;
    bool open;
};

static void call_ended(struct vm_task *task, int status, int count)
{
    lua_State *L = vm_tasks_state(vm_task_scheduler(task));
    struct watch *w = vm_task_owner(task);
    lua_task_ended(task, status, count);
    if (w->open)
        loop_watch_again(w->loop, w->descriptor);
    lua_pushnil(L); /* the task's hold on it */
    lua_rawsetp(L, LUA_REGISTRYINDEX, (char *)w + 1);
}

static void call_watcher(void *context, int fd, int events)
{
    struct watch *w = context;
    struct vm_tasks *tasks = loop_tasks(w->loop);
    struct vm_task *task = vm_task_new(tasks, call_ended, w);
    (void)fd;
    if (!task)
        return;
    lua_State *co = vm_task_coroutine(task);
    lua_rawgetp(co, LUA_REGISTRYINDEX, w);
    lua_pushvalue(co, -1);
    lua_rawsetp(co, LUA_REGISTRYINDEX, (char *)w + 1);
    lua_getiuservalue(co, -1, 1);
    lua_remove(co, -2);
    lua_pushstring(co, events & POLLIN ? events & POLLOUT ? "rw" : "r" : "w");
    vm_task_start(task, 1);
}

static int watch_close(lua_State *L)
{
    struct watch *w = luaL_checkudata(L, 1, "troupe.watch");
    if (w->open) {
        w->open = false;
        loop_unwatch(w->loop, w->descriptor);
        lua_pushnil(L);
        lua_rawsetp(L, LUA_REGISTRYINDEX, w);
    }
    return 0;
}

static int watch_tostring(lua_State *L)
{
    const struct watch *w = luaL_checkudata(L, 1, "troupe.watch");
    lua_pushfstring(L, "troupe.watch (%d%s)", w->descriptor, w->open ? "" : ", closed");
    return 1;
}

static void push_class(lua_State *L)
{
    static const luaL_Reg methods[] = {{"close", watch_close}, {"__close", watch_close}, {"__tostring", watch_tostring}, {NULL, NULL}};
    if (!luaL_newmetatable(L, "troupe.watch"))
        return;
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
}

/* (descriptor, "r", "w" or "rw", function) -> watch */
int lua_watch(lua_State *L)
{
    static const char *const modes[] = {"r", "w", "rw", NULL};
    static const int events[] = {POLLIN, POLLOUT, POLLIN | POLLOUT};
    lua_Integer fd = luaL_checkinteger(L, 1);
    int mode = luaL_checkoption(L, 2, NULL, modes);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    luaL_argcheck(L, fd >= 0 && fd <= INT32_MAX, 1, "a descriptor expected");
    struct watch *w = lua_newuserdatauv(L, sizeof *w, 1);
    *w = (struct watch){.loop = lua_loop(L), .descriptor = (int)fd};
    push_class(L);
    lua_setmetatable(L, -2);
    lua_pushvalue(L, 3);
    lua_setiuservalue(L, -2, 1);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, w);
    int rc = loop_watch(w->loop, w->descriptor, events[mode], call_watcher, w);
    w->open = rc == 0;
    if (rc) {
        lua_pushnil(L);
        lua_rawsetp(L, LUA_REGISTRYINDEX, w);
        luaL_argcheck(L, rc != TROUPE_EINVAL, 1, "this descriptor cannot be watched, or is watched already");
        luaL_error(L, "cannot watch: %s", troupe_strerror(rc));
    }
    return 1;
}
