/* dispatcher_next.c - the actions: worked out from the state whenever the caller asks, so that a whole
 * batch of events is answered at once.
 *
 * The order is the policy: outcomes leave first; runs over their time are ended; workers too many, and those that have run enough, are stopped; each idle worker gets a
 * job, the warmest first; what still waits may start workers; only then jobs are handed in advance. With a
 * rate nothing is: a job starts when it is handed out. A gang that is next holds what is behind it. What
 * was handed in advance is taken back when its worker is stuck in a long job, and when another worker is
 * idle with nothing left to hand out.
 *
 * 1. Every action changes the state so that it is not found again: dispatcher_next always comes to an
 *    end.
 * 2. One recall at most is under way for each worker, and for idleness one for each that is idle.
 */
#include "dispatcher.h"

#include "dispatcher_inner.h"

static bool next_end(struct dispatcher *self, struct action *out)
{
    struct job *job = self->ended.head;
    if (!job)
        return false;
    *out = (struct action){
        .kind = ACTION_END,
        .end = job->end,
        .attempt = job_attempts(job),
        .id = job->id,
        .load = job->load,
        .result = job->result,
    };
    job_list_remove(&self->ended, job);
    if (job->rare)
        dispatcher_free(self, job);
    else
        slab_put(&self->jobs, job);
    return true;
}

static bool stop(struct dispatcher *self, struct worker *worker, struct action *out)
{
    *out = (struct action){.kind = ACTION_STOP, .worker = worker->number};
    crew_stop(&self->crew, worker);
    return true;
}

static bool next_excess(struct dispatcher *self, struct action *out)
{
    struct worker *coldest = crew_coldest(&self->crew);
    return self->crew.alive > crew_most(&self->crew) && coldest && stop(self, coldest, out);
}

/* A worker that was handed all it may be. */
static bool next_spent(struct dispatcher *self, struct action *out)
{
    struct worker *worker = self->crew.spent.head;
    if (!worker)
        return false;
    if (!worker->parked.head)
        return stop(self, worker, out);
    *out = (struct action){.kind = ACTION_STOP, .worker = worker->number};
    return crew_retire(&self->crew, worker) || next_spent(self, out);
}

void dispatcher_tell_run(const struct job *job, struct action *out)
{
    *out = (struct action){
        .kind = ACTION_RUN,
        .worker = (int)job->worker,
        .attempt = job_attempts(job) + 1,
        .last = job->rare ? job_last(job) : RUN_LAST,
        .id = job->id,
        .load = job->load,
    };
}

static bool run(struct dispatcher *self, struct worker *worker, struct action *out)
{
    struct job *job = job_queue_pop(&self->queue);
    crew_hand(&self->crew, worker, job, self->now);
    self->handed++;
    rate_note(&self->rate, self->now);
    dispatcher_tell_run(job, out);
    return true;
}

static bool may_start(const struct dispatcher *self)
{
    const struct crew *crew = &self->crew;
    if (!crew_has_room(crew) || (self->start_failed && crew->alive > 0))
        return false;
    return self->queue.count > (size_t)crew->starting;
}

static bool next_run(struct dispatcher *self, struct action *out)
{
    if (self->paused || self->queue.count == 0)
        return false;
    struct job *gang = self->gangs ? dispatcher_next_gang(self) : NULL;
    if (gang)
        return dispatcher_run_gang(self, gang, out);
    if (rate_free_at(&self->rate, 1) > self->now)
        return false;
    struct worker *worker = crew_warmest(&self->crew);
    if (worker)
        return run(self, worker, out);
    if (may_start(self)) {
        *out = (struct action){.kind = ACTION_START, .worker = crew_start(&self->crew)->number};
        return true;
    }
    worker = self->rate.jobs ? NULL : crew_spare(&self->crew, self->now);
    return worker && run(self, worker, out);
}

static bool next_recall(struct dispatcher *self, struct action *out)
{
    struct crew *crew = &self->crew;
    struct worker *worker = crew->wanted.head;
    if (!worker)
        worker = crew_stuck(crew, self->now);
    if (!worker && !self->paused && self->queue.count == 0 && crew->idle > crew->asked)
        worker = crew_most_loaded(crew);
    if (!worker)
        return false;
    *out = (struct action){.kind = ACTION_RECALL, .worker = worker->number};
    crew_ask(crew, worker);
    return true;
}

/* An idle worker that nothing is coming for: it waited too long, or the pool closes. One whose jobs wait is not idle:
 * stopped, it would end with the last of them, and take the place of another until then. */
static bool next_stop(struct dispatcher *self, struct action *out)
{
    bool needless = self->closing && self->queue.count == 0 && self->delayed.count == 0 && self->asked_count == 0;
    if (self->crew.asked > 0 || (!needless && self->idle_timeout <= 0) || dispatcher_next_gang(self))
        return false;
    struct worker *driest = crew_driest(&self->crew);
    bool expired = driest && self->idle_timeout > 0 && driest->since + self->idle_timeout <= self->now;
    return driest && (expired || needless) && stop(self, driest, out);
}

static bool next_drained(struct dispatcher *self, struct action *out)
{
    if (!self->closing || self->drained || self->live.count || self->crew.alive || self->crew.stopping)
        return false;
    self->drained = true;
    *out = (struct action){.kind = ACTION_DRAINED};
    return true;
}

/* As many workers as the next gang needs, though the pool may have become smaller since. */
static void keep_for_gang(struct dispatcher *self)
{
    const struct job *gang = self->paused ? NULL : dispatcher_next_gang(self);
    self->crew.floor = gang ? gang->rare->gang_size : 0;
}

bool dispatcher_next(struct dispatcher *self, struct action *out)
{
    if (self->gangs || self->crew.floor)
        keep_for_gang(self);
    /* What most pools never have is not asked about elsewhere. */
    return (self->launched && dispatcher_next_launched(self, out)) ||
           (self->reports && dispatcher_next_report(self, out)) ||
           (self->asking.head && dispatcher_next_ask(self, out)) || next_end(self, out) ||
           (self->limits.count && dispatcher_next_limit(self, out)) ||
           next_excess(self, out) || next_spent(self, out) || next_run(self, out) || next_recall(self, out) ||
           next_stop(self, out) || next_drained(self, out);
}
