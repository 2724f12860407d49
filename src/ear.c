/* ear.c - futures and the letters that resolve them.
 *
 * A future has a slot while it is pending; the letter that answers it carries the slot and the id. A slot that was
 * used again meanwhile holds another id, so a late letter finds nobody and is dropped.
 *
 * Invariants:
 *  1. slots[i] is a pending future with slot == i, or NULL; free slots stand in the `idle` stack, each once; a slot
 *     that is neither was kept by a future that is resolved;
 *  2. ids are unique in the program, all its processes: house | block | number in the block, of 15, 30 and 16 bits;
 *  3. resolve and the handler may call any function here, ear_turn included.
 */
#include "ear.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "address.h"
#include "mailbox.h"
#include "mailbox_route.h"
#include "placement.h"
#include "registry_program.h"
#include "troupe.h"

enum { BLOCK_BITS = 16, HOUSE_SHIFT = 45 }; /* 15 bits of a house, below those of run_note.h */

/* Ids are given out to ears in blocks: blocks so far. */
static _Atomic uint64_t id_blocks;

struct ear {
    struct mailbox *mailbox;
    ear_handler *handler;
    void *owner;
    uint64_t last_id;
    struct future **slots;
    uint32_t *idle;
    uint32_t slot_count, idle_count;
};

int ear_open(struct ear **out, ear_handler *handler, void *owner)
{
    struct ear *self = calloc(1, sizeof *self);
    if (!self)
        return TROUPE_ENOMEM;
    int rc = mailbox_open(&self->mailbox, MAILBOX_ANY);
    if (rc) {
        free(self);
        return rc;
    }
    self->handler = handler;
    self->owner = owner;
    *out = self;
    return 0;
}

void ear_close(struct ear **ear)
{
    struct ear *self = *ear;
    *ear = NULL;
    if (!self)
        return;
    placement_closed(&placement_program, ear_address(self));
    registry_closed(ear_address(self)); /* before anybody can find the box dead */
    mailbox_close(&self->mailbox);
    free(self->slots);
    free(self->idle);
    free(self);
}

struct mailbox *ear_mailbox(struct ear *self)
{
    return self->mailbox;
}

uint64_t ear_address(const struct ear *self)
{
    return mailbox_address(self->mailbox);
}

static int more_slots(struct ear *self)
{
    uint32_t count = self->slot_count ? self->slot_count * 2 : 64;
    struct future **slots = realloc(self->slots, count * sizeof *slots);
    if (!slots)
        return TROUPE_ENOMEM;
    self->slots = slots;
    uint32_t *idle = realloc(self->idle, count * sizeof *idle);
    if (!idle)
        return TROUPE_ENOMEM;
    self->idle = idle;
    for (uint32_t i = count; i-- > self->slot_count;) {
        slots[i] = NULL;
        idle[self->idle_count++] = i;
    }
    self->slot_count = count;
    return 0;
}

uint64_t ear_new_id(struct ear *self)
{
    uint64_t last = (1u << BLOCK_BITS) - 1;
    if (self->last_id == 0 || (self->last_id & last) == last) {
        uint64_t block = (atomic_fetch_add(&id_blocks, 1) + 1) & ((1u << (HOUSE_SHIFT - BLOCK_BITS)) - 1);
        self->last_id = (uint64_t)mailbox_house() << HOUSE_SHIFT | block << BLOCK_BITS;
    }
    return ++self->last_id;
}

int ear_expect(struct ear *self, struct future *future)
{
    if (self->idle_count == 0) {
        int rc = more_slots(self);
        if (rc)
            return rc;
    }
    future->id = ear_new_id(self);
    future->slot = self->idle[--self->idle_count];
    future->pending = true;
    self->slots[future->slot] = future;
    return 0;
}

void ear_forget(struct ear *self, struct future *future)
{
    if (!future->pending)
        return;
    future->pending = false;
    ear_give_slot(self, future->slot);
}

void ear_give_slot(struct ear *self, uint32_t slot)
{
    self->slots[slot] = NULL;
    self->idle[self->idle_count++] = slot;
}

int ear_post(struct ear *self, const struct future *future, struct message **letter)
{
    struct header *h = message_header(*letter);
    h->to = address_make(0, MAILBOX_NODE, 0);
    h->from = ear_address(self);
    if (future) {
        h->slot = future->slot;
        if (h->kind == MAIL_SUBMIT)
            h->id = future->id;
        else
            h->code = future->id; /* a question: id may name the job it is about */
    }
    int rc = mailbox_post(self->mailbox, letter);
    message_destroy(letter);
    return rc;
}

static void resolve(struct ear *self, struct message **letter, void *context)
{
    const struct header *h = message_header(*letter);
    struct future *f = h->slot < self->slot_count ? self->slots[h->slot] : NULL;
    if (!f || f->id != (h->kind == MAIL_ANSWER ? h->code : h->id))
        return;
    if (h->kind == MAIL_EMIT || (h->kind == MAIL_RESULT && h->flags & FLAG_MORE)) {
        f->resolve(f, letter, context); /* it stays where it is */
        return;
    }
    uint32_t slot = f->slot;
    f->pending = false;
    self->slots[slot] = NULL;
    if (!f->resolve(f, letter, context))
        ear_give_slot(self, slot); /* the future may be gone */
}

bool ear_turn(struct ear *self, void *context)
{
    struct message *letter = mailbox_take(self->mailbox);
    if (!letter)
        return false;
    uint8_t kind = message_header(letter)->kind;
    if (kind == MAIL_RESULT || kind == MAIL_ANSWER || kind == MAIL_EMIT)
        resolve(self, &letter, context);
    else if (self->handler)
        self->handler(self->owner, &letter, context);
    message_destroy(&letter);
    return true;
}

int ear_wait(struct ear *self, double timeout, bool eager, int descriptor)
{
    return mailbox_wait(self->mailbox, timeout, eager, descriptor);
}
