/* lua_task.h - tasks in Lua. */
#ifndef LUA_TASK_H
#define LUA_TASK_H

#include <lua.h>

struct vm_task;

/* Lua: pushes the table of C functions that lua/troupe/task.lua is built from. */
int lua_task_open(lua_State *L);

/* vm_task_ended for a task that another room made: failures and results are told as for any. */
void lua_task_ended(struct vm_task *task, int status, int count);

#endif
