/* lua_log_to.h - where records go, as said from Lua. */
#ifndef LUA_LOG_TO_H
#define LUA_LOG_TO_H

#include <lua.h>

/* Lua: adds to, to_function and drain to the table on top of the stack. */
void lua_log_to_open(lua_State *L);

/* If records go to a function of this vm: calls it with those that have come. Raises nothing but memory errors. */
void lua_log_drain(lua_State *L);

#endif
