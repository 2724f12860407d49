/* dispatcher_gang.c - gangs: jobs that start together, each on a worker of its own.
 *
 *     (submit) -> gathering [dispatcher_join_gang] -> queued [the last of them] -> handed, all at once [dispatcher_next]
 *     gathering, queued -> ended, all of them [any way that one of them ends]
 *
 * The first job of a gang leads it: it stands in the queue for all, the others in its list `gang`. While it is the next of
 * the queue nothing is handed out: idle workers are held for it, missing ones started.
 *
 * 1. The members of a gang that waits have the state JOB_GANGED, its leader, once it is whole, JOB_QUEUED. All have an
 *    order in the queue, one after the other, so that one given back unbegun goes where it would have been.
 * 2. `gang_size` of a leader is not 0 exactly while its gang waits; a leader in `gathering` still lacks members.
 * 3. `ganged` counts the jobs that wait and are not in the queue.
 * 4. Handed out, its jobs stand in `launched` until ACTION_RUN has been given for each, before anything else is: they are
 *    jobs like others from then on.
 */
#include "dispatcher.h"

#include "dispatcher_inner.h"
#include "troupe.h"

static void add_member(struct dispatcher *self, struct job_rare *leader, struct job *job)
{
    job->state = JOB_GANGED;
    job->rare->leader = leader->job;
    job_list_insert(&leader->gang, leader->gang.tail, job);
    leader->gang_count++;
    self->ganged++;
}

/* The gang is whole: its leader goes into the queue. */
static void enqueue_gang(struct dispatcher *self, struct job_rare *leader)
{
    job_list_remove(&self->gathering, leader->job);
    self->ganged--;
    self->gangs++;
    dispatcher_enqueue(self, leader->job);
    for (struct job *job = leader->gang.head; job; job = job->next)
        job_queue_give_order(job);
}

struct job_rare *dispatcher_find_gang(const struct dispatcher *self, const struct job_spec *spec)
{
    struct job *leader = id_map_find(&self->live, spec->gang);
    bool gathers = leader && leader->state == JOB_GANGED && !leader->rare->leader;
    return gathers ? leader->rare : NULL;
}

int dispatcher_check_gang(const struct dispatcher *self, const struct job_spec *spec)
{
    if (spec->delay > 0 || spec->every > 0)
        return TROUPE_EINVAL;
    if (spec->gang != spec->id)
        return dispatcher_find_gang(self, spec) ? 0 : TROUPE_EINVAL;
    bool fits = spec->gang_size >= 1 && spec->gang_size <= self->crew.limit;
    return fits && (!self->rate.jobs || (size_t)spec->gang_size <= self->rate.jobs) ? 0 : TROUPE_EINVAL;
}

void dispatcher_join_gang(struct dispatcher *self, struct job *job, const struct job_spec *spec)
{
    struct job_rare *leader = job->rare;
    if (spec->gang == spec->id) {
        leader->gang_size = spec->gang_size;
        leader->gang_count = 1;
        job->state = JOB_GANGED;
        job_list_insert(&self->gathering, self->gathering.tail, job);
        self->ganged++;
    } else {
        leader = dispatcher_find_gang(self, spec);
        add_member(self, leader, job);
    }
    if (leader->gang_count == leader->gang_size)
        enqueue_gang(self, leader);
}

void dispatcher_end_gang(struct dispatcher *self, struct job *job, enum job_end how)
{
    struct job *leader = job->rare->leader ? job->rare->leader : job;
    if (leader->state == JOB_QUEUED)
        job_queue_remove(&self->queue, leader);
    else
        job_list_remove(&self->gathering, leader);
    if (leader->state == JOB_GANGED)
        self->ganged--;
    else
        self->gangs--;
    dispatcher_end_members(self, leader, how);
    dispatcher_end(self, leader, how, NULL);
}

void dispatcher_end_members(struct dispatcher *self, struct job *leader, enum job_end how)
{
    struct job *job;
    struct job_rare *rare = leader->rare;
    rare->gang_size = 0;
    while ((job = rare->gang.head)) {
        job_list_remove(&rare->gang, job);
        self->ganged--;
        job->rare->leader = NULL;
        dispatcher_end(self, job, how, NULL);
    }
}

void dispatcher_end_gathering(struct dispatcher *self)
{
    while (self->gathering.head)
        dispatcher_end_gang(self, self->gathering.head, JOB_CANCELLED);
}

struct job *dispatcher_next_gang(const struct dispatcher *self)
{
    struct job *job = self->gangs ? job_queue_top(&self->queue) : NULL;
    return job && job->rare && job->rare->gang_size ? job : NULL;
}

/* The job goes to an idle worker; ACTION_RUN is due. */
static void launch(struct dispatcher *self, struct job *job)
{
    crew_hand(&self->crew, crew_warmest(&self->crew), job, self->now);
    self->handed++;
    rate_note(&self->rate, self->now);
    job->rare->leader = NULL;
    job->rare->next_launched = NULL;
    if (self->launched)
        self->last_launched->next_launched = job->rare;
    else
        self->launched = job->rare;
    self->last_launched = job->rare;
}

static void launch_gang(struct dispatcher *self, struct job *leader)
{
    struct job_rare *rare = leader->rare;
    struct job *job;
    job_queue_remove(&self->queue, leader);
    self->gangs--;
    rare->gang_size = 0;
    launch(self, leader);
    while ((job = rare->gang.head)) {
        job_list_remove(&rare->gang, job);
        self->ganged--;
        launch(self, job);
    }
}

bool dispatcher_next_launched(struct dispatcher *self, struct action *out)
{
    struct job_rare *rare = self->launched;
    if (!rare)
        return false;
    self->launched = rare->next_launched;
    dispatcher_tell_run(rare->job, out);
    return true;
}

bool dispatcher_run_gang(struct dispatcher *self, struct job *leader, struct action *out)
{
    struct crew *crew = &self->crew;
    int size = leader->rare->gang_size;
    if (crew->idle >= size && rate_free_at(&self->rate, (size_t)size) <= self->now) {
        launch_gang(self, leader);
        return dispatcher_next_launched(self, out);
    }
    bool barred = self->start_failed && crew->alive > 0;
    if (!barred && crew->idle + crew->starting < size && crew_has_room(crew)) {
        *out = (struct action){.kind = ACTION_START, .worker = crew_start(crew)->number};
        return true;
    }
    if (!barred || crew->alive >= size)
        return false;
    dispatcher_end_gang(self, leader, JOB_FAILED); /* nobody else comes up */
    return dispatcher_next(self, out);
}
