/* rate.h - a strict bound on how often something starts: never more than so many times within any span of so many seconds.
 * One owner, one thread at a time.
 */
#ifndef RATE_H
#define RATE_H

#include <math.h>
#include <stddef.h>

struct rate {
    double *starts; /* the latest, a ring */
    size_t jobs;    /* as many as it holds; 0: no bound */
    size_t next;    /* the oldest */
    double per;     /* seconds */
};

/* No bound for 0 jobs. 0; TROUPE_EINVAL, TROUPE_ENOMEM: owns nothing. */
int rate_init(struct rate *self, int jobs, double per);
void rate_release(struct rate *self);

/* From when on so many (from 1 to `jobs`) may start at once. */
static inline double rate_free_at(const struct rate *self, size_t count)
{
    return self->jobs ? self->starts[(self->next + count - 1) % self->jobs] + self->per : -INFINITY;
}

/* One starts now. */
static inline void rate_note(struct rate *self, double now)
{
    if (!self->jobs)
        return;
    self->starts[self->next] = now;
    self->next = self->next + 1 < self->jobs ? self->next + 1 : 0;
}

#endif
