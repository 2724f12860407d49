/* lua_child.h - waiting for an llthreads child as tasks wait. */
#ifndef LUA_CHILD_H
#define LUA_CHILD_H

#include <stdbool.h>

#include <lua.h>

struct child;

/* The vm's loop is told of the child's end from now on, and wakes who waits for it: lua_loop_wait(L, ..., child).
 * For a child that was started and not joined. 0, TROUPE_ELIMIT, TROUPE_ENOMEM. */
int lua_child_watch(lua_State *L, struct child *child);

/* For lua_loop_wait. */
bool lua_child_has_ended(const void *child);

/* child_release; the loop is no longer told. */
void lua_child_release(lua_State *L, struct child **child);

#endif
