/* lua_child.c - a child's end, told to the loop by an eventfd.
 *
 * One watch for each child that a vm with tasks has waited for, however many tasks wait: a userdata in the registry under
 * the child's address, until the child is released. When the state closes, the loop may be gone before it.
 */
#include "lua_child.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <lauxlib.h>

#include "child.h"
#include "lua_loop.h"
#include "troupe.h"
#include "vm_task.h"

struct watch {
    struct loop *loop;
    struct child *child;
    int eventfd; /* negative: closed */
};

static void child_has_ended(void *context, int descriptor, int events)
{
    const struct watch *w = context;
    (void)descriptor;
    (void)events;
    lua_loop_wake(vm_tasks_state(loop_tasks(w->loop)), w->child);
}

bool lua_child_has_ended(const void *child)
{
    return child_ended((struct child *)child);
}

static int watch_close(lua_State *L)
{
    struct watch *w = lua_touserdata(L, 1);
    if (w->eventfd < 0)
        return 0;
    child_tell_end(w->child, -1);
    if (vm_tasks_of(L))
        loop_unwatch(w->loop, w->eventfd);
    close(w->eventfd);
    w->eventfd = -1;
    return 0;
}

static struct watch *push_watch(lua_State *L, struct child *child)
{
    struct watch *w = lua_newuserdatauv(L, sizeof *w, 0);
    *w = (struct watch){ lua_loop(L), child, -1 };
    if (luaL_newmetatable(L, "troupe.child_watch")) {
        lua_pushcfunction(L, watch_close);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return w;
}

int lua_child_watch(lua_State *L, struct child *child)
{
    luaL_checkstack(L, 6, NULL);
    int known = lua_rawgetp(L, LUA_REGISTRYINDEX, child);
    lua_pop(L, 1);
    if (known == LUA_TUSERDATA)
        return 0;
    struct watch *w = push_watch(L, child);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, child);
    w->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = w->eventfd < 0 ? TROUPE_ELIMIT : loop_watch(w->loop, w->eventfd, POLLIN, child_has_ended, w);
    if (rc) {
        lua_pushnil(L);
        lua_rawsetp(L, LUA_REGISTRYINDEX, child);
    } else {
        child_tell_end(child, w->eventfd);
    }
    lua_pop(L, 1);
    return rc;
}

void lua_child_release(lua_State *L, struct child **child)
{
    if (*child && lua_checkstack(L, 4)) {
        if (lua_rawgetp(L, LUA_REGISTRYINDEX, *child) == LUA_TUSERDATA) {
            lua_pushcfunction(L, watch_close);
            lua_insert(L, -2);
            lua_call(L, 1, 0);
            lua_pushnil(L);
            lua_rawsetp(L, LUA_REGISTRYINDEX, *child);
        } else {
            lua_pop(L, 1);
        }
    }
    child_release(child);
}
