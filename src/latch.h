/* latch.h - a gate that one thread opens and others wait at: awake for about as long as a wake-up costs,
 * then asleep. */
#ifndef LATCH_H
#define LATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct latch {
    _Atomic uint32_t word; /* LATCH_* */
};

enum { LATCH_CLOSED, LATCH_OPEN, LATCH_SLEEPERS /* closed, and someone must be woken */ };

/* Closes it: before first use, or again once nobody waits. */
static inline void latch_close(struct latch *self)
{
    atomic_store_explicit(&self->word, LATCH_CLOSED, memory_order_relaxed);
}

/* What the opener did before is visible to who sees it open. */
static inline bool latch_is_open(struct latch *self)
{
    return atomic_load_explicit(&self->word, memory_order_acquire) == LATCH_OPEN;
}

/* Opens it. Those who waited may free it at once: the memory must outlive this call by other means. */
void latch_open(struct latch *self);

/* Waits until it is open, at most so many seconds (negative: for ever). 0, TROUPE_ETIMEDOUT, or
 * TROUPE_EINTR when a signal handler ran first. */
int latch_wait(struct latch *self, double timeout);

#endif
