/* calendar.c - dates without the C library's lock.
 *
 * localtime_r and its kin hold one lock of the whole process. A fork while some thread holds it leaves it locked in the
 * child for good, and the log speaks in forked children too. So
 *
 *  1. dates are reckoned here; the C library is asked only how far local time is from UTC, once a quarter of an hour, since
 *     no zone changes its mind between two quarters;
 *  2. nobody forks while it is asked: `lock` is held across a fork;
 *  3. others' threads may ask at any time: a child forked from a program with threads keeps what its parent knew last. Only
 *     if that is nothing it asks itself.
 */
#include "calendar.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/single_threaded.h>
#include <time.h>

enum { QUARTER = 15 * 60, DAY = 24 * 60 * 60 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Under `lock`. */
static bool is_known, is_kept;
static int64_t known_quarter, offset; /* seconds that local time is ahead of UTC in that quarter of an hour */

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void after_fork_in_parent(void)
{
    pthread_mutex_unlock(&lock);
}

static void after_fork_in_child(void)
{
    is_kept = is_known && !__libc_single_threaded;
    after_fork_in_parent();
}

/* As the library is loaded: a fork may come at any time after that. */
__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* The quotient rounded down. */
static int64_t floor_div(int64_t n, int64_t d)
{
    return n / d - (n % d < 0);
}

static int64_t local_offset(int64_t second)
{
    int64_t quarter = floor_div(second, QUARTER), found;
    pthread_mutex_lock(&lock);
    if (!is_known || (quarter != known_quarter && !is_kept)) {
        struct tm t;
        time_t moment = (time_t)second;
        offset = localtime_r(&moment, &t) ? t.tm_gmtoff : 0;
        known_quarter = quarter;
        is_known = true;
    }
    found = offset;
    pthread_mutex_unlock(&lock);
    return found;
}

/* Years are counted from March here, so that the day a leap year adds is its last: then the months before any month have
 * the same days every year, and 400 years have the same days always. */
void calendar_utc(int64_t second, struct calendar_time *out)
{
    enum { DAYS_BEFORE_1970 = 719468, DAYS_OF_400_YEARS = 146097, DAYS_OF_100_YEARS = 36524, DAYS_OF_4_YEARS = 1461 };
    int64_t days = floor_div(second, DAY), of_day = second - days * DAY;
    int64_t cycle = floor_div(days + DAYS_BEFORE_1970, DAYS_OF_400_YEARS);
    int64_t day = days + DAYS_BEFORE_1970 - cycle * DAYS_OF_400_YEARS;
    int64_t year = (day - day / (DAYS_OF_4_YEARS - 1) + day / DAYS_OF_100_YEARS - day / (DAYS_OF_400_YEARS - 1)) / 365;
    day -= 365 * year + year / 4 - year / 100;
    int64_t month = (5 * day + 2) / 153; /* from March; five months in a row have 153 days */
    out->day = (int)(day - (153 * month + 2) / 5) + 1;
    out->month = (int)(month < 10 ? month + 3 : month - 9);
    out->year = year + 400 * cycle + (out->month <= 2);
    out->hour = (int)(of_day / 3600);
    out->minute = (int)(of_day / 60 % 60);
    out->second = (int)(of_day % 60);
}

void calendar_local(int64_t second, struct calendar_time *out)
{
    calendar_utc(second + local_offset(second), out);
}
