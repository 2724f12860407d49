/* check_stop.c - the program's switch: thrown once, seen by whoever asks or polls. Each test runs in a process of its own. */
#include "stop.h"
#include "suite.h"

#include <poll.h>
#include <stdlib.h>


static bool is_readable(int fd)
{
    struct pollfd item = {.fd = fd, .events = POLLIN};
    return poll(&item, 1, 0) == 1;
}

START_TEST(nothing_is_thrown_at_first)
{
    ck_assert(!stop_thrown());
    ck_assert(!is_readable(stop_descriptor()));
}
END_TEST

START_TEST(a_throw_makes_the_descriptor_readable_for_good)
{
    int fd = stop_descriptor();
    stop_throw();
    ck_assert(stop_thrown());
    ck_assert(is_readable(fd));
    stop_throw();
    ck_assert(is_readable(fd));
}
END_TEST

START_TEST(a_descriptor_made_after_the_throw_is_readable)
{
    stop_throw();
    ck_assert(is_readable(stop_descriptor()));
}
END_TEST

START_TEST(there_is_one_descriptor)
{
    int fd = stop_descriptor();
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(stop_descriptor(), fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stop");
    TCase *all = suite_case(suite, "all");
    tcase_add_test(all, nothing_is_thrown_at_first);
    tcase_add_test(all, a_throw_makes_the_descriptor_readable_for_good);
    tcase_add_test(all, a_descriptor_made_after_the_throw_is_readable);
    tcase_add_test(all, there_is_one_descriptor);
    return suite_run(suite);
}
