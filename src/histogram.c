/* histogram.c - see histogram.h. Row 0 has one bucket for each of the first sixteen nanoseconds; row r has sixteen buckets of
 * 1 << (r - 1) nanoseconds each, from 16 << (r - 1) on.
 */
#include "histogram.h"

/* The middle of the bucket, in seconds. */
static double middle(int bucket)
{
    int row = bucket >> HISTOGRAM_BITS, column = bucket & ((1 << HISTOGRAM_BITS) - 1);
    if (row == 0)
        return column * 1e-9;
    double width = (double)(UINT64_C(1) << (row - 1));
    return (((1 << HISTOGRAM_BITS) + column) * width + (width - 1) / 2) * 1e-9;
}

double histogram_percentile(const struct histogram *self, double percent)
{
    double wanted = percent / 100 * (double)self->count;
    uint64_t seen = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS && self->count; i++) {
        seen += self->buckets[i];
        if (self->buckets[i] && (double)seen >= wanted)
            return middle(i) < self->max ? middle(i) : self->max;
    }
    return self->max;
}
