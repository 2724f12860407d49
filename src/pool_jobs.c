/* pool_jobs.c - a pool's jobs: from MAIL_SUBMIT to the one outcome. Tickets and their letters: see pool_inner.h. */
#include "address.h"
#include "mailbox.h"
#include "order.h"
#include "pool_inner.h"
#include "troupe.h"

#include <string.h>

static const double owed_retry = 0.01;

static const char never_starts[] = "the gang has more jobs than the pool has workers, or than its rate lets start";

void pool_post_outcome(struct pool *self, const struct ticket *t, struct message **letter)
{
    struct header *h = message_header(*letter);
    h->kind = MAIL_RESULT;
    h->to = t->owner;
    h->id = t->id;
    h->slot = t->slot;
    h->pool = self->id;
    pool_post(self, letter);
}

static void copy_failure(struct pool *self, struct message *letter)
{
    message_clear_body(letter);
    if (!self->failure || buffer_append(&letter->bytes, message_body(self->failure), message_body_size(self->failure)))
        pool_write_error(letter, "no worker could be started");
    message_header(letter)->flags |= FLAG_ERROR;
}

static void write_lost(struct pool *self, struct message *letter)
{
    message_clear_body(letter);
    if (!self->lost || buffer_append(&letter->bytes, message_body(self->lost), message_body_size(self->lost)))
        pool_write_error(letter, "lost: the worker that ran the job is gone");
    message_header(letter)->flags |= FLAG_ERROR;
}

static bool is_made_to_end(enum job_end end)
{
    return end == JOB_KILLED || end == JOB_EXPIRED || end == JOB_SPENT;
}

void pool_write_outcome(struct pool *self, struct message *letter, enum job_end end, bool starved)
{
    message_header(letter)->flags = 0;
    if (starved) {
        pool_write_error(letter, "not enough memory");
    } else if (end == JOB_CANCELLED) {
        pool_write_error(letter, "cancelled");
        message_header(letter)->flags |= FLAG_CANCELLED;
    } else if (is_made_to_end(end)) {
        pool_write_error(letter, end == JOB_KILLED ? "killed" : end == JOB_EXPIRED ? "timeout" : "cpu limit");
        message_header(letter)->flags |= FLAG_STOPPED;
    } else if (end == JOB_LOST) {
        write_lost(self, letter);
        message_header(letter)->flags |= FLAG_LOST;
    } else {
        copy_failure(self, letter);
    }
}

/* What job:info tells of the last run. */
static void note_end(struct message *letter, int attempt, double now)
{
    struct header *h = message_header(letter);
    h->code = (uint64_t)attempt;
    memcpy(&h->from, &now, sizeof now);
}

/* True when the ticket is done with. */
static bool settle(struct pool *self, struct ticket *t, int attempt, double now)
{
    struct message *letter = t->letter && !t->cleanup ? t->letter : message_new(MAIL_RESULT);
    if (!letter)
        return false;
    if (letter == t->letter)
        t->letter = NULL;
    pool_write_outcome(self, letter, t->end, t->starved);
    message_header(letter)->u.seconds = 0;
    note_end(letter, attempt, now);
    pool_post_outcome(self, t, &letter);
    return true;
}

void pool_finish_outcome(struct pool *self, struct message *result, enum job_end end)
{
    if (is_made_to_end(end))
        pool_write_outcome(self, result, end, false);
    struct header *h = message_header(result);
    h->flags &= (uint16_t)~FLAG_KILLED;
    if (end == JOB_STOPPED)
        h->flags |= FLAG_STOPPED;
}

void pool_end_job(struct pool *self, const struct action *a, double now)
{
    struct ticket *t = a->load;
    struct message *result = a->result;
    pool_leave_place(self, t);
    bool ran = result;
    pool_log_failure(self, t, a->end, result);
    pool_settle_end(self, t, a);
    if (self->recalled)
        pool_answer_recalled(self, t->id, a->end == JOB_CANCELLED);
    if (t->flags & FLAG_DISCARD) {
        message_destroy(&result);
    } else if (result) {
        pool_finish_outcome(self, result, a->end);
        note_end(result, a->attempt, now);
        pool_post_outcome(self, t, &result);
    } else if (!settle(self, t, a->attempt, now)) {
        t->next = self->owed;
        self->owed = t;
        self->owed_at = now + owed_retry;
        return;
    }
    if (pool_clean_up(self, t, a->end, ran, now))
        return;
    message_destroy(&t->letter);
    pool_free_ticket(self, t);
}

void pool_pay_owed(struct pool *self, double now)
{
    while (self->owed && settle(self, self->owed, 0, now)) {
        struct ticket *t = self->owed;
        self->owed = t->next;
        if (pool_clean_up(self, t, t->end, false, now))
            continue;
        message_destroy(&t->letter);
        pool_free_ticket(self, t);
    }
    self->owed_at = now + owed_retry;
}

static void reject(struct pool *self, struct message **letter, const char *why)
{
    struct header *h = message_header(*letter);
    if (h->flags & FLAG_DISCARD) {
        message_destroy(letter);
        return;
    }
    h->kind = MAIL_RESULT;
    h->to = h->from;
    h->flags = 0;
    pool_write_error(*letter, why);
    pool_post(self, letter);
}

/* The first value in the body says which functions come with the call. */
static bool has_cleanup(const struct message *letter)
{
    bool extra = message_header(letter)->flags & FLAG_EXTRA && message_body_size(letter) > 0;
    return extra && message_body(letter)[0] & EXTRA_CLEANUP;
}

void pool_submit(struct pool *self, struct message **letter, double now)
{
    struct header *h = message_header(*letter);
    struct job_spec spec = {.id = h->id};
    struct job_order order = {0};
    pool_read_order(*letter, &spec, &order);
    bool placed = pool_claim_place(self, h->from, &order);
    struct ticket *t = spec.load = slab_get(&self->tickets);
    if (!t) {
        if (placed)
            pool_refuse_place(self);
        reject(self, letter, "not enough memory");
        return;
    }
    *t = (struct ticket){.letter = *letter, .owner = h->from, .id = h->id, .slot = h->slot, .flags = h->flags,
                         .repeatable = spec.retry.retries != 0 || spec.every > 0 || has_cleanup(*letter) || self->worker.process,
                         .cleanup = has_cleanup(*letter),
                         .outlive = (order.bits & ORDER_OUTLIVE || h->flags & FLAG_DISCARD) != 0,
                         .placed = placed};
    self->foreign += t->owner != self->owner;
    h->u.seconds = now + spec.delay; /* when it is queued, for the statistics */
    int rc = pool_add_extra(self, t, &order) ? dispatcher_submit(self->dispatcher, &spec, now) : TROUPE_ENOMEM;
    if (rc == 0) {
        h->slot = 0; /* from now on: a window, see pool_stream.c */
        *letter = NULL;
        if (self->hosts)
            dispatcher_close(self->dispatcher, false, now); /* it has all that it will ever have */
        return;
    }
    pool_free_ticket(self, t);
    bool gang = rc == TROUPE_EINVAL && spec.gang;
    reject(self, letter, rc == TROUPE_EDEAD ? "the pool is closed" : gang ? never_starts : troupe_strerror(rc));
}

/* To try again at once would most likely find no memory again: the job ends, and says why. */
static void starve(struct pool *self, struct ticket *t, double now)
{
    t->starved = true;
    dispatcher_cancel(self->dispatcher, t->id, now);
    dispatcher_withdraw(self->dispatcher, t->id, now);
}

void pool_hand_out(struct pool *self, const struct action *a, double now)
{
    struct ticket *t = a->load;
    struct hand *hand = pool_hand(self, a->worker);
    struct message *m = t->repeatable ? message_copy(t->letter) : t->letter;
    if (!m) {
        starve(self, t, now);
        return;
    }
    struct header *h = message_header(m);
    if (self->times && h->kind == MAIL_SUBMIT) /* else it was handed out before */
        histogram_record(&self->times->waits, now - h->u.seconds);
    if (t->repeatable)
        message_header(t->letter)->kind = MAIL_RUN;
    h->kind = MAIL_RUN;
    h->to = address_make(0, worker_box(hand->worker), 0);
    h->worker = pool_tag(self, a->worker);
    h->id = t->id;
    h->u.number = (int64_t)(intptr_t)t;
    if (a->attempt > 1)
        worker_calm(hand->worker, t->id);
    pool_settle_run(self, t, a);
    h->from = pool_note(t, a);
    if (self->windows_open)
        h->slot = RUN_WINDOW_OPEN;
    if (h->flags & FLAG_CODE)
        pool_send_code(self, hand, h->code);
    int rc = mailbox_post(self->house.mailbox, &m);
    if (!t->repeatable)
        t->letter = m; /* refused: the worker has closed its box, and its MAIL_DOWN will say what becomes of the job */
    else if (rc)
        message_destroy(&m);
}

void pool_job_begun(struct pool *self, struct message **letter, double now)
{
    const struct header *h = message_header(*letter);
    if (dispatcher_begun(self->dispatcher, pool_worker_of(self, *letter), h->id, now) == 0)
        pool_leave_place(self, dispatcher_load(self->dispatcher, h->id));
}

void pool_job_done(struct pool *self, struct message **letter, double now)
{
    struct header *h = message_header(*letter);
    void *dropped = NULL;
    double ran = h->u.seconds;
    enum job_run how = h->flags & FLAG_KILLED ? RUN_KILLED : h->flags & FLAG_ERROR ? RUN_FAILED : RUN_FINE;
    int rc = dispatcher_done(self->dispatcher, pool_worker_of(self, *letter), h->id, how, ran, *letter, &dropped, now);
    if (rc)
        return; /* a worker that was given up speaks again */
    if (self->times)
        histogram_record(&self->times->runs, ran);
    *letter = NULL;
    struct message *m = dropped;
    message_destroy(&m);
}

void pool_keep_letter(struct message **letter)
{
    struct ticket *t = (struct ticket *)(intptr_t)message_header(*letter)->u.number;
    if (t->repeatable)
        message_destroy(letter);
    else
        t->letter = *letter;
    *letter = NULL;
}

void pool_recall(struct pool *self, int worker, double now)
{
    struct hand *hand = pool_hand(self, worker);
    struct message *list = mailbox_recall(self->house.mailbox, worker_box(hand->worker), message_is_run, NULL);
    while (list) {
        struct message *m = list;
        list = m->next;
        uint64_t id = message_header(m)->id;
        pool_keep_letter(&m);
        dispatcher_returned(self->dispatcher, worker, id, now);
    }
    worker_recall(hand->worker, self->house.mailbox, 0);
    dispatcher_recall_done(self->dispatcher, worker, now);
}

bool pool_has_begun(struct pool *self, uint64_t id)
{
    struct message_sight sight = {.job = id};
    struct hand *hand = pool_hand(self, dispatcher_worker_of(self->dispatcher, id));
    if (!hand || !hand->worker)
        return false;
    mailbox_recall(self->house.mailbox, worker_box(hand->worker), message_see_run, &sight);
    return !sight.seen;
}

bool pool_take_back(struct pool *self, uint64_t id)
{
    struct hand *hand = pool_hand(self, dispatcher_worker_of(self->dispatcher, id));
    struct worker *w = hand ? hand->worker : NULL;
    struct message *m = w ? mailbox_recall(self->house.mailbox, worker_box(w), message_is_run_of, &id) : NULL;
    if (!m)
        return false;
    pool_keep_letter(&m);
    return true;
}

void pool_cancel(struct pool *self, struct message **letter, double now)
{
    uint64_t id = message_header(*letter)->id;
    bool unbegun = false;
    if (id == 0) {
        dispatcher_cancel_pending(self->dispatcher, message_header(*letter)->u.number != 0, now);
        unbegun = true;
    } else {
        enum cancel_answer a = dispatcher_cancel(self->dispatcher, id, now);
        unbegun = a == CANCEL_ENDED;
        if (a == CANCEL_HANDED && pool_take_back(self, id))
            unbegun = dispatcher_withdraw(self->dispatcher, id, now) == 0;
        else if (a == CANCEL_HANDED && pool_ask_back(self, letter))
            return;
    }
    pool_turn(self, now); /* it has ended, and its place is free, before anybody hears so */
    pool_answer_boolean(self, letter, unbegun);
}

