/* lua_order.h - options, checked in Lua, as the node reads them. */
#ifndef LUA_ORDER_H
#define LUA_ORDER_H

#include <stdbool.h>

#include <lua.h>

#include "message.h"
#include "order.h"

struct gate;

/* What the table at `index` says of a job. Its name_size is that of the field `name`. */
struct job_order lua_order_of_job(lua_State *L, int index);

/* Puts the order behind what the letter has, the name of the table at `index` in front of it; sets FLAG_ORDER. 0 or
 * TROUPE_ENOMEM. */
int lua_order_append(lua_State *L, int index, const struct job_order *order, struct message *letter);

/* What the table at `index` says of a pool, into the empty letter, with its strings; the gate, which may be NULL, goes with
 * it. 0 or TROUPE_ENOMEM. */
int lua_order_of_pool(lua_State *L, int index, bool init, const struct gate *gate, struct message *letter);

#endif
