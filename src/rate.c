/* rate.c - see rate.h.
 *
 * A start is allowed when the one `jobs` before it is at least `per` seconds ago: so no window of that length holds more
 * than `jobs`, wherever it begins.
 */
#include "rate.h"

#include <stdlib.h>

#include "troupe.h"

int rate_init(struct rate *self, int jobs, double per)
{
    *self = (struct rate){0};
    if (jobs == 0)
        return 0;
    if (jobs < 0 || !(per > 0) || !isfinite(per))
        return TROUPE_EINVAL;
    self->starts = malloc((size_t)jobs * sizeof *self->starts);
    if (!self->starts)
        return TROUPE_ENOMEM;
    self->jobs = (size_t)jobs;
    self->per = per;
    for (int i = 0; i < jobs; i++)
        self->starts[i] = -INFINITY;
    return 0;
}

void rate_release(struct rate *self)
{
    free(self->starts);
    *self = (struct rate){0};
}
