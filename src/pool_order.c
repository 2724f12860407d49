/* pool_order.c - what a submitter said of a job beyond the call, off its letter; and what of it the ticket keeps. */
#include <stdlib.h>
#include <string.h>

#include "order.h"
#include "pool_inner.h"

void pool_read_order(struct message *letter, struct job_spec *spec, struct job_order *order)
{
    if (!(message_header(letter)->flags & FLAG_ORDER) || message_body_size(letter) < sizeof *order)
        return;
    message_header(letter)->flags &= (uint16_t)~FLAG_ORDER;
    letter->bytes.size -= sizeof *order;
    memcpy(order, letter->bytes.data + letter->bytes.size, sizeof *order);
    if (order->name_size > message_body_size(letter))
        order->name_size = 0;
    letter->bytes.size -= order->name_size;
    spec->priority = order->priority;
    spec->first = order->bits & ORDER_FIRST;
    spec->delay = order->delay;
    spec->scheduled = order->bits & ORDER_SCHEDULED;
    spec->every = order->every;
    spec->retry = (struct job_retry){
        .retries = order->retries,
        .base = order->backoff,
        .factor = order->factor,
        .max = order->max,
        .jitter = order->jitter,
        .asks = order->bits & ORDER_ASKS,
    };
    spec->timeout = order->timeout;
    spec->gang = order->gang;
    spec->gang_size = order->gang_size;
    if (order->timeout > 0 || order->bits & ORDER_PLACED)
        message_header(letter)->flags |= FLAG_TIMED;
}

bool pool_add_extra(struct pool *self, struct ticket *t, const struct job_order *order)
{
    if (!order->name_size && !(order->bits & ORDER_ASKS))
        return true;
    struct ticket_extra *extra = malloc(sizeof *extra + order->name_size + 1);
    if (!extra)
        return false;
    *extra = (struct ticket_extra){.ticket = t, .asks = order->bits & ORDER_ASKS, .name_size = order->name_size};
    if (order->name_size)
        memcpy(extra->name, t->letter->bytes.data + t->letter->bytes.size, order->name_size);
    extra->name[order->name_size] = 0;
    if (extra->asks) {
        extra->next = self->asking;
        if (extra->next)
            extra->next->prev = extra;
        self->asking = extra;
    }
    t->extra = extra;
    return true;
}

static void leave_asking(struct pool *self, struct ticket_extra *extra)
{
    if (extra->prev)
        extra->prev->next = extra->next;
    else
        self->asking = extra->next;
    if (extra->next)
        extra->next->prev = extra->prev;
}

void pool_free_ticket(struct pool *self, struct ticket *t)
{
    pool_leave_place(self, t);
    self->freed++;
    self->foreign -= t->owner != self->owner;
    if (t->extra && t->extra->asks)
        leave_asking(self, t->extra);
    free(t->extra);
    slab_put(&self->tickets, t);
}
