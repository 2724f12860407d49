/* lua_batch.h - handles on batches: many calls in one job, what map is made of. */
#ifndef LUA_BATCH_H
#define LUA_BATCH_H

#include <lua.h>

#include "ear.h"

/* Pushes the metatable of batches, making it when this vm has none. */
void lua_batch_push_class(lua_State *L);

/* Pushes a pending batch of the pool; `class` and `pending` are the indices of its metatable and of the table that keeps
 * pending jobs alive (lua_job.h). Its future, to post its letter with. */
struct future *lua_batch_push(lua_State *L, struct ear *ear, uint32_t pool, int class, int pending);

/* Lua: waits for the outcome of any batch; wakes those who do. */
int lua_batch_turn(lua_State *L);
int lua_batch_wake(lua_State *L);

#endif
