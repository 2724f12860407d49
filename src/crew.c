/* crew.c - see crew.h.
 *
 *     vacant -> starting [crew_start] -> up [crew_up] -> stopping [crew_stop] -> vacant [crew_down]
 *                   `-----------------------`-- any of them -> vacant [crew_down]
 *
 * What an up worker with jobs may be in for:
 *     none -> wanted [crew_want_all, crew_spare] -> asked [crew_ask] -> answered [crew_answer] -> none [crew_measure]
 * and an empty hand leads back to none, save from asked, where the answer is still under way.
 *
 * 1. A worker is in one list at most: vacant while it is vacant; hands[0] while it is up with an empty hand;
 *    hands[n] while it has n jobs and no recall; wanted while a recall is. Else in none. settle sees to it.
 * 2. Credit is how many average jobs fit into BUDGET. A job longer than that is the new average at once, shorter
 *    ones pull it down little by little.
 * 3. A worker that was silent for PATIENCE although its whole hand should take BUDGET is stuck in a long job.
 * 4. Whoever may hold a job behind a long one is promised: in hands[2] or above, and in the list of the promised,
 *    which is ordered by waited_since.
 * 5. Nothing but crew_init and crew_resize needs memory.
 */
#include "crew.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "troupe.h"

static const double BUDGET = 200e-6;
static const double PATIENCE = 2e-3; /* of this a busy machine's scheduler may take most */
static const double WEIGHT = 1.0 / 8; /* of one run in the average */
static const double LONGEST = 1e9;    /* keeps the average finite whatever is reported */

static void mark_filled(struct crew *self, const struct worker_list *list)
{
    if (list == &self->vacant || list == &self->wanted)
        return;
    ptrdiff_t n = list - self->hands;
    if (list->head)
        self->filled[n / 64] |= UINT64_C(1) << n % 64;
    else
        self->filled[n / 64] &= ~(UINT64_C(1) << n % 64);
}

static void leave(struct crew *self, struct worker *worker)
{
    struct worker_list *list = worker->list;
    if (!list)
        return;
    if (worker->prev)
        worker->prev->next = worker->next;
    else
        list->head = worker->next;
    if (worker->next)
        worker->next->prev = worker->prev;
    else
        list->tail = worker->prev;
    worker->list = NULL;
    self->idle -= list == self->hands;
    if (!list->head)
        mark_filled(self, list);
}

static void join(struct crew *self, struct worker *worker, struct worker_list *list)
{
    worker->list = list;
    worker->prev = NULL;
    worker->next = list->head;
    if (list->head)
        list->head->prev = worker;
    else
        list->tail = worker;
    list->head = worker;
    self->idle += list == self->hands;
    if (!worker->next)
        mark_filled(self, list);
}

static void unpromise(struct crew *self, struct worker *worker)
{
    if (worker->sooner)
        worker->sooner->later = worker->later;
    else
        self->soonest = worker->later;
    if (worker->later)
        worker->later->sooner = worker->sooner;
    else
        self->latest = worker->sooner;
    worker->promised = false;
}

static void promise(struct crew *self, struct worker *worker, double now)
{
    worker->promised = true;
    worker->waited_since = now;
    worker->later = NULL;
    worker->sooner = self->latest;
    if (self->latest)
        self->latest->later = worker;
    else
        self->soonest = worker;
    self->latest = worker;
}

/* Invariants 1 and 4. */
static void settle(struct crew *self, struct worker *worker, double now)
{
    struct worker_list *list = NULL;
    if (worker->state == WORKER_VACANT)
        list = &self->vacant;
    else if (worker->state == WORKER_UP && (worker->held == 0 || worker->recall == RECALL_NONE))
        list = &self->hands[worker->held];
    else if (worker->state == WORKER_UP && worker->recall == RECALL_WANTED)
        list = &self->wanted;
    if (worker->held == 0 && worker->recall != RECALL_ASKED)
        worker->recall = RECALL_NONE;
    if (list == worker->list)
        return;
    leave(self, worker);
    if (list)
        join(self, worker, list);
    bool promised = worker->held > 1 && worker->state == WORKER_UP && worker->recall == RECALL_NONE;
    if (promised && !worker->promised)
        promise(self, worker, now);
    else if (!promised && worker->promised)
        unpromise(self, worker);
}

/* More hands than the limit are kept for workers that a smaller limit has not yet ended. */
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
        join(self, workers[i], &self->vacant);
    }
    self->size = size;
    return 0;
}

int crew_init(struct crew *self, int limit, int max_credit)
{
    *self = (struct crew){.credit = 1, .average = BUDGET};
    self->max_credit = max_credit ? max_credit : CREDIT_DEFAULT;
    if (self->max_credit < 1 || self->max_credit > CREDIT_LIMIT)
        return TROUPE_EINVAL;
    self->hands = calloc((size_t)self->max_credit + 1, sizeof *self->hands);
    if (!self->hands)
        return TROUPE_ENOMEM;
    int rc = crew_resize(self, limit);
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
    int rc = grow(self, limit);
    if (!rc)
        self->limit = limit;
    return rc;
}

struct worker *crew_find(const struct crew *self, int number)
{
    if (number < 1 || number > self->size)
        return NULL;
    struct worker *worker = self->workers[number - 1];
    return worker->state == WORKER_VACANT ? NULL : worker;
}

bool crew_has_room(const struct crew *self)
{
    return self->alive + self->stopping < self->limit;
}

struct worker *crew_start(struct crew *self)
{
    struct worker *worker = self->vacant.head;
    assert(crew_has_room(self) && worker);
    worker->state = WORKER_STARTING;
    self->alive++;
    self->starting++;
    settle(self, worker, worker->since);
    return worker;
}

void crew_up(struct crew *self, struct worker *worker, double now)
{
    worker->state = WORKER_UP;
    worker->since = now;
    self->starting--;
    settle(self, worker, now);
}

void crew_stop(struct crew *self, struct worker *worker)
{
    worker->state = WORKER_STOPPING;
    self->alive--;
    self->stopping++;
    settle(self, worker, worker->since);
}

void crew_down(struct crew *self, struct worker *worker)
{
    assert(worker->held == 0);
    if (worker->state == WORKER_STOPPING)
        self->stopping--;
    else
        self->alive--;
    self->starting -= worker->state == WORKER_STARTING;
    self->asked -= worker->recall == RECALL_ASKED;
    worker->recall = RECALL_NONE;
    worker->state = WORKER_VACANT;
    settle(self, worker, worker->since);
}

struct worker *crew_warmest(const struct crew *self)
{
    return self->hands[0].head;
}

struct worker *crew_coldest(const struct crew *self)
{
    return self->hands[0].tail;
}

static int lowest_hand(const struct crew *self)
{
    for (int i = 0; i <= self->max_credit / 64; i++) {
        if (self->filled[i])
            return i * 64 + __builtin_ctzll(self->filled[i]);
    }
    return CREDIT_LIMIT + 1;
}

static int highest_hand(const struct crew *self)
{
    for (int i = self->max_credit / 64; i >= 0; i--) {
        if (self->filled[i])
            return i * 64 + 63 - __builtin_clzll(self->filled[i]);
    }
    return 0;
}

struct worker *crew_spare(struct crew *self, double now)
{
    /* Too many workers: they shall run dry. */
    int credit = self->alive > self->limit ? 1 : self->credit;
    for (;;) {
        int held = lowest_hand(self);
        if (held >= credit)
            return NULL;
        struct worker *worker = self->hands[held].head;
        if (held == 0 || now - worker->since <= PATIENCE)
            return worker;
        worker->recall = held > 1 ? RECALL_WANTED : RECALL_ANSWERED;
        settle(self, worker, now);
    }
}

struct worker *crew_stuck(const struct crew *self, double now)
{
    return crew_deadline(self) <= now ? self->soonest : NULL;
}

double crew_deadline(const struct crew *self)
{
    bool alone = self->alive == 1 && self->limit == 1;
    return self->soonest && !alone ? self->soonest->waited_since + PATIENCE : INFINITY;
}

struct worker *crew_most_loaded(const struct crew *self)
{
    int held = highest_hand(self);
    return held > 1 ? self->hands[held].head : NULL;
}

void crew_hand(struct crew *self, struct worker *worker, struct job *job, double now)
{
    job->state = JOB_HANDED;
    job->worker = (uint32_t)worker->number;
    job_list_insert(&worker->jobs, worker->jobs.tail, job);
    if (worker->held++ == 0)
        worker->since = now;
    settle(self, worker, now);
}

void crew_take(struct crew *self, struct worker *worker, struct job *job, double now)
{
    job_list_remove(&worker->jobs, job);
    if (--worker->held == 0)
        worker->since = now;
    settle(self, worker, now);
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
    worker->since = now;
    if (worker->promised) {
        unpromise(self, worker);
        promise(self, worker, now);
    } else if (worker->recall == RECALL_ANSWERED) {
        worker->recall = RECALL_NONE;
        settle(self, worker, now);
    }
}

void crew_want_all(struct crew *self)
{
    for (int i = 0; i < self->size; i++) {
        struct worker *worker = self->workers[i];
        if (worker->state == WORKER_UP && worker->held > 0 && worker->recall != RECALL_ASKED) {
            worker->recall = RECALL_WANTED;
            settle(self, worker, worker->since);
        }
    }
}

void crew_ask(struct crew *self, struct worker *worker)
{
    worker->recall = RECALL_ASKED;
    self->asked++;
    settle(self, worker, worker->since);
}

void crew_answer(struct crew *self, struct worker *worker)
{
    if (worker->recall != RECALL_ASKED)
        return;
    self->asked--;
    worker->recall = RECALL_ANSWERED;
    settle(self, worker, worker->since);
}
