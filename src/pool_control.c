/* pool_control.c - a pool's jobs that shall end: asked, broken into, given up. What follows when is the dispatcher's
 * matter (dispatcher_control.c).
 *
 * What is said to a worker of a job goes the same way as the job: MAIL_HALT and MAIL_KILL arrive after its MAIL_RUN.
 */
#include <string.h>

#include "address.h"
#include "mailbox.h"
#include "pool_inner.h"
#include "run_note.h"

/* Posts a letter about the job (0: about all) to the worker. For want of memory it is not: what follows later is. */
static void tell(struct pool *self, int worker, enum message_kind kind, uint64_t id)
{
    struct hand *hand = pool_hand(self, worker);
    struct message *m = hand && hand->worker ? message_new(kind) : NULL;
    if (!m)
        return;
    message_header(m)->to = address_make(0, worker_box(hand->worker), 0);
    message_header(m)->id = id;
    pool_post(self, &m);
}

/* A worker has the job. Taken back unbegun it is cancelled; else the worker is told, if the job is to be asked. */
static void stop_handed(struct pool *self, uint64_t id, bool ask, double now)
{
    if (pool_take_back(self, id))
        dispatcher_withdraw(self->dispatcher, id, now);
    else if (ask)
        tell(self, dispatcher_worker_of(self->dispatcher, id), MAIL_HALT, id);
}

/* True when there was such a live job. */
static bool halt(struct pool *self, uint64_t id, double now)
{
    enum cancel_answer a = dispatcher_stop(self->dispatcher, id, now);
    if (a == CANCEL_HANDED)
        stop_handed(self, id, true, now);
    return a != CANCEL_UNKNOWN;
}

void pool_halt(struct pool *self, struct message **letter, double now)
{
    bool live = halt(self, message_header(*letter)->id, now);
    pool_turn(self, now); /* one that had not begun has ended before anybody hears of it */
    pool_answer_boolean(self, letter, live);
}

struct orphans {
    uint64_t owner;
    struct buffer ids; /* collected first: to halt one changes what is gone through */
};

static void collect_orphan(void *load, void *context)
{
    const struct ticket *t = load;
    struct orphans *self = context;
    if (address_belongs(t->owner, self->owner) && !t->outlive)
        buffer_append(&self->ids, &t->id, sizeof t->id); /* one that finds no memory just goes on */
}

bool pool_halt_jobs_of(struct pool *self, uint64_t owner, double now)
{
    struct orphans orphans = {.owner = owner};
    buffer_init(&orphans.ids);
    dispatcher_each(self->dispatcher, collect_orphan, &orphans);
    for (size_t at = 0; at < orphans.ids.size; at += sizeof(uint64_t)) {
        uint64_t id;
        memcpy(&id, orphans.ids.data + at, sizeof id);
        halt(self, id, now);
    }
    bool any = orphans.ids.size > 0;
    buffer_release(&orphans.ids);
    return any;
}

/* Without a grace it is not asked: one that waits would go on, and could end by itself. */
void pool_kill(struct pool *self, struct message **letter, double now)
{
    const struct header *h = message_header(*letter);
    uint64_t id = h->id;
    bool ask = h->u.seconds > 0;
    int a = dispatcher_kill(self->dispatcher, id, h->u.seconds, now);
    if (a != CANCEL_UNKNOWN && a != CANCEL_ENDED)
        stop_handed(self, id, ask || a < 0, now);
    pool_turn(self, now);
    if (a >= 0)
        pool_answer_boolean(self, letter, a != CANCEL_UNKNOWN);
    else
        pool_answer_nil(self, letter);
}

void pool_refused(struct pool *self, struct message **letter, double now)
{
    uint64_t id = message_header(*letter)->id;
    int worker = pool_worker_of(self, *letter);
    if (worker && dispatcher_refused(self->dispatcher, worker, id, now) == 0)
        pool_keep_letter(letter);
}

void pool_halt_all(struct pool *self)
{
    for (int i = 1; i <= self->hand_count; i++)
        tell(self, i, MAIL_HALT, 0);
}

void pool_halt_job(struct pool *self, const struct action *a)
{
    tell(self, a->worker, MAIL_HALT, a->id);
}

/* An interrupt for a job that does not run would take the place of one for another that does. */
void pool_break_job(struct pool *self, const struct action *a)
{
    const struct ticket *t = a->load;
    struct worker *worker = pool_hand(self, a->worker)->worker;
    worker_break(worker, t->cleaning ? run_cleanup_target(a->id) : a->id);
    tell(self, a->worker, MAIL_KILL, a->id);
}

void pool_abandon_job(struct pool *self, const struct action *a, double now)
{
    struct worker *worker = pool_hand(self, a->worker)->worker;
    uint64_t cleanup = run_cleanup_target(a->id);
    if (worker_is_stuck(worker, a->id) || worker_is_stuck(worker, cleanup))
        pool_abandon_worker(self, a->worker, now);
    else if (worker_runs(worker, cleanup))
        worker_interrupt(worker, cleanup); /* here and below: whether it is stuck is asked again soon */
    else if (worker_runs(worker, a->id))
        pool_break_job(self, a);
    else
        dispatcher_forsake(self->dispatcher, a->id, now);
}
