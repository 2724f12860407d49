/* dispatcher.c - see dispatcher.h: what submitters and time do to jobs. dispatcher_worker.c has what
 * workers report, dispatcher_again.c jobs that run more than once, dispatcher_control.c how runs are made to
 * end, dispatcher_next.c what follows.
 *
 *     (submit) -> delayed [dispatcher_submit]           delayed -> queued [dispatcher_tick]
 *     (submit) -> queued [dispatcher_submit]            queued -> handed [dispatcher_next]
 *     (submit) -> ganged, see dispatcher_gang.c [dispatcher_submit]
 *     handed -> parked [dispatcher_parked]             either may be asked to end [dispatcher_stop, dispatcher_kill,
 *                                                      time], and is `stopping` until it does
 *     parked -> delayed, queued or ended [dispatcher_done, dispatcher_worker_down]
 *     handed -> queued, where it was [dispatcher_returned, dispatcher_worker_down: unbegun]
 *     handed -> delayed or queued, last [dispatcher_done, dispatcher_worker_down: a retry, a further turn]
 *     handed, parked -> asked [dispatcher_done, dispatcher_worker_down: a retry that its owner decides]
 *     asked -> delayed, queued or ended [dispatcher_decide, dispatcher_cancel, dispatcher_close]
 *     delayed, queued -> ended [dispatcher_cancel, dispatcher_cancel_pending, dispatcher_close,
 *                               dispatcher_worker_down: never came up]
 *     handed -> ended [dispatcher_done, dispatcher_withdraw, dispatcher_returned, dispatcher_worker_down]
 *     handed, parked -> ended [dispatcher_forsake]
 *     ended -> (gone) [dispatcher_next]
 *
 * A worker begins jobs in the order handed: the first in its hand counts as running.
 *
 * 1. A job is in exactly one place: the heap `delayed`, the queue, one worker's hand or parked there, or one of the lists
 *    `asking`, `asked` and `ended`.
 * 2. It is in `live` until it ends, and goes to `ended` once: so each gets exactly one ACTION_END.
 * 3. Memory is taken only by dispatcher_new, dispatcher_submit, dispatcher_kill and dispatcher_resize;
 *    dispatcher_submit reserves what the job may need later. Every other event succeeds whatever the state
 *    of memory.
 * 4. Events record facts; what follows for workers is worked out in dispatcher_next, from the state then.
 */
#include "dispatcher.h"

#include <math.h>
#include <stdlib.h>

#include "dispatcher_inner.h"
#include "troupe.h"

static struct job *job_of(struct heap_node *due)
{
    return ((struct job_rare *)due)->job;
}

void dispatcher_enqueue(struct dispatcher *self, struct job *job)
{
    self->start_failed = false;
    job_begin_anew(job);
    job_queue_push(&self->queue, job);
}

/* It is delayed since a run of it failed. */
static bool waits_for_retry(const struct job *job)
{
    return !job->rare->scheduled && job->rare->attempts > 0;
}

void dispatcher_delay(struct dispatcher *self, struct job *job, double until, bool scheduled)
{
    job_begin_anew(job);
    job->state = JOB_DELAYED;
    job->rare->scheduled = scheduled;
    self->scheduled += scheduled;
    self->retrying += waits_for_retry(job);
    heap_push(&self->delayed, &job->rare->due, until);
}

void dispatcher_undelay(struct dispatcher *self, struct job *job)
{
    self->scheduled -= job->rare->scheduled;
    self->retrying -= waits_for_retry(job);
    heap_remove(&self->delayed, &job->rare->due);
}

void dispatcher_end(struct dispatcher *self, struct job *job, enum job_end how, void *result)
{
    if (job->rare && job->rare->gang_size) {
        self->gangs--;
        dispatcher_end_members(self, job, how);
    }
    id_map_remove(&self->live, job->id);
    job_queue_leave(&self->queue, job);
    job->state = JOB_NONE;
    job->end = how;
    job->result = result;
    job_list_insert(&self->ended, self->ended.tail, job);
    self->ends[how] += !job->essential;
}

/* The turns of repeating jobs end that way, too. */
void dispatcher_end_queued(struct dispatcher *self, enum job_end how)
{
    struct job *job;
    while ((job = job_queue_pop(&self->queue)))
        dispatcher_conclude(self, job, how, NULL);
}

/* Out of the heap or the queue, to its end. */
static void end_waiting(struct dispatcher *self, struct job *job, enum job_end how)
{
    if (job->state == JOB_DELAYED)
        dispatcher_undelay(self, job);
    else
        job_queue_remove(&self->queue, job);
    dispatcher_end(self, job, how, NULL);
}

int dispatcher_new(struct dispatcher **out, const struct dispatcher_options *options)
{
    struct dispatcher *self = calloc(1, sizeof *self);
    if (!self)
        return TROUPE_ENOMEM;
    const struct crew_limits limits = {options->workers, options->max_credit, options->max_jobs, options->concurrency};
    int rc = crew_init(&self->crew, &limits);
    if (rc) {
        free(self);
        return rc;
    }
    rc = rate_init(&self->rate, options->rate_jobs, options->rate_per);
    if (rc) {
        crew_release(&self->crew);
        free(self);
        return rc;
    }
    self->idle_timeout = options->idle_timeout;
    self->generator = options->seed;
    slab_init(&self->jobs, sizeof(struct job));
    slab_init(&self->rares, sizeof(struct job_rare));
    id_map_init(&self->live);
    job_queue_init(&self->queue);
    heap_init(&self->delayed);
    heap_init(&self->limits);
    *out = self;
    return 0;
}

void dispatcher_destroy(struct dispatcher **self)
{
    struct dispatcher *dispatcher = *self;
    if (!dispatcher)
        return;
    heap_release(&dispatcher->delayed);
    heap_release(&dispatcher->limits);
    job_queue_release(&dispatcher->queue);
    id_map_release(&dispatcher->live);
    slab_release(&dispatcher->rares);
    slab_release(&dispatcher->jobs);
    crew_release(&dispatcher->crew);
    rate_release(&dispatcher->rate);
    free(dispatcher);
    *self = NULL;
}

int dispatcher_add_rare(struct dispatcher *self, struct job *job, const struct job_spec *spec)
{
    if (heap_reserve(&self->delayed, self->rare_count + 1) || heap_reserve(&self->limits, self->rare_count + 1))
        return TROUPE_ENOMEM;
    job->rare = slab_get(&self->rares);
    if (!job->rare)
        return TROUPE_ENOMEM;
    job_rare_init(job->rare, job, spec, self->now);
    self->rare_count++;
    if (job_repeats(job))
        dispatcher_repeat(self, job->rare);
    return 0;
}

static int new_job(struct dispatcher *self, const struct job_spec *spec, struct job **out)
{
    struct job *job = slab_get(&self->jobs);
    if (!job)
        return TROUPE_ENOMEM;
    *job = (struct job){.id = spec->id, .load = spec->load, .first = spec->first, .essential = spec->essential};
    int rc = 0;
    if (spec->delay > 0 || spec->retry.retries || spec->every > 0 || spec->timeout > 0 || spec->gang)
        rc = dispatcher_add_rare(self, job, spec);
    if (!rc)
        rc = job_queue_admit(&self->queue, job, spec->priority);
    if (rc) {
        dispatcher_free(self, job);
        return rc;
    }
    *out = job;
    return 0;
}

int dispatcher_submit(struct dispatcher *self, const struct job_spec *spec, double now)
{
    struct job *job;
    dispatcher_advance(self, now);
    if (self->closing && !spec->essential)
        return TROUPE_EDEAD;
    if (!spec->id)
        return TROUPE_EINVAL;
    int rc = spec->gang ? dispatcher_check_gang(self, spec) : 0;
    if (!rc)
        rc = new_job(self, spec, &job);
    if (rc)
        return rc;
    rc = id_map_insert(&self->live, job);
    if (rc) {
        job_queue_leave(&self->queue, job);
        dispatcher_free(self, job);
        return rc;
    }
    if (spec->gang)
        dispatcher_join_gang(self, job, spec);
    else if (spec->delay > 0)
        dispatcher_delay(self, job, self->now + spec->delay, spec->scheduled || spec->every > 0);
    else
        dispatcher_enqueue(self, job);
    return 0;
}

enum cancel_answer dispatcher_cancel(struct dispatcher *self, uint64_t id, double now)
{
    dispatcher_advance(self, now);
    struct job *job = id_map_find(&self->live, id);
    if (!job)
        return CANCEL_UNKNOWN;
    if (job->state == JOB_HANDED || job->state == JOB_PARKED) {
        job->cancelled = 1;
        return CANCEL_HANDED;
    }
    if (job->state == JOB_ASKED) {
        dispatcher_leave_asked(self, job);
        dispatcher_end(self, job, job->end, job->result);
        return CANCEL_HANDED;
    }
    if (job->rare && (job->rare->leader || job->rare->gang_size))
        dispatcher_end_gang(self, job, JOB_CANCELLED);
    else
        end_waiting(self, job, JOB_CANCELLED);
    return CANCEL_ENDED;
}

void dispatcher_cancel_pending(struct dispatcher *self, bool delayed, double now)
{
    struct job *job;
    struct heap_node *due;
    struct job_list spared = {0};
    dispatcher_advance(self, now);
    while ((job = job_queue_pop(&self->queue))) {
        if (job->essential)
            job_list_insert(&spared, spared.tail, job);
        else if (job_repeats(job) && !delayed)
            dispatcher_skip_turn(self, job);
        else
            dispatcher_end(self, job, JOB_CANCELLED, NULL);
    }
    while ((job = spared.head)) {
        job_list_remove(&spared, job);
        job_queue_restore(&self->queue, job);
    }
    while (delayed && (due = heap_top(&self->delayed)))
        end_waiting(self, job_of(due), JOB_CANCELLED);
}

void dispatcher_pause(struct dispatcher *self, bool paused, double now)
{
    dispatcher_advance(self, now);
    if (self->closing || paused == self->paused)
        return;
    self->paused = paused;
    if (paused)
        crew_want_all(&self->crew);
}

void dispatcher_close(struct dispatcher *self, bool soon, double now)
{
    dispatcher_advance(self, now);
    self->closing = true;
    self->paused = false;
    dispatcher_end_repeating(self);
    dispatcher_end_gathering(self);
    if (!soon || self->soon)
        return;
    self->soon = true;
    dispatcher_cancel_pending(self, true, now);
    dispatcher_end_asked(self);
    dispatcher_stop_handed(self);
    crew_want_all(&self->crew);
}

void *dispatcher_load(const struct dispatcher *self, uint64_t id)
{
    const struct job *job = id_map_find(&self->live, id);
    return job ? job->load : NULL;
}

int dispatcher_limit(const struct dispatcher *self)
{
    return self->crew.limit;
}

bool dispatcher_is_closing(const struct dispatcher *self)
{
    return self->closing;
}

void dispatcher_tick(struct dispatcher *self, double now)
{
    dispatcher_advance(self, now);
    struct heap_node *due;
    while ((due = heap_top(&self->delayed)) && due->key <= self->now) {
        dispatcher_undelay(self, job_of(due));
        dispatcher_enqueue(self, job_of(due));
    }
}

/* When the rate lets the next job, or gang, start. */
static double next_start(const struct dispatcher *self)
{
    if (!self->rate.jobs || self->queue.count == 0 || self->paused)
        return -INFINITY;
    const struct job *gang = dispatcher_next_gang(self);
    return rate_free_at(&self->rate, gang ? (size_t)gang->rare->gang_size : 1);
}

double dispatcher_deadline(const struct dispatcher *self)
{
    double at = crew_deadline(&self->crew);
    const struct heap_node *due = heap_top(&self->delayed);
    const struct heap_node *limit = heap_top(&self->limits);
    if (due)
        at = fmin(at, due->key);
    if (limit)
        at = fmin(at, limit->key);
    double free_at = next_start(self);
    if (free_at > self->now)
        at = fmin(at, free_at);
    const struct worker *driest = NULL;
    if (self->idle_timeout > 0 && self->crew.asked == 0 && !dispatcher_next_gang(self))
        driest = crew_driest(&self->crew);
    if (driest)
        at = fmin(at, driest->since + self->idle_timeout);
    return isfinite(at) ? at : -1;
}

enum job_state dispatcher_state(const struct dispatcher *self, uint64_t id)
{
    const struct job *job = id_map_find(&self->live, id);
    if (!job)
        return JOB_NONE;
    if (job->stopping && (job->state == JOB_HANDED || job->state == JOB_PARKED))
        return JOB_STOPPING;
    if (job->syncing && (job->state == JOB_HANDED || job->state == JOB_PARKED))
        return JOB_SYNCING;
    if (job->state == JOB_HANDED && crew_find(&self->crew, (int)job->worker)->jobs.head == job)
        return JOB_RUNNING;
    if (job->state == JOB_GANGED)
        return JOB_QUEUED;
    return job->state == JOB_PARKED ? JOB_RUNNING : job->state;
}

void dispatcher_sync(struct dispatcher *self, uint64_t id, bool syncing)
{
    struct job *job = id_map_find(&self->live, id);
    if (job)
        job->syncing = syncing && (job->state == JOB_HANDED || job->state == JOB_PARKED);
}

void dispatcher_info(const struct dispatcher *self, uint64_t id, struct job_info *out)
{
    const struct job *job = id_map_find(&self->live, id);
    *out = (struct job_info){.state = dispatcher_state(self, id), .worker = dispatcher_worker_of(self, id)};
    if (!job)
        return;
    out->attempt = job_attempts(job);
    const struct worker *worker = crew_find(&self->crew, out->worker);
    bool runs = worker && (job->state == JOB_PARKED || worker->jobs.head == job);
    if (!runs)
        return;
    out->attempt++;
    out->started = job->state == JOB_PARKED ? job->begun : worker->since;
}

int dispatcher_worker_of(const struct dispatcher *self, uint64_t id)
{
    const struct job *job = id_map_find(&self->live, id);
    return job && (job->state == JOB_HANDED || job->state == JOB_PARKED) ? (int)job->worker : 0;
}

bool dispatcher_is_quiet(const struct dispatcher *self)
{
    return self->queue.count == 0 && self->handed == 0 && self->asked_count == 0 && self->retrying == 0 && !self->ended.head;
}

void dispatcher_count(const struct dispatcher *self, struct dispatcher_counts *out)
{
    *out = (struct dispatcher_counts){
        .pending = self->queue.count + self->ganged,
        .delayed = self->delayed.count - self->scheduled,
        .scheduled = self->scheduled,
        .asked = self->asked_count,
        .handed = self->handed,
        .workers = (size_t)self->crew.alive,
        .idle = (size_t)self->crew.idle,
        .finished = self->ends[JOB_FINISHED],
        .failed = self->ends[JOB_FAILED],
        .cancelled = self->ends[JOB_CANCELLED],
        .lost = self->ends[JOB_LOST],
        .stopped = self->ends[JOB_STOPPED] + self->ends[JOB_KILLED] + self->ends[JOB_EXPIRED] + self->ends[JOB_SPENT],
        .retried = self->retried,
    };
}

struct seeing {
    void (*see)(void *load, void *context);
    void *context;
};

static void see_load(void *object, void *context)
{
    const struct seeing *s = context;
    s->see(((struct job *)object)->load, s->context);
}

void dispatcher_each(const struct dispatcher *self, void (*see)(void *load, void *context), void *context)
{
    struct seeing s = {see, context};
    id_map_each(&self->live, see_load, &s);
}
