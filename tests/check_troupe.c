/* check_troupe.c - the public C API: every status has its own text, the version is the package's. */
#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "troupe.h"

START_TEST(every_status_has_a_text_of_its_own)
{
    for (int a = TROUPE_EREFUSED; a <= TROUPE_OK; a++) {
        ck_assert_str_ne(troupe_strerror(a), troupe_strerror(1));
        for (int b = TROUPE_EREFUSED; b < a; b++)
            ck_assert_str_ne(troupe_strerror(a), troupe_strerror(b));
    }
}
END_TEST

START_TEST(an_unknown_status_has_a_text_too)
{
    ck_assert_ptr_nonnull(troupe_strerror(1));
    ck_assert_ptr_nonnull(troupe_strerror(-1000));
}
END_TEST

START_TEST(the_version_is_that_of_the_package)
{
    ck_assert_str_eq(troupe_version(), PACKAGE_VERSION);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("troupe");
    TCase *tcase = suite_case(suite, "api");
    tcase_add_test(tcase, every_status_has_a_text_of_its_own);
    tcase_add_test(tcase, an_unknown_status_has_a_text_too);
    tcase_add_test(tcase, the_version_is_that_of_the_package);
    return suite_run(suite);
}
