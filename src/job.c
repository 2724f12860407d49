/* job.c - see job_record.h: the arithmetic of retries and turns.
 *
 * Turns are counted from the first and never added up, so that no error grows: turn n is due at start + n * every.
 */
#include "job_record.h"

#include <math.h>

void job_rare_init(struct job_rare *self, struct job *job, const struct job_spec *spec, double now)
{
    *self = (struct job_rare){
        .job = job,
        .retry = spec->retry,
        .wait = spec->retry.base,
        .timeout = spec->timeout,
        .every = spec->every > 0 ? spec->every : 0,
        .start = now + (spec->delay > 0 ? spec->delay : 0),
    };
    if (spec->retry.factor == 0)
        self->retry.factor = 1;
}

bool job_may_retry(const struct job *self)
{
    const struct job_rare *rare = self->rare;
    return rare && (rare->retry.retries < 0 || rare->attempts <= rare->retry.retries);
}

/* splitmix64: at least 0, less than 1 */
static double next_random(uint64_t *generator)
{
    uint64_t z = *generator += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

double job_next_wait(struct job *self, uint64_t *generator)
{
    struct job_rare *rare = self->rare;
    const struct job_retry *retry = &rare->retry;
    double wait = retry->max > 0 && rare->wait > retry->max ? retry->max : rare->wait;
    rare->wait = wait * retry->factor;
    if (wait <= 0)
        return 0;
    return retry->jitter > 0 ? wait * (1 - retry->jitter * next_random(generator)) : wait;
}

double job_next_turn(struct job *self, double now)
{
    struct job_rare *rare = self->rare;
    double soonest = floor((now - rare->start) / rare->every);
    if (rare->start + soonest * rare->every < now)
        soonest++;
    rare->turn = soonest > rare->turn + 1 ? soonest : rare->turn + 1;
    rare->attempts = 0;
    rare->wait = rare->retry.base;
    return rare->start + rare->turn * rare->every;
}

enum run_last job_last(const struct job *self)
{
    const struct job_rare *rare = self->rare;
    if (!rare)
        return RUN_LAST;
    if (job_repeats(self))
        return RUN_MORE;
    bool retried = rare->retry.retries < 0 || rare->attempts < rare->retry.retries;
    return retried ? RUN_LAST_IF_FINE : RUN_LAST;
}
