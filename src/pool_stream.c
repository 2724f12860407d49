/* pool_stream.c - what running jobs send their owners, and what these answer: passed on, never opened.
 *
 * A window that was set before the job is at a worker stays with its letter, in `slot`: so it counts for each run.
 */
#include "address.h"
#include "mailbox.h"
#include "pool_inner.h"
#include "run_note.h"

void pool_emit(struct pool *self, struct message **letter)
{
    struct header *h = message_header(*letter);
    int worker = pool_worker_of(self, *letter);
    const struct ticket *t = dispatcher_load(self->dispatcher, h->id);
    if (!worker || !t || dispatcher_worker_of(self->dispatcher, h->id) != worker || t->flags & FLAG_DISCARD)
        return; /* of a worker that was given up; or nobody wants it */
    if (h->flags & FLAG_SYNC)
        dispatcher_sync(self->dispatcher, h->id, true);
    h->to = t->owner;
    h->slot = t->slot;
    pool_post(self, letter);
}

static void to_worker(struct pool *self, int worker, struct message **letter)
{
    struct hand *hand = pool_hand(self, worker);
    if (!hand || !hand->worker)
        return;
    message_header(*letter)->to = address_make(0, worker_box(hand->worker), 0);
    pool_post(self, letter);
}

static void keep_window(struct ticket *t, const struct header *h)
{
    if (h->flags & FLAG_DISCARD)
        t->flags |= FLAG_DISCARD;
    if (!t->letter)
        return;
    message_header(t->letter)->slot = (uint32_t)h->u.number;
    message_header(t->letter)->flags |= h->flags & FLAG_DISCARD;
}

void pool_stream(struct pool *self, struct message **letter, double now)
{
    const struct header *h = message_header(*letter);
    struct ticket *t = dispatcher_load(self->dispatcher, h->id);
    if (!t)
        return;
    if (h->kind == MAIL_WINDOW)
        keep_window(t, h);
    if (h->kind == MAIL_RESUME)
        dispatcher_sync(self->dispatcher, h->id, false);
    if (h->kind == MAIL_RESUME && h->flags & FLAG_STOPPED)
        dispatcher_stop(self->dispatcher, h->id, now);
    to_worker(self, dispatcher_worker_of(self->dispatcher, h->id), letter);
}

void pool_open_windows(struct pool *self)
{
    self->windows_open = true;
    for (int i = 1; i <= self->hand_count; i++) {
        struct message *m = message_new(MAIL_WINDOW);
        if (!m)
            return; /* jobs that wait for their owner go on doing so */
        message_header(m)->u.number = RUN_WINDOW_OPEN;
        to_worker(self, i, &m);
        message_destroy(&m);
    }
}
