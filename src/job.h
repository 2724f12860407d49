/* job.h - one call of a function, with one outcome: what the dispatcher knows of it. */
#ifndef JOB_H
#define JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "run_note.h"

/* What happens to a failed run before it is final. */
struct job_retry {
    int32_t retries; /* runs after the first; negative: no end */
    double base;     /* seconds before the second run */
    double factor;   /* each further wait is the last times this; 0: 1 */
    double max;      /* most seconds of one wait; 0: no bound */
    double jitter;   /* 0 to 1: the share of each wait that is left to chance */
    bool asks;       /* whoever submitted it is asked before each further run */
};

/* What a submitter says of a job. */
struct job_spec {
    uint64_t id;      /* unique among live jobs of the dispatcher; never 0 */
    void *load;       /* the caller's; handed back in actions, never looked at */
    int32_t priority; /* higher runs first */
    bool first;       /* in front of its priority */
    double delay;     /* seconds before it may be queued; 0: at once */
    bool scheduled;   /* its delay leads to a moment that was named: it counts as scheduled */
    double every;     /* it runs again and again, so many seconds apart, the first time after its delay; 0: once */
    struct job_retry retry;
    uint64_t gang;    /* id of the job that leads its gang, itself for the first; 0: none. No delay, no `every` */
    int32_t gang_size; /* of the leader: with it */
    bool essential;   /* it is taken while closing, too, and cancelled only by its id; its end is not counted */
    double timeout;   /* most seconds of one run; then it is killed. 0: none */
};

enum job_state {
    JOB_NONE,
    JOB_DELAYED,
    JOB_QUEUED,
    JOB_HANDED,
    JOB_RUNNING,
    JOB_PARKED,
    JOB_ASKED,
    JOB_GANGED,
    JOB_STOPPING,
    JOB_SYNCING
};

/* What a worker says of a run. */
enum job_run { RUN_FAILED, RUN_FINE, RUN_KILLED };

/* How a job came to its end. */
enum job_end {
    JOB_FINISHED,
    JOB_FAILED,
    JOB_CANCELLED, /* it never ran */
    JOB_LOST,      /* its worker went away */
    JOB_STOPPED,   /* asked to end, it returned */
    JOB_KILLED,    /* asked to end, it was broken into or given up */
    JOB_EXPIRED,   /* its timeout passed */
    JOB_SPENT,     /* it took too much processor time */
    JOB_ENDS
};

#endif
