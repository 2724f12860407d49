/* lua_llthreads.h - the llthreads drop-in's parts: the module's own (lua_llthreads.c), the handles, the
 * orphans. */
#ifndef LUA_LLTHREADS_H
#define LUA_LLTHREADS_H

#include <stdbool.h>

#include <lua.h>

#include "child.h"

/* Pushes a handle without a child; *slot is where its child goes. */
void lua_thread_push(lua_State *L, struct child ***slot);

/* Prepares the state for orphans: before the first handle, so that at the end it is the last to be
 * finalised. */
void lua_orphans_open(lua_State *L);

/* Takes the running child of a handle that was collected; nulls. It is awaited when the state is closed. */
void lua_orphans_take(lua_State *L, struct child **child);

/* Marks the userdata at the index, so that lua_orphans_closing can tell. */
void lua_orphans_mark(lua_State *L, int index);

/* In a finaliser of marked userdata: true when the state is being closed, false when the userdata was
 * collected. */
bool lua_orphans_closing(lua_State *L, int index);

#endif
