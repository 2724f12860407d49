/* ear.h - one vm's end of the mail: its box, and the futures it waits for.
 *
 * All functions are for the thread that owns the vm.
 */
#ifndef EAR_H
#define EAR_H

#include <stdbool.h>
#include <stdint.h>

#include "message.h"

struct ear;
struct mailbox;

/* An outcome to come. The memory is the caller's and stays in place until it is resolved or forgotten. */
struct future {
    uint64_t id; /* of the job or question; 0 before ear_expect */
    uint32_t slot;
    bool pending;
    /* Called from ear_turn, once, and before that for each letter with FLAG_MORE and each MAIL_EMIT: with the letter, which it may keep by nulling the pointer. True: it keeps the slot too, for
     * ear_give_slot. */
    bool (*resolve)(struct future *self, struct message **letter, void *context);
};

/* Handles a letter that is no outcome; may keep it by nulling the pointer. */
typedef void ear_handler(void *owner, struct message **letter, void *context);

/* Opens a box. handler may be NULL. 0, TROUPE_ENOMEM, TROUPE_ELIMIT, TROUPE_EINVAL (a forked child). */
int ear_open(struct ear **out, ear_handler *handler, void *owner);

/* Closes the box; futures still pending are never resolved. Nulls; NULL is fine. */
void ear_close(struct ear **self);

struct mailbox *ear_mailbox(struct ear *self);

/* The address that outcomes for this vm go to. */
uint64_t ear_address(const struct ear *self);

/* Gives the future an id and awaits the letter that answers it. 0 or TROUPE_ENOMEM. */
int ear_expect(struct ear *self, struct future *future);

/* An id for a job whose outcome nobody will ask for. */
uint64_t ear_new_id(struct ear *self);

/* Nobody waits any more; the letter is dropped when it comes. */
void ear_forget(struct ear *self, struct future *future);

/* A slot that a resolved future kept is free again. */
void ear_give_slot(struct ear *self, uint32_t slot);

/* Posts a letter to the node on behalf of a future (NULL: of nobody), with this vm as the one to answer. A job gets the
 * future's id; in a question `id` may name the job it is about, and the future's goes into `code`. Takes the letter,
 * whatever the outcome. 0 or what mailbox_post says. */
int ear_post(struct ear *self, const struct future *future, struct message **letter);

/* Handles the next letter that is here. False when there is none. */
bool ear_turn(struct ear *self, void *context);

/* Waits until ear_turn has something, or the descriptor (-1: none) is readable; at most so many seconds, negative: for
 * ever. `eager`: see mailbox_wait. 0, TROUPE_ETIMEDOUT, TROUPE_EINTR. */
int ear_wait(struct ear *self, double timeout, bool eager, int descriptor);

#endif
