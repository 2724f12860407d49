/* lua_notify.h - events for tasks, wherever they live. */
#ifndef LUA_NOTIFY_H
#define LUA_NOTIFY_H

#include <lua.h>

struct loop;
struct message;

/* Lua: (id, event, ...) -> true when a task here was waiting for the event, or when it is on its way to another vm. Else
 * false, and a record in the log. The loop is this vm's. */
int lua_notify(lua_State *L, struct loop *loop);

/* A letter to this vm that answers nothing: an event for one of its tasks. L is a state of the vm. */
void lua_notify_letter(struct message **letter, void *L);

#endif
