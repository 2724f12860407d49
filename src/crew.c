/* crew.c - see crew.h.
 *
 *     vacant -> starting [crew_start] -> up [crew_up] -> stopping [crew_stop] -> vacant [crew_down]
 *                   `-----------------------`-- any of them -> vacant [crew_down]
 *
 * What an up worker with jobs may be in for:
 *     none -> wanted [crew_want_all, crew_spare] -> asked [crew_ask] -> answered [crew_answer]
 *     none, wanted -> answered [crew_refuse]           answered -> none [crew_measure, crew_park]
 * and an empty hand leads back to none, save from asked, where the answer is still under way.
 *
 * 1. A worker is in the list that its state says (crew_lists.c): whoever changes that calls crew_settle.
 * 2. Credit is how many average jobs fit into BUDGET. A job longer than that is the new average at once,
 *    shorter ones pull it down little by little.
 * 3. Nothing but crew_init and crew_resize needs memory: with max_jobs there are twice as many numbers as workers wanted,
 *    for those that retire.
 * 4. A retired worker is stopping, with parked jobs; it does not count as one of the workers wanted.
 */
#include "crew.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include "crew_lists.h"
#include "troupe.h"

static const double BUDGET = 200e-6;
static const double WEIGHT = 1.0 / 8; /* of one run in the average */
static const double LONGEST = 1e9;    /* keeps the average finite whatever is reported */

/* Numbers are never taken away again: a smaller limit may find their workers busy. */
static int grow(struct crew *self, int size)
{
    if (size <= self->size)
        return 0;
    struct worker **workers = realloc(self->workers, (size_t)size * sizeof *workers);
    if (!workers)
        return TROUPE_ENOMEM;
    self->workers = workers;
    int made = self->size;
    while (made < size && (workers[made] = calloc(1, sizeof **workers)))
        made++;
    if (made < size) {
        while (made > self->size)
            free(workers[--made]);
        return TROUPE_ENOMEM;
    }
    for (int i = size; i-- > self->size;) {
        workers[i]->number = i + 1;
        crew_settle(self, workers[i], 0);
    }
    self->size = size;
    return 0;
}

int crew_init(struct crew *self, const struct crew_limits *limits)
{
    *self = (struct crew){.credit = 1, .average = BUDGET, .max_jobs = limits->max_jobs};
    self->max_credit = limits->max_credit ? limits->max_credit : CREDIT_DEFAULT;
    self->concurrency = limits->concurrency ? limits->concurrency : CONCURRENCY_DEFAULT;
    if (self->max_credit < 1 || self->max_credit > CREDIT_LIMIT || self->max_jobs < 0 || self->concurrency < 1)
        return TROUPE_EINVAL;
    self->hands = calloc((size_t)self->max_credit + 1, sizeof *self->hands);
    if (!self->hands)
        return TROUPE_ENOMEM;
    int rc = crew_resize(self, limits->workers);
    if (rc)
        crew_release(self);
    return rc;
}

void crew_release(struct crew *self)
{
    for (int i = 0; i < self->size; i++)
        free(self->workers[i]);
    free(self->workers);
    free(self->hands);
    *self = (struct crew){0};
}

int crew_resize(struct crew *self, int limit)
{
    if (limit < 1)
        return TROUPE_EINVAL;
    if (self->max_jobs && limit > INT_MAX / 2)
        return TROUPE_ENOMEM;
    int rc = grow(self, self->max_jobs ? 2 * limit : limit);
    if (!rc)
        self->limit = limit;
    return rc;
}

bool crew_has_room(const struct crew *self)
{
    return self->alive + self->stopping - self->retired < crew_most(self) && self->vacant.head;
}

struct worker *crew_start(struct crew *self)
{
    struct worker *worker = self->vacant.head;
    assert(crew_has_room(self) && worker);
    worker->state = WORKER_STARTING;
    self->alive++;
    self->starting++;
    crew_settle(self, worker, worker->since);
    return worker;
}

void crew_up(struct crew *self, struct worker *worker, double now)
{
    worker->state = WORKER_UP;
    worker->since = now;
    worker->left = self->max_jobs;
    worker->busy = 0;
    worker->executed = 0;
    self->starting--;
    crew_settle(self, worker, now);
}

void crew_stop(struct crew *self, struct worker *worker)
{
    worker->state = WORKER_STOPPING;
    self->alive--;
    self->stopping++;
    crew_settle(self, worker, worker->since);
}

bool crew_retire(struct crew *self, struct worker *worker)
{
    if (!self->vacant.head || self->retired >= self->limit) {
        worker->left = 1;
        crew_settle(self, worker, worker->since);
        return false;
    }
    crew_stop(self, worker);
    worker->retired = true;
    self->retired++;
    return true;
}

void crew_down(struct crew *self, struct worker *worker)
{
    assert(worker->held == 0 && worker->waiting == 0);
    if (worker->state == WORKER_STOPPING)
        self->stopping--;
    else
        self->alive--;
    self->retired -= worker->retired;
    worker->retired = false;
    self->starting -= worker->state == WORKER_STARTING;
    self->asked -= worker->recall == RECALL_ASKED;
    worker->recall = RECALL_NONE;
    worker->state = WORKER_VACANT;
    crew_settle(self, worker, worker->since);
}

void crew_hand(struct crew *self, struct worker *worker, struct job *job, double now)
{
    job->state = JOB_HANDED;
    job->worker = (uint32_t)worker->number;
    job_list_insert(&worker->jobs, worker->jobs.tail, job);
    if (worker->held++ == 0)
        worker->since = worker->busy_since = now;
    if (self->max_jobs)
        worker->left--;
    crew_settle(self, worker, now);
}

void crew_take(struct crew *self, struct worker *worker, struct job *job, double now)
{
    job_list_remove(&worker->jobs, job);
    if (--worker->held == 0) {
        worker->busy += now - worker->busy_since;
        worker->since = now;
    }
    crew_settle(self, worker, now);
}

void crew_take_back(struct crew *self, struct worker *worker, struct job *job, double now)
{
    if (self->max_jobs)
        worker->left++;
    crew_take(self, worker, job, now);
}

/* The worker has reported that it went on to the next job. */
static void heard(struct crew *self, struct worker *worker, double now)
{
    worker->since = now;
    if (worker->promised) {
        crew_promise_anew(self, worker, now);
    } else if (worker->recall == RECALL_ANSWERED) {
        worker->recall = RECALL_NONE;
        crew_settle(self, worker, now);
    }
}

void crew_park(struct crew *self, struct worker *worker, struct job *job, double now)
{
    double begun = worker->since;
    worker->waiting++;
    crew_take(self, worker, job, now);
    job->state = JOB_PARKED;
    job->begun = begun;
    job_list_insert(&worker->parked, worker->parked.tail, job);
    heard(self, worker, now);
}

void crew_unpark(struct crew *self, struct worker *worker, struct job *job, double now)
{
    job_list_remove(&worker->parked, job);
    worker->waiting--;
    if (worker->waiting == 0 && worker->held == 0)
        worker->since = now;
    bool idle = worker->list == self->hands;
    crew_settle(self, worker, now);
    if (idle && worker->waiting == 0)
        crew_idle_anew(self, worker);
}

void crew_measure(struct crew *self, struct worker *worker, double ran, double now)
{
    ran = ran > 0 ? ran < LONGEST ? ran : LONGEST : 0;
    if (ran > BUDGET && ran > self->average)
        self->average = ran;
    else
        self->average += (ran - self->average) * WEIGHT;
    double credit = BUDGET / self->average;
    self->credit = credit < 1 ? 1 : credit < self->max_credit ? (int)credit : self->max_credit;
    heard(self, worker, now);
}

void crew_want_all(struct crew *self)
{
    for (int i = 0; i < self->size; i++) {
        struct worker *worker = self->workers[i];
        if (worker->state == WORKER_UP && worker->held > 0 && worker->recall != RECALL_ASKED) {
            worker->recall = RECALL_WANTED;
            crew_settle(self, worker, worker->since);
        }
    }
}

void crew_ask(struct crew *self, struct worker *worker)
{
    worker->recall = RECALL_ASKED;
    self->asked++;
    crew_settle(self, worker, worker->since);
}

void crew_answer(struct crew *self, struct worker *worker)
{
    if (worker->recall != RECALL_ASKED)
        return;
    self->asked--;
    worker->recall = RECALL_ANSWERED;
    crew_settle(self, worker, worker->since);
}

void crew_refuse(struct crew *self, struct worker *worker)
{
    if (worker->recall == RECALL_ASKED || worker->held == 0)
        return;
    worker->recall = RECALL_ANSWERED;
    crew_settle(self, worker, worker->since);
}
