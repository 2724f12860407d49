/* suite.h - a program that runs one suite of tests, each in a process of its own. */
#ifndef SUITE_H
#define SUITE_H

#include <stdlib.h>

#include <check.h>

/* Where thousands are checked: Check writes each assertion of its own into a file, which costs more than all the rest. */
#define assert_cheaply(condition) ((condition) ? (void)0 : ck_abort_msg("%s", #condition))

/* How many times slower than a plain build this one runs: what is repeated for good measure may be divided by it. */
static inline int suite_slowdown(void)
{
    const char *slowdown = getenv("TEST_SLOWDOWN");
    int times = slowdown ? atoi(slowdown) : 1;
    return times > 1 ? times : 1;
}

/* More of the suite's tests, with a deadline that only a hang can miss. */
static inline TCase *suite_case(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);
    tcase_set_timeout(tests, 300);
    suite_add_tcase(suite, tests);
    return tests;
}

/* What main returns. */
static inline int suite_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
