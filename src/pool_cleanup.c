/* pool_cleanup.c - cleanups that no worker has seen to: of jobs that never ran, were given up or lost, or ended between two
 * runs.
 *
 * The ticket of such a job, its outcome posted, becomes that of a job of the pool's own, whose letter is a copy of the
 * first: with FLAG_CLEANUP only the cleanup in it is run. The dispatcher neither cancels it nor refuses it when the pool
 * closes. Lost before the worker began it, it is sent again. One that was begun and not seen to end is counted as unclean.
 */
#include "log.h"
#include "pool_inner.h"
#include "record.h"
#include "troupe.h"

static const double patience = 1.0; /* seconds that a cleanup may take once its pool is closing soon */

static void give_up(struct pool *self, struct ticket *t, const char *why)
{
    self->unclean++;
    log_say(RECORD_ERROR, "the cleanup of a job of pool %s could not be run: %s", self->worker.name, why);
    message_destroy(&t->letter);
    pool_free_ticket(self, t);
}

/* A worker that had begun the cleanup was lost or given up in it. Once begun it is never begun again. */
static void note_torn(struct pool *self, const struct ticket *t)
{
    self->unclean++;
    log_say(RECORD_ERROR, "the cleanup of job %llu of pool %s may not have ended: its worker is gone", (unsigned long long)t->id, self->worker.name);
}

static void send(struct pool *self, struct ticket *t, double now)
{
    struct job_spec spec = {.id = ++self->own_ids, .load = t, .priority = INT32_MAX, .first = true, .essential = true};
    struct header *h = message_header(t->letter);
    h->flags |= FLAG_DISCARD | FLAG_CLEANUP;
    if (self->break_at != 0) {
        spec.timeout = patience;
        h->flags |= FLAG_TIMED;
    }
    t->flags |= FLAG_DISCARD;
    t->id = spec.id;
    int rc = dispatcher_submit(self->dispatcher, &spec, now);
    if (rc)
        give_up(self, t, troupe_strerror(rc));
}

/* What tells this run from others of its job: see run_note.h. */
static uint32_t run_of(const struct ticket *t, int attempt)
{
    return t->cleaning ? t->end : (uint32_t)attempt;
}

void pool_settle_end(struct pool *self, struct ticket *t, const struct action *a)
{
    bool ran = t->cleanup && a->attempt > 0;
    if (ran && claims_settle(self->claims, t->id, run_of(t, a->attempt), !a->result)) {
        t->cleaned = true;
        if (!a->result)
            note_torn(self, t);
    }
    if (!t->cleaning)
        t->end = (uint8_t)a->end;
}

bool pool_clean_up(struct pool *self, struct ticket *t, enum job_end end, bool ran, double now)
{
    if (!t->cleanup || t->cleaned)
        return false;
    if (t->cleaning && !ran && end != JOB_LOST) {
        give_up(self, t, "no worker could be started, or there was no memory");
        return true;
    }
    if (t->cleaning && end != JOB_LOST)
        return false; /* it has run */
    t->cleaning = true;
    send(self, t, now);
    return true;
}

void pool_settle_run(struct pool *self, struct ticket *t, const struct action *a)
{
    if (!t->cleanup || t->cleaning || a->attempt < 2)
        return;
    if (claims_settle(self->claims, t->id, (uint32_t)a->attempt - 1, true)) {
        t->cleaned = true;
        note_torn(self, t);
    }
    if (t->cleaned)
        claims_settle(self->claims, t->id, (uint32_t)a->attempt, true);
}

uint64_t pool_note(const struct ticket *t, const struct action *a)
{
    return run_note(run_of(t, a->attempt), a->last);
}
