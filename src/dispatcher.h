/* dispatcher.h - decides which worker of one pool runs which job when. Pure: events in, each with `now`
 * (monotonic seconds), actions out through dispatcher_next. No socket, no Lua, no clock, no callback, no
 * thread of its own.
 *
 * Workers are small numbers 1.. that the dispatcher gives out in ACTION_START and that are free again
 * after dispatcher_worker_down. The caller draws dispatcher_next dry after each event or batch of events.
 */
#ifndef DISPATCHER_H
#define DISPATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job.h"

struct dispatcher;

struct dispatcher_options {
    int workers;         /* most workers; at least 1 */
    double idle_timeout; /* a worker idle this long is stopped; 0: never */
    int max_credit;      /* most jobs handed to a worker at once, itself running one of them; 0: 256 */
    int max_jobs;        /* a worker that was handed so many is replaced when it has done them; 0: never */
    int concurrency;     /* most jobs of a worker while others of them wait; 0: 1000 */
    int rate_jobs;       /* no more jobs than this start within any `rate_per` seconds; 0: as many as can */
    double rate_per;
    uint64_t seed;       /* of the chance in retries' waits */
};

enum action_kind {
    ACTION_START,   /* start worker `worker` */
    ACTION_STOP,    /* worker `worker` has nothing to do and shall end; dispatcher_worker_down follows */
    ACTION_RUN,     /* hand job `id` with `load` to `worker` */
    ACTION_RECALL,  /* take back what `worker` was handed and has not begun: dispatcher_returned follows for
                       each, then dispatcher_recall_done, also when there was nothing to take back */
    ACTION_HALT,    /* ask job `id` at `worker` to end: its run's timeout has passed */
    ACTION_BREAK,   /* end job `id` at `worker`, running or waiting; comes again while it lives */
    ACTION_ABANDON, /* job `id` at `worker` did not end: dispatcher_worker_down or dispatcher_forsake follows */
    ACTION_END,     /* job `id` has ended as `end`; `load` and, when a run ended it, `result` go back */
    ACTION_REPORT,  /* a turn of the repeating job `id` has ended as `end`; `result` goes back, the job goes on */
    ACTION_ASK,     /* shall job `id` run again, which ended as `end`? `result` stays lent: dispatcher_decide */
    ACTION_DRAINED  /* closing, and the last job and the last worker are gone */
};

struct action {
    enum action_kind kind;
    enum job_end end;
    int worker;
    int attempt;   /* runs begun so far, this one included */
    enum run_last last; /* ACTION_RUN: can the job run again after this? */
    uint64_t id;
    void *load;
    void *result;  /* what dispatcher_done or dispatcher_worker_failed was given; NULL: none */
};

struct dispatcher_counts {
    size_t pending;  /* queued, or in a gang */
    size_t delayed;
    size_t scheduled; /* delayed until a named moment or their turn; not among `delayed` */
    size_t asked;     /* their owner decides whether they run again */
    size_t handed;   /* with a worker, begun or not, those that wait included */
    size_t workers;  /* starting, idle or busy */
    size_t idle;
    uint64_t finished, failed, cancelled, lost, stopped, retried;
};

/* One worker, as statistics show it. */
struct dispatcher_worker {
    const char *state; /* starting, idle, busy, stopping */
    int waiting;       /* jobs that it has begun and that wait */
    uint64_t executed; /* jobs it has done */
    double busy;       /* seconds it had jobs in its hand, not counting those that wait */
    double since;      /* seconds since it became idle or busy, or last reported a job done or waiting */
    void *current;     /* the load of the job it runs, or is about to; NULL: none */
};

int dispatcher_new(struct dispatcher **out, const struct dispatcher_options *options);

/* Frees everything but loads and results; NULL is fine. */
void dispatcher_destroy(struct dispatcher **self);

/* 0; TROUPE_ENOMEM, TROUPE_EDEAD (closing), TROUPE_EINVAL (id taken): then the load stays the caller's. The jobs of a gang
 * are submitted one after the other; TROUPE_EINVAL also for one that can never start, or has no leader that waits for it. */
int dispatcher_submit(struct dispatcher *self, const struct job_spec *spec, double now);

enum cancel_answer {
    CANCEL_UNKNOWN,  /* no such live job */
    CANCEL_ENDED,    /* it had not begun: ACTION_END follows with JOB_CANCELLED */
    CANCEL_HANDED    /* a worker has it and may not have begun. Marked: given back by dispatcher_returned
                        or dispatcher_withdraw it ends as JOB_CANCELLED, run to its end it ends as it ends */
};
enum cancel_answer dispatcher_cancel(struct dispatcher *self, uint64_t id, double now);

/* Asks it to end. CANCEL_HANDED: a worker has it and shall be told, unless it can be withdrawn; given back it is
 * cancelled, run to its end it has been stopped. It is not tried again. */
enum cancel_answer dispatcher_stop(struct dispatcher *self, uint64_t id, double now);

/* The same, and what does not end within `grace` seconds is broken into, later given up. One of cancel_answer, or
 * TROUPE_ENOMEM: then it was only asked to end. */
int dispatcher_kill(struct dispatcher *self, uint64_t id, double grace, double now);

/* Cancels what is queued, and with `delayed` what is delayed or scheduled. Without it, a repeating job that is queued only
 * misses its turn. */
void dispatcher_cancel_pending(struct dispatcher *self, bool delayed, double now);

/* The answer to ACTION_ASK: the job runs again, and its failed run's result comes back in *dropped, or it ends as that
 * run did. TROUPE_EINVAL for a job that nobody asked about, or that has ended meanwhile. */
int dispatcher_decide(struct dispatcher *self, uint64_t id, bool again, void **dropped, double now);

/* A job with a timeout has begun: from now on its time runs. TROUPE_EINVAL for a job this worker does not have. */
int dispatcher_begun(struct dispatcher *self, int worker, uint64_t id, double now);

/* The job, which runs at this worker, has taken more processor time than it may: it is ended as by its timeout.
 * TROUPE_EINVAL for a job this worker does not have, TROUPE_ENOMEM: say it again. */
int dispatcher_spent(struct dispatcher *self, int worker, uint64_t id, double now);

/* The worker ran it: `ran` seconds, as `how` says; result is the caller's outcome, handed back in ACTION_END.
 * A failed run with retries left is delayed or queued again instead: then the result comes back in
 * *dropped for the caller to free. TROUPE_EINVAL for a job this worker does not have (result stays the
 * caller's). */
int dispatcher_done(struct dispatcher *self, int worker, uint64_t id, enum job_run how, double ran, void *result,
                    void **dropped, double now);

/* The worker has begun the job, which now waits for something: until it is done it takes nothing of the
 * worker's credit. TROUPE_EINVAL for a job that is not in this worker's hand. */
int dispatcher_parked(struct dispatcher *self, int worker, uint64_t id, double now);

/* The worker gives the job back unbegun. It goes where it was in the queue, or ends when it was cancelled
 * meanwhile. TROUPE_EINVAL for a job this worker does not have. */
int dispatcher_returned(struct dispatcher *self, int worker, uint64_t id, double now);

/* The same, and the worker is busy for longer: nothing is handed to it in advance before it reports a job done or
 * waiting. */
int dispatcher_refused(struct dispatcher *self, int worker, uint64_t id, double now);

/* The job does not end, but it is not what its worker is stuck in: it ends as killed or expired, whatever the worker may
 * say of it later. TROUPE_EINVAL for a job that no worker has. */
int dispatcher_forsake(struct dispatcher *self, uint64_t id, double now);

/* ACTION_RECALL is answered: what could be taken back has been returned. Nothing is asked of the worker
 * again, and nothing handed to it in advance, before it reports a job done or has none. TROUPE_EINVAL: no
 * such worker. */
int dispatcher_recall_done(struct dispatcher *self, int worker, double now);

/* The caller took precisely this handed job back before it began: it ends as JOB_CANCELLED.
 * TROUPE_EINVAL for a job that no worker has. */
int dispatcher_withdraw(struct dispatcher *self, uint64_t id, double now);

/* The worker is ready for jobs. */
int dispatcher_worker_up(struct dispatcher *self, int worker, double now);

/* The worker is gone: stopped as asked, lost or given up (jobs it had begun are retried or end as JOB_LOST, as killed or
 * expired if they were to end; unbegun ones are queued again), or it never came up: then `failed` is true, and when no other worker is up
 * every pending job ends as JOB_FAILED. */
int dispatcher_worker_down(struct dispatcher *self, int worker, bool failed, double now);

/* From now on at most so many workers. Those too many are stopped as they run dry; none loses its job.
 * 0; TROUPE_EINVAL below 1; TROUPE_ENOMEM, then unchanged. */
int dispatcher_resize(struct dispatcher *self, int workers, double now);

/* Paused: nothing is handed out, no worker is started, and what has not begun is recalled. Closing ends a
 * pause. */
void dispatcher_pause(struct dispatcher *self, bool paused, double now);

/* No more submits, and no more turns: repeating jobs end. With soon: what no worker has begun is cancelled, what runs
 * counts as asked to end (the caller tells all workers), what fails is not retried. Workers are stopped as they run dry;
 * ACTION_DRAINED is the last action. May be called again to ask for soon. */
void dispatcher_close(struct dispatcher *self, bool soon, double now);

/* The load of a live job; NULL: there is none. */
void *dispatcher_load(const struct dispatcher *self, uint64_t id);

/* Most workers wanted. */
int dispatcher_limit(const struct dispatcher *self);

bool dispatcher_is_closing(const struct dispatcher *self);

/* Time has passed: delayed jobs due are queued, idle workers stopped, runs that are over their time broken into. */
void dispatcher_tick(struct dispatcher *self, double now);

/* When dispatcher_tick is next of use; negative: never. */
double dispatcher_deadline(const struct dispatcher *self);

/* The next action; false when there is none. */
bool dispatcher_next(struct dispatcher *self, struct action *out);

struct job_info {
    enum job_state state;
    int worker;     /* that has it; 0: none */
    int attempt;    /* runs begun, the one under way included */
    double started; /* when that began, as well as is known; 0: none is under way */
};

void dispatcher_info(const struct dispatcher *self, uint64_t id, struct job_info *out);
enum job_state dispatcher_state(const struct dispatcher *self, uint64_t id);

/* Its run waits for its owner, or no longer. Nothing when no worker has the job. */
void dispatcher_sync(struct dispatcher *self, uint64_t id, bool syncing);

/* The worker that has the job; 0: none. */
int dispatcher_worker_of(const struct dispatcher *self, uint64_t id);

/* True when nothing is pending: every job has ended, or is delayed or scheduled and has not failed yet. */
bool dispatcher_is_quiet(const struct dispatcher *self);

/* False: no such worker. */
bool dispatcher_look(const struct dispatcher *self, int worker, struct dispatcher_worker *out);

void dispatcher_count(const struct dispatcher *self, struct dispatcher_counts *out);

/* Calls see with the load of every live job; it may cause no events. */
void dispatcher_each(const struct dispatcher *self, void (*see)(void *load, void *context), void *context);

#endif
