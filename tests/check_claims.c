/* check_claims.c - who sees to a cleanup: the first to claim it, whoever else asks. */
#include "claims.h"
#include "suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>


START_TEST(a_run_is_claimed_once)
{
    struct claims *claims = claims_new();
    ck_assert(claims_take(claims, 7, 1));
    ck_assert(!claims_take(claims, 7, 1));
    ck_assert(claims_take(claims, 7, 2));
    ck_assert(claims_take(claims, 8, 1));
    claims_release(&claims);
    ck_assert_ptr_null(claims);
    claims_release(&claims);
}
END_TEST

START_TEST(the_node_learns_once_that_the_worker_has_claimed_it)
{
    struct claims *claims = claims_new();
    ck_assert(!claims_settle(claims, 7, 1, false));
    for (uint64_t job = 1; job <= 100; job++)
        ck_assert(claims_take(claims, job, 1));
    for (uint64_t job = 1; job <= 100; job++) {
        ck_assert(claims_settle(claims, job, 1, job % 2));
        ck_assert(!claims_settle(claims, job, 1, false));
    }
    claims_release(&claims);
}
END_TEST

START_TEST(what_the_node_has_claimed_is_not_the_workers_any_more)
{
    struct claims *claims = claims_new();
    ck_assert(!claims_settle(claims, 7, 1, true));
    ck_assert(!claims_take(claims, 7, 1));
    ck_assert(!claims_settle(claims, 7, 1, true));
    ck_assert(claims_take(claims, 7, 2));
    claims_release(&claims);
}
END_TEST

START_TEST(the_last_holder_frees_it)
{
    struct claims *claims = claims_new(), *second = claims_hold(claims);
    claims_release(&claims);
    ck_assert(claims_take(second, 1, 1));
    claims_release(&second);
}
END_TEST

enum { JOBS = 2000 };

static atomic_int won[JOBS + 1]; /* by job: how often */

static void *take_all(void *claims)
{
    for (uint64_t job = JOBS; job > 0; job--)
        won[job] += claims_take(claims, job, 1);
    return NULL;
}

START_TEST(of_a_worker_and_the_node_one_gets_each)
{
    struct claims *claims = claims_new();
    pthread_t worker;
    int nodes = 0, workers = 0;
    ck_assert_int_eq(pthread_create(&worker, NULL, take_all, claims), 0);
    for (uint64_t job = 1; job <= JOBS; job++)
        nodes += !claims_settle(claims, job, 1, true);
    pthread_join(worker, NULL);
    for (uint64_t job = 1; job <= JOBS; job++)
        workers += won[job];
    ck_assert_int_eq(nodes + workers, JOBS);
    claims_release(&claims);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("claims");
    TCase *cases = suite_case(suite, "rules");
    tcase_add_test(cases, a_run_is_claimed_once);
    tcase_add_test(cases, the_node_learns_once_that_the_worker_has_claimed_it);
    tcase_add_test(cases, what_the_node_has_claimed_is_not_the_workers_any_more);
    tcase_add_test(cases, the_last_holder_frees_it);
    tcase_add_test(cases, of_a_worker_and_the_node_one_gets_each);
    return suite_run(suite);
}
