/* lua_job.h - handles on jobs. */
#ifndef LUA_JOB_H
#define LUA_JOB_H

#include <lua.h>

#include "ear.h"
#include "lua_shelf.h"

/* Pushes the metatable of jobs, making it when this vm has none. */
void lua_job_push_class(lua_State *L);

/* Pushes the table that keeps pending jobs alive. */
void lua_job_push_pending(lua_State *L);

/* Pushes a pending job of the pool; `class` and `pending` are the stack or upvalue indices of the two tables above.
 * Its future, to post its letter with. */
struct future *lua_job_push(lua_State *L, struct ear *ear, uint32_t pool, int class, int pending);

/* The job on top of the stack repeats: it has `runs`. */
void lua_job_repeat(lua_State *L);


/* The job of that future, now in flight, goes on the shelf. */
void lua_job_shelve(struct future *future, struct shelf *shelf);

#endif
