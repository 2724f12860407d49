/* job_record.h - a job as the dispatcher keeps it, and lists of such. */
#ifndef JOB_RECORD_H
#define JOB_RECORD_H

#include <stddef.h>

#include "heap.h"
#include "job.h"

struct job_list {
    struct job *head;
    struct job *tail;
};

/* What is next for a run that has a timeout or was killed: see dispatcher_control.c. */
enum job_limit { LIMIT_NONE, LIMIT_RUN, LIMIT_GRACE, LIMIT_BREAK };

/* What only a job with a delay, retries, further turns or a timeout has, and one that was killed. */
struct job_rare {
    struct heap_node due; /* first: it leads back here */
    struct heap_node limit; /* of its run, by `phase` */
    struct job *job;
    double timeout;       /* seconds; 0: none */
    struct job_retry retry;
    double wait;          /* seconds before the next retry */
    int attempts;         /* runs begun so far, of its turn */
    bool scheduled;       /* delayed: until a moment that was named, or its turn */
    uint8_t overdue;      /* JOB_EXPIRED: the run's timeout has passed; JOB_SPENT: it takes too much processor time; 0: neither */
    bool killed;
    uint8_t phase;        /* enum job_limit */
    int breaks;           /* how often the run was broken into */
    double every;         /* seconds from turn to turn; 0: it has one only */
    double start;         /* when its first turn was due */
    double turn;          /* its turn now, from 0 */
    struct job_rare *next_repeating, *prev_repeating;
    struct job *leader;   /* of the gang it waits in; NULL: it leads it, or there is none */
    struct job_list gang; /* of a leader: the others */
    int gang_size;        /* of a leader, while its gang waits: how many they are, or will be */
    int gang_count;
    struct job_rare *next_launched;
    struct job_rare *next_report; /* a turn has ended, as `report_end`, and its owner is to be told */
    enum job_end report_end;
    int report_attempts;
    void *report;
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
        double begun;  /* while it is parked: when its run began, as well as is known */
    };
    uint32_t worker;  /* that has it */
    uint8_t state;    /* enum job_state, JOB_RUNNING apart */
    uint8_t end;      /* enum job_end */
    bool first;       /* queued in front */
    uint8_t ran : 1;  /* a plain job: its one run began */
    uint8_t cancelled : 1;
    uint8_t stopping : 1; /* its run was asked to end */
    uint8_t essential : 1;
    uint8_t syncing : 1;  /* its run waits for its owner */
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

/* Takes over what the spec says of retries, turns and time. */
void job_rare_init(struct job_rare *self, struct job *job, const struct job_spec *spec, double now);

/* Counts a run that has begun; job_attempts tells how many there were. */
static inline void job_count_attempt(struct job *self)
{
    if (self->rare)
        self->rare->attempts++;
    self->ran = 1;
}

/* Nobody has asked its next run to end. */
static inline void job_begin_anew(struct job *self)
{
    self->stopping = 0;
    self->syncing = 0;
    if (self->rare)
        self->rare->overdue = 0;
}

static inline int job_attempts(const struct job *self)
{
    return self->rare ? self->rare->attempts : self->ran;
}

/* Can it run again after the run that is about to begin? */
enum run_last job_last(const struct job *self);

/* May it run again after its latest run failed? */
bool job_may_retry(const struct job *self);

/* Seconds to wait before the next run; each call moves on to the wait after it. The generator is the caller's. */
double job_next_wait(struct job *self, uint64_t *generator);

/* A repeating job goes on to its next turn that is not past, with all its retries. When that is due. */
double job_next_turn(struct job *self, double now);

static inline bool job_repeats(const struct job *self)
{
    return self->rare && self->rare->every > 0;
}

#endif
