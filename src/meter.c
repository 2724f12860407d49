/* meter.c - processor time of jobs: see meter.h.
 *
 *     closed --meter_open--> none runs <--meter_switch--> one runs --meter_close--> closed
 *
 * Invariants:
 *  1. while one runs, clock - zero is what it has taken, earlier stretches included;
 *  2. `least` is never more than what is left to any job that waits, or has not begun: who sleeps that long never looks too
 *     late. It may be less: jobs that have waited once are forgotten all together.
 */
#include "meter.h"

#include "clock.h"

void meter_init(struct meter *self, double limit)
{
    *self = (struct meter){ .limit = limit, .least = limit };
    pthread_mutex_init(&self->lock, NULL);
}

void meter_release(struct meter *self)
{
    pthread_mutex_destroy(&self->lock);
}

void meter_open(struct meter *self)
{
    pthread_mutex_lock(&self->lock);
    self->open = pthread_getcpuclockid(pthread_self(), &self->clock) == 0;
    pthread_mutex_unlock(&self->lock);
}

void meter_close(struct meter *self)
{
    pthread_mutex_lock(&self->lock);
    self->open = false;
    self->target = 0;
    pthread_mutex_unlock(&self->lock);
}

/* Under the lock. */
static double taken(const struct meter *self)
{
    return self->open ? clock_processor(self->clock) - self->zero : 0;
}

void meter_switch(struct meter *self, uint64_t target, double before)
{
    pthread_mutex_lock(&self->lock);
    self->target = target;
    self->zero = 0;
    self->zero = taken(self) - before;
    pthread_mutex_unlock(&self->lock);
}

double meter_taken(struct meter *self)
{
    pthread_mutex_lock(&self->lock);
    double seconds = taken(self);
    pthread_mutex_unlock(&self->lock);
    return seconds;
}

void meter_wait(struct meter *self, double before)
{
    pthread_mutex_lock(&self->lock);
    if (self->limit - before < self->least)
        self->least = self->limit - before;
    pthread_mutex_unlock(&self->lock);
}

void meter_forget(struct meter *self)
{
    pthread_mutex_lock(&self->lock);
    self->least = self->limit;
    pthread_mutex_unlock(&self->lock);
}

double meter_look(struct meter *self, uint64_t *target)
{
    pthread_mutex_lock(&self->lock);
    double left = self->target ? self->limit - taken(self) : self->least;
    *target = self->target;
    pthread_mutex_unlock(&self->lock);
    return left;
}
