/* dispatcher_control.c - how runs are made to end: they are asked, broken into, given up.
 *
 * The limit of a run at a worker, a moment in the heap `limits`, and what it leads to:
 *
 *     none -> run [dispatcher_begun, of a job with a timeout]
 *     run --the timeout has passed: ACTION_HALT--> grace
 *     none, run --it has spent too much [dispatcher_spent]: ACTION_HALT--> grace
 *     none, run, grace -> grace [dispatcher_kill: the earlier moment counts]
 *     grace --passed: ACTION_BREAK--> break --every PRESS seconds: ACTION_BREAK--> break
 *     break --after PRESSES of them: ACTION_ABANDON--> break, in case nothing came of it
 *     any -> none [the job leaves the worker]
 *
 * 1. A job is in `limits` only while a worker has it.
 * 2. A run that was asked to end by someone is the job's last; one whose time passed counts as failed.
 */
#include "dispatcher.h"

#include <stddef.h>

#include "dispatcher_inner.h"
#include "troupe.h"

enum { PRESSES = 10 };

static const double PRESS = 0.1;         /* seconds between two attempts to break into a run */
static const double TIMEOUT_GRACE = 1.0; /* from a timeout until the run is broken into */

static struct job *job_of(struct heap_node *limit)
{
    return ((struct job_rare *)((char *)limit - offsetof(struct job_rare, limit)))->job;
}

static void set_limit(struct dispatcher *self, struct job *job, enum job_limit phase, double at)
{
    struct job_rare *rare = job->rare;
    if (rare->limit.index)
        heap_remove(&self->limits, &rare->limit);
    rare->phase = (uint8_t)phase;
    heap_push(&self->limits, &rare->limit, at);
}

void dispatcher_start_clock(struct dispatcher *self, struct job *job)
{
    if (job->rare && job->rare->timeout > 0 && job->rare->phase == LIMIT_NONE)
        set_limit(self, job, LIMIT_RUN, self->now + job->rare->timeout);
}

void dispatcher_drop_limit(struct dispatcher *self, struct job *job)
{
    if (!job->rare)
        return;
    if (job->rare->limit.index)
        heap_remove(&self->limits, &job->rare->limit);
    job->rare->phase = LIMIT_NONE;
    job->rare->breaks = 0;
}

enum job_end dispatcher_judge(const struct job *job, enum job_run how)
{
    if (job->rare && job->rare->overdue)
        return (enum job_end)job->rare->overdue;
    if (how == RUN_KILLED)
        return JOB_KILLED;
    if (how == RUN_FAILED)
        return JOB_FAILED;
    return job->stopping ? JOB_STOPPED : JOB_FINISHED;
}

static void stop_list(const struct job_list *list)
{
    for (struct job *job = list->head; job; job = job->next)
        job->stopping = 1;
}

void dispatcher_stop_handed(struct dispatcher *self)
{
    for (int i = 0; i < self->crew.size; i++) {
        stop_list(&self->crew.workers[i]->jobs);
        stop_list(&self->crew.workers[i]->parked);
    }
}

enum cancel_answer dispatcher_stop(struct dispatcher *self, uint64_t id, double now)
{
    enum cancel_answer answer = dispatcher_cancel(self, id, now);
    struct job *job = answer == CANCEL_HANDED ? id_map_find(&self->live, id) : NULL;
    if (job) /* else its owner was to decide about a retry: it has ended as it failed */
        job->stopping = 1;
    return answer;
}

int dispatcher_kill(struct dispatcher *self, uint64_t id, double grace, double now)
{
    static const struct job_spec plain;
    enum cancel_answer answer = dispatcher_stop(self, id, now);
    struct job *job = id_map_find(&self->live, id);
    if (answer != CANCEL_HANDED || !job)
        return answer;
    if (!job->rare && dispatcher_add_rare(self, job, &plain))
        return TROUPE_ENOMEM;
    struct job_rare *rare = job->rare;
    double at = self->now + grace;
    bool sooner = rare->phase == LIMIT_GRACE && rare->limit.key <= at;
    rare->killed = true;
    if (rare->phase != LIMIT_BREAK && !sooner)
        set_limit(self, job, LIMIT_GRACE, at);
    return answer;
}

int dispatcher_spent(struct dispatcher *self, int worker, uint64_t id, double now)
{
    static const struct job_spec plain;
    dispatcher_advance(self, now);
    struct job *job = id_map_find(&self->live, id);
    if (!job || (job->state != JOB_HANDED && job->state != JOB_PARKED) || (int)job->worker != worker)
        return TROUPE_EINVAL;
    if (!job->rare && dispatcher_add_rare(self, job, &plain))
        return TROUPE_ENOMEM;
    if (job->rare->phase == LIMIT_NONE || job->rare->phase == LIMIT_RUN) {
        job->rare->overdue = JOB_SPENT;
        set_limit(self, job, LIMIT_RUN, self->now);
    }
    return 0;
}

/* The job's limit has passed: what follows, and its next one. */
static enum action_kind step(struct dispatcher *self, struct job *job)
{
    struct job_rare *rare = job->rare;
    if (rare->phase == LIMIT_RUN) {
        job->stopping = 1;
        if (!rare->overdue)
            rare->overdue = JOB_EXPIRED;
        set_limit(self, job, LIMIT_GRACE, self->now + TIMEOUT_GRACE);
        return ACTION_HALT;
    }
    bool again = rare->breaks++ < PRESSES;
    set_limit(self, job, LIMIT_BREAK, self->now + PRESS);
    return again ? ACTION_BREAK : ACTION_ABANDON;
}

bool dispatcher_next_limit(struct dispatcher *self, struct action *out)
{
    struct heap_node *limit = heap_top(&self->limits);
    if (!limit || limit->key > self->now)
        return false;
    struct job *job = job_of(limit);
    *out = (struct action){.kind = step(self, job), .worker = (int)job->worker, .attempt = job_attempts(job) + 1,
                           .id = job->id, .load = job->load};
    return true;
}
