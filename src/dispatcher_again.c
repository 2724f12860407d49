/* dispatcher_again.c - jobs that run more than once: retries, whose owner may be asked before each, and turns.
 *
 * See dispatcher.c for a job's states. A turn is what another job's life is: queued, run, perhaps tried again; then it is
 * reported, and the job waits for the next turn that is not past, so a turn that comes while the last still runs is
 * missed.
 *
 * 1. A report is made when a turn ends and leaves before anything else: there is one at most for each job.
 * 2. A job whose owner was asked keeps its run's result until the answer, or until nobody waits for one any more.
 */
#include "dispatcher.h"

#include "dispatcher_inner.h"
#include "troupe.h"

enum { ASKING, ASKED }; /* job.worker, while its state is JOB_ASKED: which list it is in */

void dispatcher_repeat(struct dispatcher *self, struct job_rare *rare)
{
    rare->prev_repeating = NULL;
    rare->next_repeating = self->repeating;
    if (self->repeating)
        self->repeating->prev_repeating = rare;
    self->repeating = rare;
}

static void leave_repeating(struct dispatcher *self, struct job_rare *rare)
{
    if (rare->prev_repeating)
        rare->prev_repeating->next_repeating = rare->next_repeating;
    else
        self->repeating = rare->next_repeating;
    if (rare->next_repeating)
        rare->next_repeating->prev_repeating = rare->prev_repeating;
}

void dispatcher_free(struct dispatcher *self, struct job *job)
{
    if (job->rare) {
        if (job_repeats(job))
            leave_repeating(self, job->rare);
        slab_put(&self->rares, job->rare);
        self->rare_count--;
    }
    slab_put(&self->jobs, job);
}

/* What was asked of the last run does not hold for the next. */
static void forget_run(struct job *job)
{
    job->stopping = 0;
    job->rare->overdue = 0;
}

void dispatcher_skip_turn(struct dispatcher *self, struct job *job)
{
    forget_run(job);
    dispatcher_delay(self, job, job_next_turn(job, self->now), true);
}

void dispatcher_conclude(struct dispatcher *self, struct job *job, enum job_end how, void *result)
{
    if (!job_repeats(job) || job->cancelled || self->closing) {
        dispatcher_end(self, job, how, result);
        return;
    }
    struct job_rare *rare = job->rare;
    rare->report = result;
    rare->report_end = how;
    rare->report_attempts = rare->attempts;
    rare->next_report = NULL;
    if (self->reports)
        self->last_report->next_report = rare;
    else
        self->reports = rare;
    self->last_report = rare;
    self->ends[how]++;
    dispatcher_skip_turn(self, job);
}

void dispatcher_end_repeating(struct dispatcher *self)
{
    struct job_rare *next;
    for (struct job_rare *rare = self->repeating; rare; rare = next) {
        next = rare->next_repeating;
        struct job *job = rare->job;
        if (job->state != JOB_DELAYED && job->state != JOB_QUEUED)
            continue;
        if (job->state == JOB_DELAYED)
            dispatcher_undelay(self, job);
        else
            job_queue_remove(&self->queue, job);
        dispatcher_end(self, job, JOB_CANCELLED, NULL);
    }
}

/* Waits for its next run. */
static void retry(struct dispatcher *self, struct job *job)
{
    double wait = job_next_wait(job, &self->generator);
    forget_run(job);
    self->retried++;
    if (wait > 0)
        dispatcher_delay(self, job, self->now + wait, false);
    else
        dispatcher_enqueue(self, job);
}

static void ask(struct dispatcher *self, struct job *job, enum job_end how, void *result)
{
    job->state = JOB_ASKED;
    job->worker = ASKING;
    job->end = how;
    job->result = result;
    job_list_insert(&self->asking, self->asking.tail, job);
    self->asked_count++;
}

bool dispatcher_try_again(struct dispatcher *self, struct job *job, enum job_end how, void *result, void **dropped)
{
    if (job->cancelled || self->soon || !job_may_retry(job))
        return false;
    *dropped = NULL;
    if (job->rare->retry.asks) {
        ask(self, job, how, result);
        return true;
    }
    *dropped = result;
    retry(self, job);
    return true;
}

void dispatcher_leave_asked(struct dispatcher *self, struct job *job)
{
    job_list_remove(job->worker == ASKED ? &self->asked : &self->asking, job);
    self->asked_count--;
}

int dispatcher_decide(struct dispatcher *self, uint64_t id, bool again, void **dropped, double now)
{
    dispatcher_advance(self, now);
    *dropped = NULL;
    struct job *job = id_map_find(&self->live, id);
    if (!job || job->state != JOB_ASKED || job->worker != ASKED)
        return TROUPE_EINVAL;
    void *result = job->result;
    dispatcher_leave_asked(self, job);
    if (again) {
        *dropped = result;
        retry(self, job);
    } else {
        dispatcher_conclude(self, job, job->end, result);
    }
    return 0;
}

void dispatcher_end_asked(struct dispatcher *self)
{
    struct job *job;
    while ((job = self->asking.head) || (job = self->asked.head)) {
        dispatcher_leave_asked(self, job);
        dispatcher_end(self, job, job->end, job->result);
    }
}

bool dispatcher_next_report(struct dispatcher *self, struct action *out)
{
    struct job_rare *rare = self->reports;
    if (!rare)
        return false;
    *out = (struct action){
        .kind = ACTION_REPORT,
        .end = rare->report_end,
        .attempt = rare->report_attempts,
        .id = rare->job->id,
        .load = rare->job->load,
        .result = rare->report,
    };
    self->reports = rare->next_report;
    return true;
}

bool dispatcher_next_ask(struct dispatcher *self, struct action *out)
{
    struct job *job = self->asking.head;
    if (!job)
        return false;
    *out = (struct action){
        .kind = ACTION_ASK,
        .end = job->end,
        .attempt = job_attempts(job),
        .id = job->id,
        .load = job->load,
        .result = job->result,
    };
    job_list_remove(&self->asking, job);
    job->worker = ASKED;
    job_list_insert(&self->asked, self->asked.tail, job);
    return true;
}
