/* pool_again.c - a pool's jobs that run more than once: each turn of a repeating job is reported, and stays one letter of
 * many; the owner is asked about retries. */
#include "address.h"
#include "mailbox.h"
#include "pool_inner.h"

void pool_report(struct pool *self, const struct action *a)
{
    const struct ticket *t = a->load;
    struct message *m = a->result;
    pool_log_failure(self, t, a->end, m);
    if (t->flags & FLAG_DISCARD) {
        message_destroy(&m);
        return;
    }
    if (m)
        pool_finish_outcome(self, m, a->end);
    else if ((m = message_new(MAIL_RESULT)))
        pool_write_outcome(self, m, a->end, false);
    if (!m)
        return; /* no memory for one turn's report: the next may be told */
    message_header(m)->flags |= FLAG_MORE;
    pool_post_outcome(self, t, &m);
}

static void decide(struct pool *self, uint64_t id, bool again, double now)
{
    void *dropped;
    dispatcher_decide(self->dispatcher, id, again, &dropped, now);
    struct message *m = dropped;
    message_destroy(&m);
}

/* A copy of the failed run's outcome goes to the owner; the dispatcher keeps the outcome. NULL: no memory. */
static struct message *question(struct pool *self, const struct action *a)
{
    const struct ticket *t = a->load;
    struct message *m = a->result ? message_copy(a->result) : message_new(MAIL_ASK);
    if (!m)
        return NULL;
    if (a->result)
        pool_finish_outcome(self, m, a->end);
    else
        pool_write_outcome(self, m, a->end, false);
    struct header *h = message_header(m);
    h->kind = MAIL_ASK;
    h->to = t->owner;
    h->id = t->id;
    h->slot = t->slot;
    h->pool = self->id;
    h->u.number = a->attempt;
    return m;
}

void pool_ask(struct pool *self, const struct action *a, double now)
{
    const struct ticket *t = a->load;
    struct message *m = t->extra && !t->extra->alone ? question(self, a) : NULL;
    if (!m || mailbox_post(self->house.mailbox, &m))
        decide(self, a->id, false, now);
    message_destroy(&m);
}

void pool_decide(struct pool *self, struct message **letter, double now)
{
    const struct header *h = message_header(*letter);
    decide(self, h->id, h->u.number != 0, now);
}

bool pool_owner_left(struct pool *self, uint64_t owner, double grace, double now)
{
    for (struct ticket_extra *extra = self->asking; extra; extra = extra->next) {
        if (!address_belongs(extra->ticket->owner, owner))
            continue;
        extra->alone = true;
        decide(self, extra->ticket->id, false, now);
    }
    pool_forget_places(self, owner);
    bool own = address_belongs(self->owner, owner);
    if (own)
        pool_close_soon(self, grace, now);
    bool halted = !own && self->foreign > 0 && pool_halt_jobs_of(self, owner, now);
    return own || halted || self->asking || self->gate;
}
