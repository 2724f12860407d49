/* mailbox.h - letterboxes. A box is where one vm receives; a post is how another reaches it.
 *
 * Letters travel in trays. A tray belongs to one sender and one box: the sender puts letters in, and when nobody
 * has been told of the tray yet it is sent to the box over ZeroMQ. What is put in before the receiver has looked
 * needs no further call into ZeroMQ and no wake-up: a busy pair of vms pays for a socket once a batch.
 * Order is kept between one sender and one box.
 *
 * A mailbox is for the thread that opened it, or for the one it was handed to before that one first used it.
 */
#ifndef MAILBOX_H
#define MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "message.h"

struct mailbox;
struct tray;

enum { MAILBOX_NODE = 0, MAILBOX_ANY = -1 };

/* Opens box MAILBOX_NODE, or any free one. 0, TROUPE_ENOMEM, TROUPE_ELIMIT (descriptors, boxes), TROUPE_EINVAL
 * (the node's box is open, or this is a forked child of a program that had boxes open). */
int mailbox_open(struct mailbox **out, int box);

/* Closes it: letters not yet received are freed, later ones find the box dead. Nulls; NULL is fine. */
void mailbox_close(struct mailbox **self);

uint16_t mailbox_box(const struct mailbox *self);

/* The address that letters to the box go to, from wherever. */
uint64_t mailbox_address(const struct mailbox *self);

/* Letters are taken out one at a time, so that their sender can still take the rest back (mailbox_recall). */
void mailbox_set_single(struct mailbox *self);

/* Puts the letter on its way to the box of its `to` address, or of the bridge to the house it names, and nulls the pointer.
 * 0; TROUPE_EDEAD, TROUPE_ELIMIT, TROUPE_ENOMEM: the letter stays the caller's. */
int mailbox_post(struct mailbox *self, struct message **message);

/* Opens the way to the box: posts there fail from now on only when the box is gone. 0 or as mailbox_post. */
int mailbox_reach(struct mailbox *self, uint16_t box);

/* The same for the box that leads to the house. */
int mailbox_reach_house(struct mailbox *self, uint16_t house);

/* Posts a letter that nobody could do anything about if it failed; takes it. When memory is out it is
 * kept, and tried again by mailbox_deliver_late; when the box is gone it is freed. */
void mailbox_deliver(struct mailbox *self, struct message **message);

/* True when some are kept still. */
bool mailbox_deliver_late(struct mailbox *self);

/* The box of a vm that is stuck for good: what is posted there finds it gone from now on, and letters to actors go back. */
void mailbox_condemn(struct mailbox *self, uint16_t box);

/* Tells all vms of this program's process, and its worker processes, that the vm of that address is gone, or with box 0 the
 * worker process. For want of memory some may not be told. */
void mailbox_tell_gone(struct mailbox *self, uint64_t address, bool killed);

/* The next letter, NULL when there is none now. Does not wait. */
struct message *mailbox_take(struct mailbox *self);

/* True when mailbox_take may have something. */
bool mailbox_has_letters(const struct mailbox *self);

/* Waits until mailbox_take has something: at most so many seconds, negative: for ever. `eager`: the answer is
 * expected soon, watch for it without sleeping for about as long as falling asleep and waking would cost.
 * A descriptor that gets readable ends the wait too; -1: none. 0, TROUPE_ETIMEDOUT, TROUPE_EINTR (a signal). */
int mailbox_wait(struct mailbox *self, double timeout, bool eager, int descriptor);

/* Keeps the eventfd readable whenever letters come, for loops that are not ours; -1: no more. Others write to it. */
void mailbox_set_eventfd(struct mailbox *self, int eventfd);

/* Letters to this box may be passed on by those who post them, past this box's thread, if they were allowed to. `relay` is
 * called by them, by one at a time, with a tray that nobody has been told of (tray_take_few): true when it has taken and
 * passed on what is in it; false: the box is told, as ever. NULL: no more, and nobody is inside when this returns. */
void mailbox_set_relay(struct mailbox *self, bool (*relay)(void *owner, struct tray *tray), void *owner);

/* So many more letters from here may be passed on by relays, on this thread; 0: none. Saves a wake-up, and costs a system
 * call a letter: for who has few to post. */
void mailbox_allow_relays(struct mailbox *self, int letters);

/* True when mailbox_take has taken letters from trays that it has not handed out yet. */
bool mailbox_holds_letters(const struct mailbox *self);

/* Takes back letters posted from here to the box that nobody has taken out yet, those that `want` is true for, in order. */
struct message *mailbox_recall(struct mailbox *self, uint16_t box, bool (*want)(const struct message *, void *), void *context);

#endif
