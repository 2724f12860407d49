/* pool_doom.c - the end of one actor in a shared vm, wanted by somebody whose letter the vm may not read.
 *
 *     asked (MAIL_DOOM) --> the vm is told; whenever the actor's handler runs, that is broken into, again and again
 *     told --the vm says that it is dead (MAIL_DOOMED)--> forgotten
 *     told --its handler is stuck, in C--> the vm is given up, with all that lives there
 *
 * Invariants:
 *  1. what is broken into is the actor's: others in the vm have targets of their own (run_note.h);
 *  2. each actor is in `dooms` once, until it is dead, its vm is gone, or for long none of them has run;
 *  3. a handler is stuck when it was the one that ran each time anybody looked, for long.
 */
#include <stdlib.h>

#include "address.h"
#include "log.h"
#include "mailbox_route.h"
#include "pool_inner.h"
#include "record.h"
#include "run_note.h"

static const double again = 0.05;    /* seconds between two looks */
static const double stuck_after = 2; /* seconds; as for a job that is killed: its grace, and a second of breaking into it */
static const double quiet_after = 60; /* seconds without any of them running: an answer was lost for want of memory */

struct doom {
    uint64_t actor; /* first: id_map */
};

static void forget(void *object, void *context)
{
    (void)context;
    free(object);
}

void pool_forget_doomed(struct pool *self)
{
    id_map_each(&self->dooms, forget, NULL);
    id_map_release(&self->dooms);
    id_map_init(&self->dooms);
    self->doom_at = 0;
}

static void tell_vm(struct pool *self, uint64_t actor)
{
    struct message *m = message_new(MAIL_DOOM);
    if (!m)
        return;
    message_header(m)->to = address_make(0, worker_box(self->hands[0].worker), 0);
    message_header(m)->id = actor;
    message_header(m)->pool = self->id;
    pool_post(self, &m);
}

static void note(struct pool *self, uint64_t actor)
{
    struct doom *d = malloc(sizeof *d);
    if (d)
        d->actor = actor;
    if (!d || id_map_insert(&self->dooms, d))
        free(d); /* it is broken into once */
}

/* The actor whose handler runs, when it is one of these; 0: none. */
static uint64_t doomed_that_runs(struct pool *self)
{
    struct worker *worker = self->hands[0].worker;
    uint64_t target = worker_target(worker);
    uint64_t actor = address_make(mailbox_house(), worker_box(worker), (uint32_t)target);
    bool is_one = run_is_actor(target) && id_map_find(&self->dooms, actor);
    if (is_one)
        worker_interrupt(worker, target);
    return is_one ? actor : 0;
}

static void give_up(struct pool *self, double now)
{
    log_say(RECORD_WARNING, "an actor that was killed is stuck: the vm of pool %s that it shares with others is given up",
            self->worker.name);
    pool_forget_doomed(self);
    pool_close_soon(self, 0, now);
    pool_abandon_worker(self, 1, now);
}

static void look(struct pool *self, double now)
{
    uint64_t actor = doomed_that_runs(self);
    self->doom_at = now + again;
    if (actor != self->runs_doomed || self->looked_since == 0) {
        self->runs_doomed = actor;
        self->looked_since = now;
    }
    if (actor && now - self->looked_since >= stuck_after && worker_is_stuck(self->hands[0].worker, run_actor_target(actor)))
        give_up(self, now);
    else if (!actor && now - self->looked_since >= quiet_after)
        pool_forget_doomed(self);
}

void pool_doom_actor(struct pool *self, uint64_t actor, double now)
{
    if (id_map_find(&self->dooms, actor))
        return;
    if (self->dooms.count == 0)
        self->looked_since = 0;
    note(self, actor);
    tell_vm(self, actor);
    look(self, now);
}

void pool_doomed(struct pool *self, uint64_t actor)
{
    free(id_map_remove(&self->dooms, actor));
    if (self->dooms.count == 0)
        self->doom_at = 0;
    if (self->hands[0].worker)
        worker_calm(self->hands[0].worker, run_actor_target(actor));
}

void pool_press_doomed(struct pool *self, double now)
{
    if (self->doom_at == 0 || now < self->doom_at)
        return;
    if (self->hands[0].worker)
        look(self, now);
    else
        pool_forget_doomed(self);
}
