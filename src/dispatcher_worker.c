/* dispatcher_worker.c - what workers report: jobs done or given back, their own coming and going.
 *
 * See dispatcher.c for a job's states. A worker begins jobs in the order handed, so when it is lost the
 * first in its hand counts as begun and the others as not.
 */
#include "dispatcher.h"

#include "dispatcher_inner.h"
#include "troupe.h"

static void leave_hand(struct dispatcher *self, struct worker *worker, struct job *job)
{
    crew_take(&self->crew, worker, job, self->now);
    if (job->rare)
        dispatcher_drop_limit(self, job);
    self->handed--;
}

/* Unbegun. */
static void leave_hand_whole(struct dispatcher *self, struct worker *worker, struct job *job)
{
    crew_take_back(&self->crew, worker, job, self->now);
    dispatcher_drop_limit(self, job);
    self->handed--;
}

/* Its worker had not begun it; it has left the hand. */
static void put_back(struct dispatcher *self, struct job *job)
{
    bool unwanted = self->soon && !job->essential;
    if (job->cancelled || unwanted || (self->closing && job_repeats(job))) {
        dispatcher_end(self, job, JOB_CANCELLED, NULL);
        return;
    }
    job_begin_anew(job);
    job_queue_restore(&self->queue, job);
}

static void leave_parked(struct dispatcher *self, struct worker *worker, struct job *job)
{
    crew_unpark(&self->crew, worker, job, self->now);
    dispatcher_drop_limit(self, job);
    self->handed--;
}

/* The job is taken from the worker that has it. */
static void leave_worker(struct dispatcher *self, struct job *job)
{
    struct worker *worker = crew_find(&self->crew, (int)job->worker);
    if (job->state == JOB_HANDED)
        leave_hand(self, worker, job);
    else
        leave_parked(self, worker, job);
}

/* The job that waits at the worker; NULL when it has no such job. */
static struct job *find_parked(struct dispatcher *self, const struct worker *worker, uint64_t id)
{
    struct job *job = id_map_find(&self->live, id);
    return job && job->state == JOB_PARKED && job->worker == (uint32_t)worker->number ? job : NULL;
}

/* The job in the worker's hand; NULL when it has no such job. Mostly it is the first there. */
static struct job *find_handed(struct dispatcher *self, const struct worker *worker, uint64_t id)
{
    struct job *job = worker->jobs.head;
    if (job && job->id == id)
        return job;
    job = id_map_find(&self->live, id);
    return job && job->state == JOB_HANDED && job->worker == (uint32_t)worker->number ? job : NULL;
}

int dispatcher_begun(struct dispatcher *self, int worker, uint64_t id, double now)
{
    dispatcher_advance(self, now);
    struct worker *found = crew_find(&self->crew, worker);
    struct job *job = found ? find_handed(self, found, id) : NULL;
    if (!job)
        return TROUPE_EINVAL;
    dispatcher_start_clock(self, job);
    return 0;
}

int dispatcher_done(struct dispatcher *self, int worker, uint64_t id, enum job_run how, double ran, void *result,
                    void **dropped, double now)
{
    dispatcher_advance(self, now);
    *dropped = NULL;
    struct worker *found = crew_find(&self->crew, worker);
    struct job *job = found ? find_handed(self, found, id) : NULL;
    if (job) {
        leave_hand(self, found, job);
        crew_measure(&self->crew, found, ran, self->now);
    } else {
        job = found ? find_parked(self, found, id) : NULL;
        if (!job)
            return TROUPE_EINVAL;
        leave_parked(self, found, job); /* how long it waited says nothing about the next */
    }
    found->executed++;
    job_count_attempt(job);
    if (!job->rare && !job->stopping && how == RUN_FINE) {
        dispatcher_end(self, job, JOB_FINISHED, result);
        return 0;
    }
    enum job_end end = dispatcher_judge(job, how);
    bool good = end == JOB_FINISHED || end == JOB_STOPPED;
    if (good || !dispatcher_try_again(self, job, end, result, dropped))
        dispatcher_conclude(self, job, end, result);
    return 0;
}

int dispatcher_parked(struct dispatcher *self, int worker, uint64_t id, double now)
{
    dispatcher_advance(self, now);
    struct worker *found = crew_find(&self->crew, worker);
    struct job *job = found ? find_handed(self, found, id) : NULL;
    if (!job)
        return TROUPE_EINVAL;
    crew_park(&self->crew, found, job, self->now);
    return 0;
}

int dispatcher_returned(struct dispatcher *self, int worker, uint64_t id, double now)
{
    dispatcher_advance(self, now);
    struct worker *found = crew_find(&self->crew, worker);
    struct job *job = found ? find_handed(self, found, id) : NULL;
    if (!job)
        return TROUPE_EINVAL;
    leave_hand_whole(self, found, job);
    put_back(self, job);
    return 0;
}

int dispatcher_refused(struct dispatcher *self, int worker, uint64_t id, double now)
{
    int rc = dispatcher_returned(self, worker, id, now);
    if (rc == 0)
        crew_refuse(&self->crew, crew_find(&self->crew, worker));
    return rc;
}

int dispatcher_forsake(struct dispatcher *self, uint64_t id, double now)
{
    dispatcher_advance(self, now);
    struct job *job = id_map_find(&self->live, id);
    if (!job || (job->state != JOB_HANDED && job->state != JOB_PARKED))
        return TROUPE_EINVAL;
    leave_worker(self, job);
    job_count_attempt(job);
    dispatcher_end(self, job, dispatcher_judge(job, RUN_KILLED), NULL);
    return 0;
}

int dispatcher_recall_done(struct dispatcher *self, int worker, double now)
{
    dispatcher_advance(self, now);
    struct worker *found = crew_find(&self->crew, worker);
    if (!found)
        return TROUPE_EINVAL;
    crew_answer(&self->crew, found);
    return 0;
}

int dispatcher_withdraw(struct dispatcher *self, uint64_t id, double now)
{
    dispatcher_advance(self, now);
    struct job *job = id_map_find(&self->live, id);
    if (!job || job->state != JOB_HANDED)
        return TROUPE_EINVAL;
    leave_hand_whole(self, crew_find(&self->crew, (int)job->worker), job);
    dispatcher_end(self, job, JOB_CANCELLED, NULL);
    return 0;
}

int dispatcher_worker_up(struct dispatcher *self, int worker, double now)
{
    dispatcher_advance(self, now);
    struct worker *found = crew_find(&self->crew, worker);
    if (!found || found->state != WORKER_STARTING)
        return TROUPE_EINVAL;
    self->start_failed = false;
    crew_up(&self->crew, found, self->now);
    return 0;
}

/* The job had begun when its worker was lost; it has left the worker. */
static void lose(struct dispatcher *self, struct job *job)
{
    const struct job_rare *rare = job->rare;
    bool to_end = rare && (rare->killed || rare->overdue);
    enum job_end end = to_end ? dispatcher_judge(job, RUN_KILLED) : JOB_LOST;
    void *dropped;
    job_count_attempt(job);
    if (!dispatcher_try_again(self, job, end, NULL, &dropped))
        dispatcher_conclude(self, job, end, NULL);
}

/* Takes the hand of a lost worker apart, the last job first, so that each goes back in front of the one
 * before. */
static void lose_hand(struct dispatcher *self, struct worker *worker)
{
    struct job *job;
    while ((job = worker->jobs.tail)) {
        bool begun = job == worker->jobs.head;
        leave_hand(self, worker, job);
        if (!begun) {
            put_back(self, job);
            continue;
        }
        lose(self, job);
    }
    while ((job = worker->parked.head)) {
        leave_parked(self, worker, job);
        lose(self, job);
    }
}

int dispatcher_worker_down(struct dispatcher *self, int worker, bool failed, double now)
{
    dispatcher_advance(self, now);
    struct worker *found = crew_find(&self->crew, worker);
    if (!found)
        return TROUPE_EINVAL;
    bool never_up = found->state == WORKER_STARTING;
    lose_hand(self, found);
    crew_down(&self->crew, found);
    if (never_up && failed) {
        self->start_failed = true;
        if (self->crew.alive == 0)
            dispatcher_end_queued(self, JOB_FAILED);
    }
    return 0;
}

bool dispatcher_look(const struct dispatcher *self, int worker, struct dispatcher_worker *out)
{
    const struct worker *found = crew_find(&self->crew, worker);
    if (!found)
        return false;
    *out = (struct dispatcher_worker){
        .state = found->state == WORKER_STARTING ? "starting" : found->state == WORKER_STOPPING ? "stopping"
                 : found->held ? "busy" : "idle",
        .waiting = found->waiting,
        .executed = found->executed,
        .busy = found->busy + (found->held ? self->now - found->busy_since : 0),
        .since = self->now - found->since,
        .current = found->jobs.head ? found->jobs.head->load : NULL,
    };
    return true;
}

int dispatcher_resize(struct dispatcher *self, int workers, double now)
{
    dispatcher_advance(self, now);
    return crew_resize(&self->crew, workers);
}
