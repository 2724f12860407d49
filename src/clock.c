/* clock.c - the one room with a window to the clock. */
#include "clock.h"

#include <time.h>

static double read_clock(clockid_t id)
{
    struct timespec t = { 0 };
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double clock_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double clock_wall(void)
{
    return read_clock(CLOCK_REALTIME);
}

double clock_processor(clockid_t id)
{
    return read_clock(id);
}
