/* lua_job_inner.h - a job's handle, for the parts of it: lua_job.c, lua_job_hold.c (its outcome), lua_job_turns.c (handles of
 * repeating jobs). */
#ifndef LUA_JOB_INNER_H
#define LUA_JOB_INNER_H

#include <stdbool.h>
#include <stdint.h>

#include "lua_job.h"

enum job_status { PENDING, FINISHED, STOPPED, FAILED, CANCELLED, LOST, KILLED, DETACHED };
enum held { HELD_NIL, HELD_BOOLEAN, HELD_INTEGER, HELD_FLOAT, HELD_ONE, HELD_MANY };

struct lua_job {
    struct future future; /* first */
    struct ear *ear;
    uint32_t pool;
    uint8_t status;
    uint8_t held;
    uint16_t worker;  /* of its last run; 0: none */
    uint32_t attempt; /* runs begun, once it has ended */
    double submitted, ended; /* monotonic seconds */
    bool told; /* callbacks wait for its outcome */
    bool streams; /* it has a stream: lua_stream.c */
    bool waited;  /* someone waits, or waited, for its end */
    uint32_t runs; /* that ended, of a repeating one */
    struct shelf_place place;
    union {
        lua_Integer integer;
        lua_Number number;
        bool boolean;
    } value;
    double seconds; /* its run took, as the worker measured */
};

/* It returned, though perhaps because it was asked to end. */
static inline bool lua_job_has_results(const struct lua_job *self)
{
    return self->status == FINISHED || self->status == STOPPED;
}

/* The job at 1; raises when it is none. For methods of its class. */
struct lua_job *lua_job_check(lua_State *L);

/* The job, on top of the stack, holds the letter's outcome. */
void lua_job_hold(lua_State *L, struct lua_job *self, struct message **letter);

/* Is the metatable on top of the stack that of repeating jobs? */
bool lua_job_is_repeating(lua_State *L);

#endif
