/* latch.c - a gate over a futex.
 *
 *  1. the word leaves LATCH_OPEN only by latch_close;
 *  2. who sleeps has put the word at LATCH_SLEEPERS before, so an opener that finds LATCH_CLOSED wakes nobody
 *     and pays no system call.
 */
#include "latch.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "troupe.h"

/* Together about as long as one sleep and wake-up. Yielding lets the opener run where it shares our core. */
enum { SPIN_YIELDS = 40, SPIN_LOOKS = 32 };

static const double LONGEST_WAIT = 1e9; /* seconds; more is for ever, and would not fit a timespec anyway */

static inline void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static bool spin(struct latch *self)
{
    for (int i = 0; i < SPIN_YIELDS; i++) {
        for (int k = 0; k < SPIN_LOOKS; k++) {
            if (latch_is_open(self))
                return true;
            pause_briefly();
        }
        sched_yield();
    }
    return false;
}

void latch_open(struct latch *self)
{
    if (atomic_exchange_explicit(&self->word, LATCH_OPEN, memory_order_acq_rel) == LATCH_SLEEPERS)
        syscall(SYS_futex, &self->word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static int sleep_at(struct latch *self, const struct timespec *until)
{
    uint32_t closed = LATCH_CLOSED;
    if (!atomic_compare_exchange_strong_explicit(&self->word, &closed, LATCH_SLEEPERS, memory_order_acq_rel,
                                                 memory_order_acquire)
        && closed == LATCH_OPEN)
        return 0;
    long rc = syscall(SYS_futex, &self->word, FUTEX_WAIT_BITSET_PRIVATE, LATCH_SLEEPERS, until, NULL,
                      FUTEX_BITSET_MATCH_ANY);
    return rc == 0 ? 0 : errno;
}

int latch_wait(struct latch *self, double timeout)
{
    struct timespec until;
    const struct timespec *deadline = NULL;
    if (timeout >= 0 && timeout <= LONGEST_WAIT) {
        double end = clock_now() + timeout;
        until.tv_sec = (time_t)end;
        until.tv_nsec = (long)((end - (double)until.tv_sec) * 1e9);
        deadline = &until;
    }
    if (latch_is_open(self))
        return 0;
    if (timeout == 0)
        return TROUPE_ETIMEDOUT;
    if (spin(self))
        return 0;
    for (;;) {
        int rc = sleep_at(self, deadline);
        if (latch_is_open(self))
            return 0;
        if (rc == ETIMEDOUT)
            return TROUPE_ETIMEDOUT;
        if (rc == EINTR)
            return TROUPE_EINTR;
    }
}
