/* lua_outcome.h - telling Lua of outcomes that callbacks wait for. For the vm's own thread. */
#ifndef LUA_OUTCOME_H
#define LUA_OUTCOME_H

#include <lua.h>

/* Lua: (function) it is called with each job that asked for it, in a task of its own, when the outcome is there; and for
 * each turn of a repeating one with it and a job that is that turn. */
int lua_outcome_set(lua_State *L);

/* Calls it with the job, or the job and its turn, on top of the stack. */
void lua_outcome_tell(lua_State *L, int count);

#endif
