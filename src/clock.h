/* clock.h - the time, in seconds. Read only by the loops and by measurements; all others are given `now`. */
#ifndef CLOCK_H
#define CLOCK_H

/* Monotonic seconds since some fixed moment. */
double clock_now(void);

/* Wall-clock seconds since the epoch. */
double clock_wall(void);

#endif
