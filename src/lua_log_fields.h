/* lua_log_fields.h - a table's fields, as a record carries them. */
#ifndef LUA_LOG_FIELDS_H
#define LUA_LOG_FIELDS_H

#include <lua.h>

#include "buffer.h"
#include "unpack.h"

/* The fields of the table as a MessagePack map, sorted by name, and pushes the message: the element 1 of the table, or an empty
 * text. The buffer lives in a userdata left on the stack below the message. Raises memory errors and what __tostring raises. */
struct buffer *lua_log_fields(lua_State *L, int table);

/* Pushes the next value of the bytes, nil when there is none. Raises memory errors. */
void lua_log_push(lua_State *L, struct unpack *bytes);

#endif
