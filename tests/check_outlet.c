/* check_outlet.c - the directory with a file a day: what is said is in the file of the day on which it was. */
#include "outlet.h"
#include "suite.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char directory[] = "/tmp/check_outlet.XXXXXX";
static struct outlet *self;

static void on_trouble(void *context, const char *text, bool is_over)
{
    (void)context;
    (void)is_over;
    ck_abort_msg("%s", text);
}

/* Clocks go forward on the last Sunday in March, back on that in October. */
static void set_up(void)
{
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    ck_assert_ptr_nonnull(mkdtemp(directory));
}

static void open_at(int64_t now)
{
    struct outlet_options options = {
        .descriptor = -1, .path = directory, .is_directory = true, .trouble = on_trouble};
    ck_assert_int_eq(outlet_open(&self, &options, (double)now), 0);
}

static const char *file_of(int64_t second)
{
    static char path[PATH_MAX];
    char day[16];
    time_t moment = (time_t)second;
    struct tm t;
    localtime_r(&moment, &t);
    strftime(day, sizeof day, "%Y-%m-%d", &t);
    snprintf(path, sizeof path, "%s/%s.log", directory, day);
    return path;
}

static int64_t midnight(int year, int month, int day)
{
    struct tm t = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_isdst = -1};
    return (int64_t)mktime(&t);
}

static void say_at(int64_t second)
{
    char line[32];
    int size = snprintf(line, sizeof line, "%" PRId64 "\n", second);
    outlet_put(self, line, (size_t)size, (double)second);
    ck_assert(outlet_flush(self, (double)second));
}

/* How many lines the file of that second's day has; those of other days are none of its. Then it is gone. */
static int take_lines(int64_t second)
{
    char path[PATH_MAX], line[32];
    int count = 0;
    snprintf(path, sizeof path, "%s", file_of(second));
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s is not there", path);
    for (; fgets(line, sizeof line, file); count++)
        ck_assert_str_eq(file_of(strtoll(line, NULL, 10)), path);
    fclose(file);
    unlink(path);
    return count;
}

static void expect_empty(void)
{
    ck_assert_int_eq(outlet_close(&self, 0), 0);
    ck_assert_int_eq(rmdir(directory), 0);
}

START_TEST(the_first_second_of_a_day_begins_its_file)
{
    int64_t day = midnight(2024, 3, 1); /* the one before is a leap day */
    open_at(day - 2);
    say_at(day - 2);
    say_at(day - 1);
    say_at(day);
    say_at(day + 1);
    ck_assert_int_eq(take_lines(day - 1), 2);
    ck_assert_int_eq(take_lines(day), 2);
    expect_empty();
}
END_TEST

static const struct { int year, month, day, hours; } days[] = {
    {2024, 3, 31, 23}, {2024, 10, 27, 25}, {2023, 12, 31, 24}, {2025, 2, 28, 24},
};

START_TEST(a_day_has_a_file_for_all_its_hours)
{
    int64_t begin = midnight(days[_i].year, days[_i].month, days[_i].day), end = begin + days[_i].hours * 3600;
    open_at(begin - 3600);
    for (int64_t second = begin - 3600; second <= end + 3600; second += 1800)
        say_at(second);
    ck_assert_int_eq(take_lines(begin - 1), 2);
    ck_assert_int_eq(take_lines(begin), 2 * days[_i].hours);
    ck_assert_int_eq(take_lines(end), 3);
    expect_empty();
}
END_TEST

START_TEST(days_on_which_nothing_is_said_have_no_file)
{
    int64_t day = midnight(2024, 5, 1);
    open_at(day);
    say_at(day);
    say_at(day + 10 * 86400);
    ck_assert_int_eq(take_lines(day), 1);
    ck_assert_int_eq(take_lines(day + 10 * 86400), 1);
    expect_empty();
}
END_TEST

START_TEST(a_file_that_is_there_is_written_on)
{
    int64_t day = midnight(2024, 5, 2);
    open_at(day - 1);
    say_at(day - 1);
    say_at(day);
    outlet_close(&self, (double)day);
    open_at(day + 1);
    say_at(day + 1);
    ck_assert_int_eq(take_lines(day - 1), 1);
    ck_assert_int_eq(take_lines(day), 2);
    expect_empty();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outlet");
    TCase *all = suite_case(suite, "days");
    tcase_add_checked_fixture(all, set_up, NULL);
    tcase_add_test(all, the_first_second_of_a_day_begins_its_file);
    tcase_add_loop_test(all, a_day_has_a_file_for_all_its_hours, 0, sizeof days / sizeof *days);
    tcase_add_test(all, days_on_which_nothing_is_said_have_no_file);
    tcase_add_test(all, a_file_that_is_there_is_written_on);
    return suite_run(suite);
}
