/* check_histogram.c - percentiles against exact ones. */
#include <math.h>
#include <stdlib.h>

#include "histogram.h"
#include "suite.h"

enum { COUNT = 20000 };

static uint64_t state;

static double chance(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(state >> 11) * 0x1p-53;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double constant(void) { return 0.000123; }
static double uniform(void) { return chance() * 0.01; }
static double over_decades(void) { return pow(10, chance() * 12 - 9); }
static double mostly_short(void) { return chance() < 0.95 ? chance() * 2e-6 : chance() * 3; }
static double tiny(void) { return floor(chance() * 20) * 1e-9; }

static double (*const sources[])(void) = {constant, uniform, over_decades, mostly_short, tiny};

START_TEST(percentiles_are_within_a_sixteenth_of_exact_ones)
{
    static double exact[COUNT];
    static const double percents[] = {0.01, 1, 10, 50, 90, 99, 99.9, 100};
    struct histogram h = {0};
    state = 42;
    for (int i = 0; i < COUNT; i++) {
        exact[i] = sources[_i]();
        histogram_record(&h, exact[i]);
    }
    qsort(exact, COUNT, sizeof *exact, ascending);
    for (size_t i = 0; i < sizeof percents / sizeof *percents; i++) {
        double is = exact[(int)ceil(percents[i] / 100 * COUNT) - 1];
        double got = histogram_percentile(&h, percents[i]);
        ck_assert_msg(fabs(got - is) <= is / 16 + 1.5e-9, "p%g: got %g, exactly %g", percents[i], got, is);
    }
    ck_assert_double_eq(h.max, exact[COUNT - 1]);
    ck_assert_uint_eq(h.count, COUNT);
}
END_TEST

START_TEST(odd_times_do_no_harm)
{
    struct histogram h = {0};
    ck_assert_double_eq(histogram_percentile(&h, 50), 0);
    histogram_record(&h, -1);
    histogram_record(&h, NAN);
    ck_assert_double_eq(histogram_percentile(&h, 99), 0);
    histogram_record(&h, INFINITY);
    histogram_record(&h, 1e9);
    ck_assert_uint_eq(h.count, 4);
    ck_assert_double_ge(histogram_percentile(&h, 100), 0x1p43 * 1e-9);
}
END_TEST

START_TEST(every_power_of_two_is_in_a_bucket_of_its_size)
{
    for (int e = 0; e < 44; e++) {
        for (int d = -1; d <= 1; d++) {
            struct histogram h = {0};
            double ns = ldexp(1, e) + d;
            histogram_record(&h, ns * 1e-9);
            h.max = INFINITY;
            ck_assert_double_le(fabs(histogram_percentile(&h, 50) * 1e9 - ns), ns / 16 + 1.5);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("histogram");
    TCase *cases = suite_case(suite, "histogram");
    tcase_add_loop_test(cases, percentiles_are_within_a_sixteenth_of_exact_ones, 0, sizeof sources / sizeof *sources);
    tcase_add_test(cases, odd_times_do_no_harm);
    tcase_add_test(cases, every_power_of_two_is_in_a_bucket_of_its_size);
    return suite_run(suite);
}
