/* job.h - one call of a function, with one outcome: what the dispatcher knows of it. */
#ifndef JOB_H
#define JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heap.h"

/* What happens to a failed run before it is final. */
struct job_retry {
    int32_t retries; /* runs after the first; negative: no end */
    double base;     /* seconds before the second run */
    double factor;   /* each further wait is the last times this; 0: 1 */
    double max;      /* most seconds of one wait; 0: no bound */
};

/* What a submitter says of a job. */
struct job_spec {
    uint64_t id;      /* unique among live jobs of the dispatcher; never 0 */
    void *load;       /* the caller's; handed back in actions, never looked at */
    int32_t priority; /* higher runs first */
    bool first;       /* in front of its priority */
    double delay;     /* seconds before it may be queued; 0: at once */
    struct job_retry retry;
};

enum job_state { JOB_NONE, JOB_DELAYED, JOB_QUEUED, JOB_HANDED, JOB_RUNNING };

/* How a job came to its end. */
enum job_end { JOB_FINISHED, JOB_FAILED, JOB_CANCELLED, JOB_LOST };

/* What only a job with a delay or retries has. */
struct job_rare {
    struct heap_node due; /* first: it leads back here */
    struct job *job;
    struct job_retry retry;
    double wait;          /* seconds before the next retry */
    int attempts;         /* runs begun so far */
};

/* The dispatcher's own record: one cache line. */
struct job {
    uint64_t id; /* first: an id_map looks for it here */
    void *load;
    struct job *next; /* in its queue, its worker's hand, or among the ended */
    struct job *prev;
    struct job_level *level;
    struct job_rare *rare; /* NULL for a plain job */
    union {
        int64_t order; /* its place in its level; smaller is sooner */
        void *result;  /* once it has ended */
    };
    uint32_t worker;  /* that has it */
    uint8_t state;    /* enum job_state, JOB_RUNNING apart */
    uint8_t end;      /* enum job_end */
    bool first;       /* queued in front */
    uint8_t ran : 1;  /* a plain job: its one run began */
    uint8_t cancelled : 1;
};

struct job_list {
    struct job *head;
    struct job *tail;
};

/* Puts the job behind `after`; NULL: to the front. */
static inline void job_list_insert(struct job_list *self, struct job *after, struct job *job)
{
    struct job *next = after ? after->next : self->head;
    job->prev = after;
    job->next = next;
    if (after)
        after->next = job;
    else
        self->head = job;
    if (next)
        next->prev = job;
    else
        self->tail = job;
}

static inline void job_list_remove(struct job_list *self, struct job *job)
{
    if (job->prev)
        job->prev->next = job->next;
    else
        self->head = job->next;
    if (job->next)
        job->next->prev = job->prev;
    else
        self->tail = job->prev;
}

/* Takes over what the spec says of retries. */
void job_rare_init(struct job_rare *self, struct job *job, const struct job_retry *retry);

/* Counts a run that has begun; job_attempts tells how many there were. */
void job_count_attempt(struct job *self);
int job_attempts(const struct job *self);

/* May it run again after its latest run failed? */
bool job_may_retry(const struct job *self);

/* Seconds to wait before the next run; each call moves on to the wait after it. */
double job_next_wait(struct job *self);

#endif
