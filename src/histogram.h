/* histogram.h - how long things took: counts in buckets that grow with the time, sixteen for each doubling, so that every
 * percentile is right to within a sixteenth, from a nanosecond to hours, for a few nanoseconds each. One owner, one thread at
 * a time.
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BITS = 4, HISTOGRAM_DOUBLINGS = 44 - HISTOGRAM_BITS, HISTOGRAM_BUCKETS = (HISTOGRAM_DOUBLINGS + 1) << HISTOGRAM_BITS };

/* Zeroed: empty. */
struct histogram {
    uint64_t count;
    double max; /* seconds */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

static inline void histogram_record(struct histogram *self, double seconds)
{
    double ns = seconds * 1e9;
    uint64_t v = ns > 0 ? ns < 0x1p44 ? (uint64_t)ns : (UINT64_C(1) << 44) - 1 : 0;
    int shift = v >> HISTOGRAM_BITS ? 63 - HISTOGRAM_BITS - __builtin_clzll(v) : 0;
    int row = v >> HISTOGRAM_BITS ? shift + 1 : 0;
    self->buckets[(row << HISTOGRAM_BITS) + (int)((v >> shift) & ((1 << HISTOGRAM_BITS) - 1))]++;
    self->count++;
    self->max = seconds > self->max ? seconds : self->max;
}

/* The time, in seconds, that so many of a hundred were not above; 0 when empty. */
double histogram_percentile(const struct histogram *self, double percent);

#endif
