/* pool.h - one pool as the node keeps it: its dispatcher, its workers, its jobs' letters. For the node's thread. */
#ifndef POOL_H
#define POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "message.h"

struct pool;
struct mailbox;
struct codes;
struct worker_hooks;

/* What a pool uses of the node. */
struct pool_house {
    struct mailbox *mailbox;
    struct codes *codes;
    const struct worker_hooks *hooks;
};

/* From a MAIL_OPEN letter, which it takes. NULL when it is malformed or memory is out; then the letter stays. */
struct pool *pool_new(struct message **open, const struct pool_house *house);

/* Frees it; workers still there are left to themselves. Nulls; NULL is fine. */
void pool_destroy(struct pool **self);

/* True when its one worker is the vm that the address is in, and that vm is there for actors. */
bool pool_hosts(const struct pool *self, uint64_t address);

/* True when actors share that vm: one of them shall end, whatever the vm does. */
bool pool_is_shared(const struct pool *self);
void pool_doom_actor(struct pool *self, uint64_t actor, double now);

/* True when its one job is an actor's: then it is nobody's pool. */
bool pool_is_hidden(const struct pool *self);

uint32_t pool_id(const struct pool *self);
uint64_t pool_owner(const struct pool *self);

/* Appends its id and name, an array. 0 or TROUPE_ENOMEM. */
int pool_list(const struct pool *self, struct buffer *out);

/* A letter that names this pool; it may be taken. */
void pool_handle(struct pool *self, struct message **letter, double now);

/* The vm at that address closes: the pool does too, if it is its owner. True when that may mean anything to the pool. */
bool pool_owner_left(struct pool *self, uint64_t owner, double grace, double now);

/* Closes it: what is pending is cancelled; after `grace` seconds running jobs are broken into. */
void pool_close_soon(struct pool *self, double grace, double now);

/* Carries out what its dispatcher has decided. Call after events. */
void pool_turn(struct pool *self, double now);

/* Time has passed. */
void pool_tick(struct pool *self, double now);

/* When pool_tick is next of use; negative: never. */
double pool_deadline(const struct pool *self);

/* True when it is closed, all outcomes are delivered and all workers are gone. */
bool pool_ended(const struct pool *self);

#endif
