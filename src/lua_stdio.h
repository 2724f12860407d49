/* lua_stdio.h - the window to the standard descriptors and the clock, for programs that read, write and draw. */
#ifndef LUA_STDIO_H
#define LUA_STDIO_H

#include <lua.h>

/* Adds its functions to the table on top of the stack: now, isatty, columns, write, reader, stop, is_stopped. */
void lua_stdio_open(lua_State *L);

/* Lua: () -> monotonic seconds */
int lua_stdio_now(lua_State *L);

/* Adds `reader` to the table on top of the stack (lua_reader.c); lua_stdio_open calls it. */
void lua_reader_open(lua_State *L);

#endif
