/* dispatcher_inner.h - what dispatcher.c, dispatcher_worker.c (events in) and dispatcher_next.c (actions out)
 * share. */
#ifndef DISPATCHER_INNER_H
#define DISPATCHER_INNER_H

#include "crew.h"
#include "dispatcher.h"
#include "heap.h"
#include "id_map.h"
#include "job_queue.h"
#include "slab.h"

struct dispatcher {
    double now;              /* of the latest event */
    double idle_timeout;
    struct slab jobs;
    struct slab rares;
    struct id_map live;      /* jobs by id, until they end */
    struct job_queue queue;
    struct heap delayed;     /* room for every job with a rare part */
    size_t rare_count;
    size_t handed;
    struct crew crew;
    struct job_list ended;   /* ACTION_END is due for them */
    bool paused;
    bool closing;
    bool soon;
    bool drained;
    bool start_failed;       /* and none succeeded and no job was queued since: no other start while any
                                worker is alive */
    uint64_t ends[JOB_LOST + 1];
    uint64_t retried;
};

/* The time of an event; it never runs backwards. */
static inline void dispatcher_advance(struct dispatcher *self, double now)
{
    if (now > self->now)
        self->now = now;
}

/* The job, in no place now, waits for a worker, or first for so many seconds. */
void dispatcher_enqueue(struct dispatcher *self, struct job *job);
void dispatcher_delay(struct dispatcher *self, struct job *job, double seconds);

/* The job, in no place now, has ended. */
void dispatcher_end(struct dispatcher *self, struct job *job, enum job_end how, void *result);

/* All queued jobs end that way. */
void dispatcher_end_queued(struct dispatcher *self, enum job_end how);

#endif
