/* crew_lists.c - which list each worker is in, and so who is next for a job, an end, a recall: all in
 * constant time.
 *
 * 1. A worker is in one list at most: vacant while it is vacant; wanted while a recall is; hands[n] while it may get more,
 *    has n jobs in its hand and no recall; laden while it may not, with more than one; spent while it never will, with
 *    none. Else in none.
 * 2. Bit n of `filled` is set exactly while hands[n] is not empty.
 * 3. Whoever may hold a job behind a long one is promised: in hands[2] or above or laden, and among the promised,
 *    who are ordered by waited_since.
 * 4. hands[0] is ordered by since, save for workers with parked jobs: they come to its head when the last ends.
 * 5. A worker that was silent for PATIENCE although its whole hand should take a tenth of it is stuck in
 *    a long job.
 */
#include "crew_lists.h"

#include <math.h>
#include <stddef.h>

static const double PATIENCE = 2e-3; /* of this a busy machine's scheduler may take most */

static void mark_filled(struct crew *self, const struct worker_list *list)
{
    uintptr_t at = (uintptr_t)list - (uintptr_t)self->hands;
    if (at > (uintptr_t)self->max_credit * sizeof *list)
        return; /* another list */
    size_t n = at / sizeof *list;
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

static bool is_spent(const struct crew *self, const struct worker *worker)
{
    return self->max_jobs && worker->left <= 0;
}

/* The list that its state says. */
static struct worker_list *place_of(struct crew *self, const struct worker *worker)
{
    if (worker->state != WORKER_UP)
        return worker->state == WORKER_VACANT ? &self->vacant : NULL;
    if (worker->held > 0 && worker->recall != RECALL_NONE)
        return worker->recall == RECALL_WANTED ? &self->wanted : NULL;
    bool spent = is_spent(self, worker);
    if (!spent && worker->held + worker->waiting < self->concurrency)
        return &self->hands[worker->held];
    if (worker->held > 1)
        return &self->laden;
    return spent && worker->held == 0 ? &self->spent : NULL;
}

void crew_settle(struct crew *self, struct worker *worker, double now)
{
    struct worker_list *list = place_of(self, worker);
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

void crew_promise_anew(struct crew *self, struct worker *worker, double now)
{
    unpromise(self, worker);
    promise(self, worker, now);
}

void crew_idle_anew(struct crew *self, struct worker *worker)
{
    leave(self, worker);
    join(self, worker, self->hands);
}

struct worker *crew_driest(const struct crew *self)
{
    struct worker *worker = self->hands[0].tail;
    while (worker && worker->parked.head)
        worker = worker->prev;
    return worker;
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
        crew_settle(self, worker, now);
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
    struct worker *laden = self->laden.head;
    if (laden && laden->held > held)
        return laden;
    return held > 1 ? self->hands[held].head : laden;
}
