/* pool_gate.c - a pool's places for jobs that wait (gate.h): who waits for one, and whose is free again.
 *
 * A job holds the place it was submitted with until it begins, or ends without that. Those who find none at the gate ask the
 * node, and so does who has no gate to look at, in another process. The gate is shut exactly while somebody waits; both change
 * in the node's thread only, so no free place is overlooked.
 *
 * Who asked may be gone before its job is here, or be broken into and not know what was answered. So a question that was
 * granted is kept, as a record of that place:
 *
 *     asked --none is free--> waiting --one is--> granted --SUBMIT names it--> the job's
 *     asked, "now" --none is free--> over         waiting, granted --taken back, its vm or process is gone--> over
 *
 * Invariants:
 *  1. `granted` has each question that was answered true and whose place is nobody's yet: it is struck out as the place
 *     becomes a job's or is free again, never twice. So a place is taken back by the question's id, whatever was answered,
 *     and whether or not it was ever asked;
 *  2. all that a process had said was read before its MAIL_DOWN, and all that a vm had said before its MAIL_LEAVE: what is
 *     granted then is a place that no job of theirs will come for.
 */
#include "address.h"
#include "gate.h"
#include "order.h"
#include "pool_inner.h"

static void answer_no_memory(struct pool *self, struct message **question)
{
    pool_write_error(*question, "not enough memory");
    message_header(*question)->flags = 0;
    pool_answer(self, question);
}

static void append(struct message **list, struct message **letter)
{
    while (*list)
        list = &(*list)->next;
    (*letter)->next = NULL;
    *list = *letter;
    *letter = NULL;
}

/* A place was taken for the question. */
static void grant(struct pool *self, struct message **question)
{
    struct message *answer = message_copy(*question);
    if (!answer) {
        gate_leave(self->gate);
        answer_no_memory(self, question);
        return;
    }
    append(&self->granted, question);
    pool_answer_boolean(self, &answer, true);
}

/* Gives places that are free to those who wait. */
static void admit(struct pool *self)
{
    while (self->waiting && gate_admit(self->gate)) {
        struct message *m = self->waiting;
        self->waiting = m->next;
        grant(self, &m);
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

/* Strikes the question out; false: it is not there. */
static bool strike_out(struct message **list, uint64_t id)
{
    for (struct message **at = list; *at; at = &(*at)->next) {
        struct message *m = *at;
        if (message_header(m)->id != id)
            continue;
        *at = m->next;
        message_destroy(&m);
        return true;
    }
    return false;
}

/* Strikes out the questions of a vm, or of all of a process; how many. */
static int strike_out_all(struct message **list, uint64_t owner)
{
    int count = 0;
    for (struct message **at = list; *at;) {
        struct message *m = *at;
        if (address_belongs(message_header(m)->from, owner)) {
            *at = m->next;
            message_destroy(&m);
            count++;
        } else {
            at = &m->next;
        }
    }
    return count;
}

void pool_forget_places(struct pool *self, uint64_t owner)
{
    strike_out_all(&self->waiting, owner);
    for (int count = strike_out_all(&self->granted, owner); count > 0; count--)
        gate_leave(self->gate);
    if (self->gate)
        admit(self);
}

bool pool_claim_place(struct pool *self, uint64_t owner, const struct job_order *order)
{
    if (!self->gate || !(order->bits & ORDER_PLACED))
        return false;
    return order->place ? strike_out(&self->granted, order->place) : address_node(owner) == 0;
}

void pool_refuse_place(struct pool *self)
{
    free_place(self);
}

static void take_back(struct pool *self, const struct header *h)
{
    if (h->id && strike_out(&self->waiting, h->id))
        gate_shut(self->gate, self->waiting);
    else if (h->id ? strike_out(&self->granted, h->id) : address_node(h->from) == 0)
        free_place(self);
}

void pool_place(struct pool *self, struct message **letter)
{
    const struct header *h = message_header(*letter);
    if (!self->gate)
        return;
    if (h->u.number == PLACE_BACK) {
        take_back(self, h);
    } else if (dispatcher_is_closing(self->dispatcher)) {
        pool_answer_boolean(self, letter, false);
    } else if (h->u.number == PLACE_NOW) {
        if (gate_enter(self->gate))
            grant(self, letter);
        else
            pool_answer_nil(self, letter);
    } else {
        append(&self->waiting, letter);
        admit(self);
    }
}
