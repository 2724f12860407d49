/* dispatcher_inner.h - what dispatcher.c, dispatcher_worker.c, dispatcher_again.c, dispatcher_control.c (events in) and dispatcher_next.c
 * (actions out) share. */
#ifndef DISPATCHER_INNER_H
#define DISPATCHER_INNER_H

#include "crew.h"
#include "dispatcher.h"
#include "heap.h"
#include "id_map.h"
#include "job_queue.h"
#include "rate.h"
#include "slab.h"

struct dispatcher {
    double now;              /* of the latest event */
    double idle_timeout;
    struct slab jobs;
    struct slab rares;
    struct id_map live;      /* jobs by id, until they end */
    struct job_queue queue;
    struct heap delayed;     /* room for every job with a rare part, as in `limits` */
    struct heap limits;      /* runs that have a timeout or were killed */
    size_t rare_count;
    size_t scheduled;        /* of the delayed */
    size_t retrying; /* of the delayed, those that failed before */
    struct job_rare *repeating;              /* all repeating jobs */
    struct job_rare *reports, *last_report;  /* ACTION_REPORT is due for them */
    struct job_list asking;  /* ACTION_ASK is due for them */
    struct job_list asked;   /* it was given, the answer is to come */
    size_t asked_count;      /* of both */
    uint64_t generator;
    struct rate rate;
    struct job_list gathering; /* leaders of gangs that are not whole */
    size_t gangs;              /* whole ones that wait */
    size_t ganged;             /* jobs of waiting gangs that are not in the queue */
    struct job_rare *launched, *last_launched; /* ACTION_RUN is due for them */
    size_t handed;
    struct crew crew;
    struct job_list ended;   /* ACTION_END is due for them */
    bool paused;
    bool closing;
    bool soon;
    bool drained;
    bool start_failed;       /* and none succeeded and no job was queued since: no other start while any
                                worker is alive */
    uint64_t ends[JOB_ENDS];
    uint64_t retried;
};

/* The time of an event; it never runs backwards. */
static inline void dispatcher_advance(struct dispatcher *self, double now)
{
    if (now > self->now)
        self->now = now;
}

/* The job, in no place now, waits for a worker, or first until that moment. */
void dispatcher_enqueue(struct dispatcher *self, struct job *job);
void dispatcher_delay(struct dispatcher *self, struct job *job, double until, bool scheduled);

/* The delayed job has left its place. */
void dispatcher_undelay(struct dispatcher *self, struct job *job);

/* The job, in no place now, has ended. */
void dispatcher_end(struct dispatcher *self, struct job *job, enum job_end how, void *result);

/* Gives the job a rare part, with room in the heaps. 0 or TROUPE_ENOMEM. */
int dispatcher_add_rare(struct dispatcher *self, struct job *job, const struct job_spec *spec);

/* The job has begun: its timeout, if it has one, runs. */
void dispatcher_start_clock(struct dispatcher *self, struct job *job);

/* The job is at no worker any more: its run has no limit. */
void dispatcher_drop_limit(struct dispatcher *self, struct job *job);

/* What a run that has ended that way makes of its job. */
enum job_end dispatcher_judge(const struct job *job, enum job_run how);

/* All that workers have are asked to end. */
void dispatcher_stop_handed(struct dispatcher *self);

/* ACTION_HALT, ACTION_BREAK or ACTION_ABANDON when one is due. */
bool dispatcher_next_limit(struct dispatcher *self, struct action *out);

/* All queued jobs end that way. */
void dispatcher_end_queued(struct dispatcher *self, enum job_end how);

/* A run of the job, in no place now, has ended that way, and it is not tried again: it ends, or has further turns. */
void dispatcher_conclude(struct dispatcher *self, struct job *job, enum job_end how, void *result);

/* The job misses its turn. */
void dispatcher_skip_turn(struct dispatcher *self, struct job *job);

/* The job, in no place now and run without success, runs again, or its owner is asked. False: neither; the result stays
 * the caller's. *dropped: the result, when it is no longer of use. */
bool dispatcher_try_again(struct dispatcher *self, struct job *job, enum job_end how, void *result, void **dropped);

/* No more turns. */
void dispatcher_end_repeating(struct dispatcher *self);

/* Nobody is asked any more: what waits for an answer ends. */
void dispatcher_end_asked(struct dispatcher *self);

/* The job, whose owner was asked, is in no place any more. */
void dispatcher_leave_asked(struct dispatcher *self, struct job *job);

/* Gangs, see dispatcher_gang.c. The gang that the spec's job may join; NULL: none gathers. */
struct job_rare *dispatcher_find_gang(const struct dispatcher *self, const struct job_spec *spec);

/* May a job of this gang be submitted? 0 or TROUPE_EINVAL. */
int dispatcher_check_gang(const struct dispatcher *self, const struct job_spec *spec);
void dispatcher_join_gang(struct dispatcher *self, struct job *job, const struct job_spec *spec);

/* The gang of this waiting job ends; its members do, whose leader is in no place; all gangs that are not whole. */
void dispatcher_end_gang(struct dispatcher *self, struct job *job, enum job_end how);
void dispatcher_end_members(struct dispatcher *self, struct job *leader, enum job_end how);
void dispatcher_end_gathering(struct dispatcher *self);

/* The leader of the gang that is next in the queue; NULL: a job is, or nothing. Starts it when it can. */
struct job *dispatcher_next_gang(const struct dispatcher *self);
bool dispatcher_run_gang(struct dispatcher *self, struct job *leader, struct action *out);
bool dispatcher_next_launched(struct dispatcher *self, struct action *out);

/* ACTION_RUN for the job, which is in a hand. */
void dispatcher_tell_run(const struct job *job, struct action *out);

/* Joins and leaves the repeating jobs. */
void dispatcher_repeat(struct dispatcher *self, struct job_rare *rare);
void dispatcher_free(struct dispatcher *self, struct job *job);

/* Actions of their own; false: there is none. */
bool dispatcher_next_report(struct dispatcher *self, struct action *out);
bool dispatcher_next_ask(struct dispatcher *self, struct action *out);

#endif
