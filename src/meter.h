/* meter.h - how much processor time jobs take of a limit that each has: kept by the thread that runs them, read by another.
 *
 * Opened, switched and closed by the thread that runs the jobs; meter_look is for the other.
 */
#ifndef METER_H
#define METER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct meter {
    pthread_mutex_t lock;
    double limit;    /* seconds of processor time that each job may take; more than 0 */
    bool open;       /* under lock, like all below: it has a clock */
    clockid_t clock;
    uint64_t target; /* whose code runs; 0: none that has a limit */
    double zero;     /* what the clock would have said if that had run alone from its beginning */
    double least;    /* of the limits of those that wait, what is left of the smallest */
};

void meter_init(struct meter *self, double limit);
void meter_release(struct meter *self);

/* From now on it reads the calling thread's clock. */
void meter_open(struct meter *self);

/* The thread is about to end. */
void meter_close(struct meter *self);

/* The code of that target runs from now on, and has taken so many seconds before; target 0: code without a limit. */
void meter_switch(struct meter *self, uint64_t target, double taken);

/* The seconds that the code which runs has taken by now. */
double meter_taken(struct meter *self);

/* A job that has taken so many seconds waits. */
void meter_wait(struct meter *self, double taken);

/* No job waits. For the other thread too. */
void meter_forget(struct meter *self);

/* What is left of its limit to the code that runs, *target; when none does, of the smallest limit of those that wait, and
 * *target is 0. */
double meter_look(struct meter *self, uint64_t *target);

#endif
