/* lua_limit.h - a call that may take only so long, and errors that keep where they came from. */
#ifndef LUA_LIMIT_H
#define LUA_LIMIT_H

#include <stdbool.h>

#include <lua.h>

/* Adds `within` to the table on top of the stack. */
void lua_limit_open(lua_State *L);

/* How many lines a traceback of the calls under way has. */
int lua_limit_depth(lua_State *L);

/* Pushes { error, traceback } for the error at index 1, without the `frames` outermost lines. */
void lua_limit_trace(lua_State *L, int frames);

/* Whether the value is an error of `within`: { error, traceback }. */
bool lua_limit_is_error(lua_State *L, int index);

#endif
