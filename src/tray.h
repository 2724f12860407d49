/* tray.h - letters on their way from one sender to one box, and the list of boxes that trays may be sent to.
 *
 * A tray has two ends: its sender's and its receiver's. Either may let go first. Any thread may call
 * tray_connect and the box functions; each other function says whose it is.
 */
#ifndef TRAY_H
#define TRAY_H

#include <stdbool.h>
#include <stdint.h>

#include "message.h"

struct tray;

enum { BOX_COUNT = 65536 };

/* Marks a free box as open; `wanted` -1: any but 0. Its number, or TROUPE_ELIMIT when it is taken or none is free.
 * *generation tells this opening from earlier ones of the same number. */
int box_claim(int wanted, uint32_t *generation);

/* The box is gone: its trays are closed, what is in them is the caller's, in no particular order of trays. */
struct message *box_release(uint16_t box);

/* Nobody reads this box any more, though it has not been released: what is put into its trays finds it gone, what is in them
 * is the caller's. */
struct message *box_condemn(uint16_t box);

/* Should the vm that reads this box not tell of its end, then it was killed; until somebody else has the box. */
void box_mark_killed(uint16_t box);
bool box_is_killed(uint16_t box);

/* The number of the next open box after that one; 0: there is none. */
uint16_t box_next(uint16_t box);

/* From now on tray_ring also makes this eventfd readable; -1: no more. */
void box_set_eventfd(uint16_t box, int eventfd);

/* How often the box was rung since it was marked as open. */
uint32_t box_bell(uint16_t box);

/* A new tray to the box, held by both ends; the generation of the box in *generation.
 * 0, TROUPE_EDEAD when it is not open, TROUPE_ENOMEM. */
int tray_connect(struct tray **out, uint16_t box, uint32_t *generation);

/* Sender: puts a letter in. 0, or TROUPE_EDEAD when the box is gone, then the letter stays the caller's.
 * *tell is true when the receiver must be told of the tray. */
int tray_put(struct tray *self, struct message *m, bool *tell);

/* Sender, having told: rings the box's bell, for whoever watches it, unless the box is gone. */
void tray_ring(struct tray *self);

/* Sender: the receiver could not be told; the letter just put comes out again. False: it has been freed with the box. */
bool tray_unput(struct tray *self, struct message *m);

/* Sender, told to tell: takes all letters out instead, if they are at most so many and `want` (NULL: any) is true for each;
 * else NULL. The tray counts as told of still, until tray_untell, which is for when nobody is told of it after all. */
struct message *tray_take_few(struct tray *self, int most, bool (*want)(const struct message *));
void tray_untell(struct tray *self);

/* Sender: takes out what `want` is true for, in order. */
struct message *tray_recall(struct tray *self, bool (*want)(const struct message *, void *), void *context);

/* Sender: true when the box is gone. */
bool tray_is_closed(struct tray *self);

/* Sender: lets go. What is in the tray and was told of still arrives. */
void tray_leave(struct tray *self);

/* Receiver, told of the tray: all letters, in order; the next put tells again. May free the tray. */
struct message *tray_take_all(struct tray *self);

/* Receiver, told of the tray: its first letter. NULL: it was empty, the next put tells again, and the tray may be gone. */
struct message *tray_take_one(struct tray *self);

#endif
