/* calendar.h - the date and the time of day of a second since the epoch. Any thread, and in a forked child. */
#ifndef CALENDAR_H
#define CALENDAR_H

#include <stdint.h>

struct calendar_time {
    int64_t year;
    int month, day; /* both from 1 */
    int hour, minute, second;
};

void calendar_utc(int64_t second, struct calendar_time *out);
void calendar_local(int64_t second, struct calendar_time *out);

#endif
