/* lua_place.h - a place in a pool with a queue_limit, as who submits has it in hand: a userdata, closed when that is over.
 * For the vm's thread.
 */
#ifndef LUA_PLACE_H
#define LUA_PLACE_H

#include <stdint.h>

#include <lua.h>

struct lua_place;

/* (pool) -> a place that is none yet, for the vm to close */
int lua_place_new(lua_State *L);

/* (pool, place) -> true when it was taken at the gate, false when it was not; nil: only the node knows, in another process */
int lua_place_enter(lua_State *L);

/* (pool, place, timeout[, now]) -> true when the node gave it, false when the pool closes, a string: why it cannot; nil at
 * the timeout, or with `now`: there is none free */
int lua_place_await(lua_State *L);

/* The place in that field of the table at `index`; NULL: none. */
struct lua_place *lua_place_of(lua_State *L, int index, const char *field);

/* The question by which the node knows it; 0: it was taken at the gate. */
uint64_t lua_place_id(const struct lua_place *self);

/* It is the job's that was posted. */
void lua_place_leave(struct lua_place *self);

#endif
