/* native.h - a C function as a job: what its owner's thread and a worker's share of it.
 *
 * Held by both; freed by the last that lets go. `status`, `stop` and `waiting` may be read and written by either thread, as
 * said at each. Tasks are found by number, so that a letter carries no pointer.
 */
#ifndef NATIVE_H
#define NATIVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "troupe.h"

/* How many tasks of a pool have not begun; outlives the pool while tasks hold it. */
struct native_gauge {
    atomic_int queued;
    atomic_int holders;
};

struct native {
    uint64_t number; /* first: an id_map looks for it here */
    troupe_run *run;
    void *user;
    uint64_t owner;           /* address told when it syncs */
    struct troupe_task *task; /* the owner's own; NULL once it is reaped */
    struct native_gauge *gauge;
    atomic_int status;        /* enum troupe_task_status: the worker's from its beginning to its end, but for a sync's end */
    atomic_bool stop;         /* set by the owner: asked to end */
    atomic_bool outlive;      /* set by either: goes on when its group is closed */
    _Atomic uint64_t waiting; /* the vm's task that syncs, for the owner to wake; 0: none */
    _Atomic double began;     /* monotonic; 0: not yet */
    atomic_int holders;
};

/* NULL when memory is out. */
struct native_gauge *native_gauge_new(void);
void native_gauge_drop(struct native_gauge **self);

/* Held by the caller, and known by its number from now on; counted as queued. NULL when memory is out. */
struct native *native_new(const struct troupe_task_args *args, uint64_t owner, struct native_gauge *gauge);

/* The task of that number, held by the caller too; NULL: there is none. */
struct native *native_find(uint64_t number);

/* Lets go, and nulls; NULL is fine. */
void native_drop(struct native **self);

/* It has begun, or never will: no longer counted as queued. True for the first who says so. */
bool native_leave_queue(struct native *self, enum troupe_task_status status);

/* Whoever takes the number of the vm's task that syncs (0: there is none now) is the one to wake it. */
static inline uint64_t native_take_waiting(struct native *self)
{
    return atomic_exchange(&self->waiting, 0);
}

#endif
