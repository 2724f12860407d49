/* pool_gate.c - a pool's places for jobs that wait (gate.h): who waits for one, and whose is free again.
 *
 * A job holds the place it was submitted with until it begins, or ends without that. Those who find none ask the node, and
 * their questions stand in `waiting` until there is one, or they take the question back. The gate is shut exactly while
 * somebody waits; both change in the node's thread only, so no free place is overlooked.
 */
#include "address.h"
#include "gate.h"
#include "pool_inner.h"

/* Gives places that are free to those who wait. */
static void admit(struct pool *self)
{
    while (self->waiting && gate_admit(self->gate)) {
        struct message *m = self->waiting;
        self->waiting = m->next;
        pool_answer_boolean(self, &m, true);
    }
    gate_shut(self->gate, self->waiting);
}

static void free_place(struct pool *self)
{
    gate_leave(self->gate);
    admit(self);
}

void pool_leave_place(struct pool *self, struct ticket *t)
{
    if (!t->placed)
        return;
    t->placed = false;
    free_place(self);
}

void pool_refuse_places(struct pool *self)
{
    while (self->waiting) {
        struct message *m = self->waiting;
        self->waiting = m->next;
        pool_answer_boolean(self, &m, false);
    }
}

/* Takes the question out; false: it was answered. */
static bool withdraw(struct pool *self, uint64_t id)
{
    for (struct message **at = &self->waiting; *at; at = &(*at)->next) {
        struct message *m = *at;
        if (message_header(m)->id != id)
            continue;
        *at = m->next;
        message_destroy(&m);
        gate_shut(self->gate, self->waiting);
        return true;
    }
    return false;
}

void pool_forget_places(struct pool *self, uint64_t owner)
{
    for (struct message **at = &self->waiting; *at;) {
        struct message *m = *at;
        if (address_belongs(message_header(m)->from, owner)) {
            *at = m->next;
            message_destroy(&m);
        } else {
            at = &m->next;
        }
    }
    if (self->gate)
        gate_shut(self->gate, self->waiting);
}

void pool_place(struct pool *self, struct message **letter)
{
    const struct header *h = message_header(*letter);
    if (!self->gate)
        return;
    if (h->u.number == 0) {
        if (!withdraw(self, h->id))
            free_place(self);
    } else if (dispatcher_is_closing(self->dispatcher)) {
        pool_answer_boolean(self, letter, false);
    } else {
        struct message **last = &self->waiting;
        while (*last)
            last = &(*last)->next;
        (*letter)->next = NULL;
        *last = *letter;
        *letter = NULL;
        admit(self);
    }
}
