/* clock.h - the time, in seconds. Read only by the loops and by measurements; all others are given `now`. */
#ifndef CLOCK_H
#define CLOCK_H

#include <time.h>

/* Monotonic seconds since some fixed moment. */
double clock_now(void);

/* Wall-clock seconds since the epoch. */
double clock_wall(void);

/* Seconds of processor time by that clock, a thread's or the process's; 0 when there is no such thread any more. */
double clock_processor(clockid_t id);

#endif
