/* lua_output.h - lines that worker processes write, for the vm that made their pool. */
#ifndef LUA_OUTPUT_H
#define LUA_OUTPUT_H

#include <lua.h>

#include "message.h"

/* Lua: (function) it is called with a pool's number, 1 or 2 for standard output or error, and the line, in a task of its
 * own. */
int lua_output_set(lua_State *L);

/* A MAIL_OUTPUT letter. */
void lua_output_letter(struct message **letter, void *L);

#endif
