/* floor.h - what the floors in C share: they give up with a word, they have a clock, they print round trips. */
#ifndef FLOOR_H
#define FLOOR_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline void check(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "%s: %s (%s)\n", program_invocation_short_name, what, errno ? strerror(errno) : "no error number");
    exit(1);
}

static inline double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Room for the seconds of so many round trips. */
static inline double *new_trips(long count)
{
    double *trips = malloc((size_t)count * sizeof *trips);
    check(trips != NULL, "no memory");
    return trips;
}

static inline int compare_trips(const void *a, const void *b)
{
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

/* Prints p50 and p99, and frees them. */
static inline void print_trips(double *trips, long count)
{
    qsort(trips, (size_t)count, sizeof *trips, compare_trips);
    printf("%.9f %.9f", trips[count / 2], trips[count * 99 / 100]);
    free(trips);
}

#endif
