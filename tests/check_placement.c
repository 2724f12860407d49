/* check_placement.c - where light actors live: spread, beside their makers, in vms that are started once. */
#include "placement.h"
#include "suite.h"

#include <stdlib.h>
#include <string.h>

static struct placement places;

static void set_up(void)
{
    memset(&places, 0, sizeof places);
    pthread_mutex_init(&places.lock, NULL);
}

static void tear_down(void)
{
    pthread_mutex_destroy(&places.lock);
}

static uint64_t vm;
static int at;

static enum placement_answer choose(uint64_t own, uint64_t number, double now)
{
    struct placement_ask ask = {.places = 3, .own = own, .number = number, .now = now};
    return placement_choose(&places, &ask, &vm, &at);
}

/* All three are up, as vms 101 to 103, with so many actors each. */
static void fill(int each)
{
    struct placement_waiter *waiters;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(choose(7, 0, 1), PLACEMENT_START);
        ck_assert_int_eq(at, i);
        ck_assert(placement_up(&places, i, 101 + (uint64_t)i, &waiters));
        ck_assert_ptr_null(waiters);
    }
    for (int i = 3; i < 3 * each; i++)
        ck_assert_int_eq(choose(7, 0, 1), PLACEMENT_THERE);
}

START_TEST(each_goes_where_the_fewest_live)
{
    fill(10);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(places.places[i].count, 10);
    placement_left(&places, 102);
    placement_left(&places, 102);
    ck_assert_int_eq(choose(7, 0, 1), PLACEMENT_THERE);
    ck_assert_uint_eq(vm, 102);
    placement_left(&places, 999);
    placement_joined(&places, 999);
    placement_joined(&places, 102);
    ck_assert_uint_eq(places.places[1].count, 10);
}
END_TEST

START_TEST(one_that_is_up_is_chosen_before_one_that_would_be_started)
{
    struct placement_waiter *waiters;
    ck_assert_int_eq(choose(7, 0, 1), PLACEMENT_START);
    ck_assert_int_eq(choose(7, 0, 1), PLACEMENT_START);
    placement_failed(&places, 0, &waiters);
    ck_assert(placement_up(&places, 1, 102, &waiters));
    placement_left(&places, 102);
    ck_assert_int_eq(choose(7, 0, 1), PLACEMENT_THERE);
    ck_assert_uint_eq(vm, 102);
}
END_TEST

START_TEST(an_actors_actors_live_beside_it_until_there_are_clearly_more)
{
    fill(1);
    int beside = 0;
    while (choose(102, 0, 1) == PLACEMENT_THERE && vm == 102)
        beside++;
    ck_assert_int_ge(beside, 64);
    ck_assert_int_lt(beside, 80);
}
END_TEST

START_TEST(who_comes_while_a_vm_starts_waits_for_it)
{
    struct placement_waiter *waiters;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(choose(7, 0, 1), PLACEMENT_START);
    ck_assert_int_eq(choose(8, 0, 2), PLACEMENT_UNKNOWN);
    ck_assert_uint_eq(places.places[0].count, 1);
    ck_assert_int_eq(choose(8, 55, 2), PLACEMENT_WAIT);
    ck_assert_int_eq(at, 0);
    ck_assert(placement_up(&places, 0, 101, &waiters));
    ck_assert_uint_eq(waiters->vm, 8);
    ck_assert_uint_eq(waiters->number, 55);
    ck_assert_ptr_null(waiters->next);
    ck_assert_uint_eq(places.places[0].count, 2);
    placement_free_waiters(&waiters);
    ck_assert_ptr_null(waiters);
}
END_TEST

START_TEST(a_start_that_fails_or_is_not_heard_of_is_tried_again)
{
    struct placement_waiter *waiters;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(choose(7, 0, 1), PLACEMENT_START);
    ck_assert_int_eq(choose(8, 55, 2), PLACEMENT_WAIT);
    placement_failed(&places, 0, &waiters);
    ck_assert_uint_eq(waiters->number, 55);
    placement_free_waiters(&waiters);
    ck_assert_int_eq(choose(7, 0, 3), PLACEMENT_START);
    ck_assert_int_eq(at, 0);
    ck_assert_int_eq(choose(7, 0, 20), PLACEMENT_START);
    ck_assert(placement_up(&places, at, 101, &waiters));
    ck_assert(!placement_up(&places, at, 102, &waiters));
    ck_assert_ptr_null(waiters);
    placement_failed(&places, at, &waiters);
    ck_assert_uint_eq(places.places[at].vm, 101);
}
END_TEST

START_TEST(who_gives_up_is_counted_no_more)
{
    struct placement_waiter *waiters;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(choose(7, 0, 1), PLACEMENT_START);
    for (uint64_t number = 55; number < 58; number++)
        ck_assert_int_eq(choose(8, number, 2), PLACEMENT_WAIT);
    ck_assert_uint_eq(places.places[0].count, 2);
    ck_assert(!placement_withdraw(&places, 0, 9, 55));
    ck_assert(placement_withdraw(&places, 0, 8, 55));
    ck_assert(!placement_withdraw(&places, 0, 8, 55));
    ck_assert_uint_eq(places.places[0].count, 1);
    ck_assert(placement_up(&places, 0, 101, &waiters));
    ck_assert_ptr_null(waiters);
    ck_assert(placement_up(&places, 1, 102, &waiters));
    placement_free_waiters(&waiters);
    ck_assert(!placement_withdraw(&places, 1, 8, 56));
    ck_assert_uint_eq(places.places[1].count, 2);
    placement_failed(&places, 2, &waiters);
    placement_free_waiters(&waiters);
    ck_assert_uint_eq(places.places[2].count, 0);
}
END_TEST

START_TEST(of_two_that_start_a_vm_the_later_is_counted_no_more)
{
    struct placement_waiter *waiters;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(choose(7, 0, 1), PLACEMENT_START);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(choose(7, 0, 20), PLACEMENT_START);
    ck_assert_uint_eq(places.places[0].count, 2);
    ck_assert(placement_up(&places, 0, 101, &waiters));
    ck_assert(!placement_up(&places, 0, 102, &waiters));
    ck_assert(placement_withdraw(&places, 0, 7, 0));
    ck_assert_uint_eq(places.places[0].count, 1);
    ck_assert(placement_up(&places, 1, 103, &waiters));
    placement_failed(&places, 1, &waiters);
    ck_assert_ptr_null(waiters);
    ck_assert_uint_eq(places.places[1].vm, 103);
    ck_assert_uint_eq(places.places[1].count, 1);
}
END_TEST

START_TEST(the_place_of_a_vm_that_is_gone_is_free)
{
    fill(4);
    placement_closed(&places, 102);
    placement_closed(&places, 102);
    placement_left(&places, 102);
    ck_assert_int_eq(choose(101, 0, 5), PLACEMENT_THERE);
    ck_assert_uint_eq(vm, 101);
    ck_assert_int_eq(choose(7, 0, 5), PLACEMENT_START);
    ck_assert_int_eq(at, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("placement");
    TCase *cases = suite_case(suite, "rules");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, each_goes_where_the_fewest_live);
    tcase_add_test(cases, one_that_is_up_is_chosen_before_one_that_would_be_started);
    tcase_add_test(cases, an_actors_actors_live_beside_it_until_there_are_clearly_more);
    tcase_add_test(cases, who_comes_while_a_vm_starts_waits_for_it);
    tcase_add_test(cases, a_start_that_fails_or_is_not_heard_of_is_tried_again);
    tcase_add_test(cases, who_gives_up_is_counted_no_more);
    tcase_add_test(cases, of_two_that_start_a_vm_the_later_is_counted_no_more);
    tcase_add_test(cases, the_place_of_a_vm_that_is_gone_is_free);
    return suite_run(suite);
}
