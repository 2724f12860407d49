/* bridge_break.c - breaking into what runs in a worker process: past the mail, which may be stuck.
 *
 *     asked for by the node --> due --bridge_pass_breaks, MAIL_BREAK--> unanswered --MAIL_BROKEN--> answered
 *
 * Several jobs of a process may be broken into at a time: one that runs, and others that wait.
 *
 * Invariants:
 *  1. each MAIL_BREAK has one answer, which says what runs there then;
 *  2. the process is killed when it has said BREAKS times that what was broken into is stuck: such code is in C,
 *     where nothing else reaches it. Silence says nothing: the process may lack a processor. For that the node has its own
 *     patience.
 */
#include "bridge_inner.h"

#include "clock.h"
#include "frames.h"
#include "process.h"

enum { BREAKS = 5 };

static const double SILENCE = 2; /* seconds after which a process that does not answer counts as stuck */

void bridge_init_breaks(struct bridge *self)
{
    pthread_mutex_init(&self->break_lock, NULL);
    atomic_init(&self->target, 0);
}

/* What does not find room is asked for again soon. */
void bridge_interrupt(struct bridge *self, uint64_t job)
{
    bool known = false;
    pthread_mutex_lock(&self->break_lock);
    for (int i = 0; i < self->due_count; i++)
        known |= self->breaks_due[i] == job;
    if (!known && self->due_count < BREAKS_DUE) {
        self->breaks_due[self->due_count++] = job;
        if (self->unanswered++ == 0)
            self->unanswered_at = clock_now();
    }
    pthread_mutex_unlock(&self->break_lock);
    bridge_ring(self);
}

/* One that is due: false when there is none. */
static bool next_due(struct bridge *self, uint64_t *job)
{
    pthread_mutex_lock(&self->break_lock);
    bool some = self->due_count > 0;
    if (some)
        *job = self->breaks_due[--self->due_count];
    pthread_mutex_unlock(&self->break_lock);
    return some;
}

static void answered(struct bridge *self)
{
    pthread_mutex_lock(&self->break_lock);
    self->unanswered--;
    self->unanswered_at = clock_now();
    pthread_mutex_unlock(&self->break_lock);
}

bool bridge_has_breaks(struct bridge *self)
{
    pthread_mutex_lock(&self->break_lock);
    bool some = self->due_count > 0;
    pthread_mutex_unlock(&self->break_lock);
    return some;
}

bool bridge_pass_breaks(struct bridge *self)
{
    uint64_t job;
    bool some = false;
    while (next_due(self, &job)) {
        struct message *m = message_new(MAIL_BREAK);
        if (!m) {
            answered(self); /* it never leaves, and is asked for again */
            continue;
        }
        if (job && job == self->broken && self->breaks >= BREAKS)
            process_kill(self->process);
        message_header(m)->id = job;
        frames_put(self->frames, &m);
        some = true;
    }
    return some;
}

void bridge_note_broken(struct bridge *self, const struct header *h)
{
    if (h->code != self->broken)
        self->breaks = 0;
    self->broken = h->code;
    if (h->code && h->code == h->id && h->u.number)
        self->breaks++;
    atomic_store(&self->target, h->code);
    answered(self);
}

bool bridge_runs(struct bridge *self, uint64_t job)
{
    pthread_mutex_lock(&self->break_lock);
    bool silent = self->unanswered > 0 && clock_now() - self->unanswered_at > SILENCE;
    pthread_mutex_unlock(&self->break_lock);
    return silent || atomic_load(&self->target) == job;
}

uint64_t bridge_target(struct bridge *self)
{
    bridge_interrupt(self, 0);
    return atomic_load(&self->target);
}
