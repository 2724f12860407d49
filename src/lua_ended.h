/* lua_ended.h - what the tasks of a vm left behind, for whoever joins them late: the latest of them, found by id. */
#ifndef LUA_ENDED_H
#define LUA_ENDED_H

#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

enum ended_kind { ENDED_RETURNED, ENDED_FAILED, ENDED_KILLED };

struct ended;

struct lua_ended {
    struct ended *ring;  /* NULL: nothing was kept yet */
    uint32_t *buckets;     /* by id: the latest in the ring, and on by its `next` */
    uint32_t capacity, used;
    uint32_t next;         /* where the next one goes; when all are used, where the oldest is */
    int block, values;     /* in the registry: the memory of both arrays, and what was left behind */
};

/* Empty; what it will own is anchored in L's registry and goes with the state. Raises memory errors. */
void lua_ended_init(struct lua_ended *self, lua_State *L);

/* True when lua_ended_keep cannot raise, for so many values on top of L. */
bool lua_ended_is_ready(const struct lua_ended *self, lua_State *L, int count);

/* Takes the `count` values on top of L: results, or one error. Raises memory errors, then nothing was kept. */
void lua_ended_keep(struct lua_ended *self, lua_State *L, uint64_t id, enum ended_kind kind, int count);

/* Pushes true, results... or false, error; only true when nothing was kept for that id. How many were pushed. */
int lua_ended_push(const struct lua_ended *self, lua_State *L, uint64_t id);

#endif
