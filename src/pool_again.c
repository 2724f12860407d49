/* pool_again.c - a pool's jobs that run more than once: each turn of a repeating job is reported, and stays one letter of
 * many; the owner is asked about retries. */
#include "pool_inner.h"

void pool_report(struct pool *self, const struct action *a)
{
    const struct ticket *t = a->load;
    struct message *m = a->result;
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

void pool_ask(struct pool *self, const struct action *a, double now)
{
    void *dropped;
    dispatcher_decide(self->dispatcher, a->id, false, &dropped, now);
}
