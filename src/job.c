/* job.c - see job_record.h: the arithmetic of retries. */
#include "job_record.h"

void job_rare_init(struct job_rare *self, struct job *job, const struct job_retry *retry)
{
    self->due = (struct heap_node){0};
    self->job = job;
    self->retry = *retry;
    if (retry->factor == 0)
        self->retry.factor = 1;
    self->wait = retry->base;
    self->attempts = 0;
}

bool job_may_retry(const struct job *self)
{
    const struct job_rare *rare = self->rare;
    return rare && (rare->retry.retries < 0 || rare->attempts <= rare->retry.retries);
}

double job_next_wait(struct job *self)
{
    struct job_rare *rare = self->rare;
    const struct job_retry *retry = &rare->retry;
    double wait = retry->max > 0 && rare->wait > retry->max ? retry->max : rare->wait;
    rare->wait = wait * retry->factor;
    return wait > 0 ? wait : 0;
}
