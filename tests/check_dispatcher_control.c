/* check_dispatcher_control.c - how runs are made to end (src/dispatcher_control.c), as scripts (dispatcher_script.h). */
#include <stdlib.h>

#include "dispatcher_script.h"
#include "suite.h"

/* Job 1 runs at w1. */
#define RUNNING "pool workers=1\nsubmit 1\n> start w1\nup w1\n> run w1 1\n"
/* Job 1 has a timeout of 3 s and two retries, and begins at 10. */
#define TIMED                                                                                            \
    "pool workers=1\nsubmit 1 timeout=3 retries=2\n> start w1\nup w1\n> run w1 1\nat 10; begun w1 1\n"
/* The presses between the first break, at that time, and the end of patience. */
#define PRESSES(s)                                                                                       \
    "tick " #s ".11\n> break w1 1\ntick " #s ".22\n> break w1 1\ntick " #s ".33\n> break w1 1\n"         \
    "tick " #s ".44\n> break w1 1\ntick " #s ".55\n> break w1 1\ntick " #s ".66\n> break w1 1\n"         \
    "tick " #s ".77\n> break w1 1\ntick " #s ".88\n> break w1 1\ntick " #s ".99\n> break w1 1\n"

/* A run that took no time, and the next. */
#define QUICK(id, next)                                                                                  \
    "submit " #next "; done w1 " #id " ok ran=0.000001\n> end " #id " finished result\n> run w1 " #next "\n"

RULE(stopping_a_job_that_waits_cancels_it,
     "pool workers=1\n"
     "submit 1 delay=5; submit 2; submit 3\n"
     "> start w1\n"
     "stop 1; stop 3\n"
     "> = ended\n"
     "> = ended\n"
     "> end 1 cancelled\n"
     "> end 3 cancelled\n"
     "stop 3; stop 9\n"
     "> = unknown\n"
     "> = unknown\n")

RULE(a_job_that_was_asked_to_end_and_returns_has_been_stopped,
     RUNNING
     "stop 1; state 1\n"
     "> = handed\n"
     "> = stopping\n"
     "done w1 1 ok\n"
     "> end 1 stopped result\n"
     "count stopped finished failed\n"
     "> = 1\n"
     "> = 0\n"
     "> = 0\n")

RULE(a_run_that_takes_too_much_processor_time_is_asked_to_end_broken_into_and_tried_again,
     "pool workers=1\n"
     "submit 1 retries=1\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "at 10; spent w1 1\n"
     "> halt w1 1\n"
     "at 10.5; spent w1 1\n"
     "tick 11.01\n"
     "> break w1 1\n"
     "done w1 1 killed\n"
     "> drop 1\n"
     "> run w1 1 attempt=2\n"
     "park w1 1; spent w1 1\n"
     "> halt w1 1\n"
     "done w1 1 ok\n"
     "> end 1 spent attempt=2 result\n"
     "count stopped failed\n"
     "> = 1\n"
     "> = 0\n")

RULE(processor_time_of_a_job_that_is_killed_or_elsewhere_means_nothing,
     RUNNING
     "spent w2 1; spent w1 9\n"
     "> = einval\n"
     "> = einval\n"
     "kill 1 grace=1; spent w1 1\n"
     "> = handed\n"
     "done w1 1 killed\n"
     "> end 1 killed result\n"
     "spent w1 1\n"
     "> = einval\n")

RULE(a_job_that_was_asked_to_end_and_raises_has_failed_and_is_not_tried_again,
     "pool workers=1\n"
     "submit 1 retries=-1\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "stop 1\n"
     "> = handed\n"
     "done w1 1 bad\n"
     "> end 1 failed result\n")

RULE(a_stopped_job_that_was_not_begun_is_cancelled,
     "pool workers=1\n"
     "submit 1; submit 2\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "stop 1\n"
     "> = handed\n"
     "withdraw 1\n"
     "> end 1 cancelled\n"
     "> run w1 2\n"
     "stop 2\n"
     "> = handed\n"
     "refuse w1 2\n"
     "> end 2 cancelled\n")

RULE(a_parked_job_is_stopped_too,
     RUNNING
     "park w1 1; stop 1; state 1\n"
     "> = handed\n"
     "> = stopping\n"
     "done w1 1 ok\n"
     "> end 1 stopped result\n")

RULE(a_stop_lasts_until_the_end_even_when_the_job_parks_later,
     RUNNING
     "stop 1; park w1 1; state 1\n"
     "> = handed\n"
     "> = stopping\n")

RULE(a_killed_job_is_broken_into_after_the_grace,
     RUNNING
     "at 10; kill 1 grace=2; deadline; state 1\n"
     "> = handed\n"
     "> = 12\n"
     "> = stopping\n"
     "tick 11.9\n"
     "tick 12\n"
     "> break w1 1\n"
     "done w1 1 killed\n"
     "> end 1 killed result\n"
     "deadline\n"
     "> = never\n")

RULE(a_killed_job_that_returns_within_the_grace_was_stopped,
     RUNNING
     "kill 1 grace=2; done w1 1 ok\n"
     "> = handed\n"
     "> end 1 stopped result\n"
     "tick 10\n")

RULE(no_grace_breaks_into_it_at_once,
     RUNNING
     "kill 1 grace=0\n"
     "> = handed\n"
     "> break w1 1\n")

RULE(the_shorter_of_two_graces_counts,
     RUNNING
     "kill 1 grace=5; deadline; kill 1 grace=2; deadline; kill 1 grace=9; deadline\n"
     "> = handed\n"
     "> = 5\n"
     "> = handed\n"
     "> = 2\n"
     "> = handed\n"
     "> = 2\n"
     "tick 2\n"
     "> break w1 1\n"
     "kill 1 grace=50; deadline\n" /* being broken into, it gets no grace again */
     "> = handed\n"
     "> = 2.1\n")

RULE(killing_a_job_that_waits_cancels_it,
     "pool workers=1\n"
     "submit 1; submit 2 delay=1\n"
     "> start w1\n"
     "kill 1 grace=0; kill 2; kill 3\n"
     "> = ended\n"
     "> = ended\n"
     "> = unknown\n"
     "> end 1 cancelled\n"
     "> end 2 cancelled\n")

RULE(a_job_that_does_not_end_is_given_up_with_its_worker,
     "pool workers=1 credit=1\n"
     "submit 1; submit 2\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "kill 1 grace=0\n"
     "> = handed\n"
     "> break w1 1\n"
     PRESSES(0)
     "tick 1.1\n"
     "> abandon w1 1\n"
     "down w1\n"
     "> end 1 killed\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 2\n"
     "done w1 1 killed\n"
     "> = einval\n")

RULE(an_abandoned_worker_takes_its_other_jobs_along,
     "pool workers=1 credit=4\n"
     "submit 1 ; submit 2; submit 3 retries=1\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "park w1 1\n"
     "> run w1 2\n"
     "park w1 2\n"
     "> run w1 3\n"
     "park w1 3; kill 2 grace=0\n"
     "> = handed\n"
     "> break w1 2\n"
     "down w1\n"
     "> end 1 lost\n"
     "> end 2 killed\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 3 attempt=2\n")

RULE(a_job_that_its_worker_is_not_stuck_in_is_given_up_alone,
     "pool workers=1 credit=4\n"
     "submit 1; submit 2\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "park w1 1\n"
     "> run w1 2\n"
     "kill 1 grace=0\n"
     "> = handed\n"
     "> break w1 1\n"
     PRESSES(0)
     "tick 1.1\n"
     "> abandon w1 1\n"
     "forsake 1\n"
     "> end 1 killed\n"
     "done w1 1 killed\n"
     "> = einval\n"
     "forsake 1\n"
     "> = einval\n"
     "done w1 2 ok\n"
     "> end 2 finished result\n")

RULE(a_timeout_counts_from_the_beginning_of_a_run,
     "pool workers=1\n"
     "submit 1 timeout=3\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "deadline\n"
     "> = never\n"
     "at 10; begun w1 1; deadline\n"
     "> = 13\n"
     "tick 12.9\n"
     "tick 13\n"
     "> halt w1 1\n"
     "state 1; deadline\n"
     "> = stopping\n"
     "> = 14\n"
     "tick 14\n"
     "> break w1 1\n"
     "done w1 1 killed\n"
     "> end 1 expired result\n")

RULE(a_timeout_goes_on_while_the_job_is_parked,
     "pool workers=1\n"
     "submit 1 timeout=3\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "at 10; begun w1 1; park w1 1; deadline\n"
     "> = 13\n"
     "tick 13\n"
     "> halt w1 1\n"
     "tick 14\n"
     "> break w1 1\n")

RULE(a_run_that_ends_in_time_has_no_timeout_any_more,
     "pool workers=1\n"
     "submit 1 timeout=3\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "at 10; begun w1 1; done w1 1 ok; deadline\n"
     "> = never\n"
     "> end 1 finished result\n"
     "tick 20\n")

RULE(a_run_that_was_over_its_time_has_failed_even_when_it_returns,
     TIMED
     "tick 13\n"
     "> halt w1 1\n"
     "done w1 1 ok\n"
     "> drop 1\n"
     "> run w1 1 attempt=2\n")

RULE(each_run_has_a_timeout_of_its_own,
     TIMED
     "tick 13\n"
     "> halt w1 1\n"
     "tick 14\n"
     "> break w1 1\n"
     "done w1 1 killed\n"
     "> drop 1\n"
     "> run w1 1 attempt=2\n"
     "state 1; deadline\n"
     "> = running\n"
     "> = never\n"
     "at 20; begun w1 1; deadline\n"
     "> = 23\n"
     "done w1 1 ok\n"
     "> end 1 finished attempt=2 result\n")

RULE(a_timed_out_job_whose_retries_are_used_up_has_expired,
     "pool workers=1\n"
     "submit 1 timeout=1 retries=1\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "begun w1 1\n"
     "tick 1\n"
     "> halt w1 1\n"
     "done w1 1 ok\n"
     "> drop 1\n"
     "> run w1 1 attempt=2\n"
     "begun w1 1\n"
     "tick 2\n"
     "> halt w1 1\n"
     "done w1 1 bad\n"
     "> end 1 expired attempt=2 result\n"
     "count stopped retried\n"
     "> = 1\n"
     "> = 1\n")

RULE(stopping_a_timed_out_job_keeps_it_from_being_tried_again,
     TIMED
     "tick 13\n"
     "> halt w1 1\n"
     "stop 1; done w1 1 bad\n"
     "> = handed\n"
     "> end 1 expired result\n")

RULE(a_kill_does_not_wait_for_the_timeout,
     TIMED
     "kill 1 grace=1; deadline\n"
     "> = handed\n"
     "> = 11\n"
     "tick 11\n"
     "> break w1 1\n"
     "done w1 1 killed\n"
     "> end 1 killed result\n")

RULE(a_timed_out_job_on_an_abandoned_worker_is_tried_again,
     TIMED
     "tick 13\n"
     "> halt w1 1\n"
     "down w1\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1 attempt=2\n")

RULE(beginning_is_for_a_job_in_that_workers_hand,
     "pool workers=2\n"
     "submit 1 timeout=1\n"
     "> start w1\n"
     "begun w1 1; begun w2 1; begun w1 2\n"
     "> = einval\n"
     "> = einval\n"
     "> = einval\n")

RULE(a_job_that_waits_for_its_owner_is_syncing_until_it_goes_on,
     RUNNING
     "sync 1; state 1; park w1 1; state 1; unsync 1; state 1; sync 1; stop 1; state 1\n"
     "> = syncing\n"
     "> = syncing\n"
     "> = running\n"
     "> = handed\n"
     "> = stopping\n"
     "down w1\n"
     "> end 1 lost\n"
     "sync 1; sync 9; state 1\n"
     "> = none\n")

RULE(syncing_ends_with_the_run,
     "pool workers=1\n"
     "submit 1 retries=1\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "sync 1; done w1 1 bad\n"
     "> drop 1\n"
     "> run w1 1 attempt=2\n"
     "state 1\n"
     "> = running\n")

RULE(a_worker_that_refused_gets_nothing_in_advance_until_it_reports,
     "pool workers=1 credit=2\n"
     "submit 20; up w1\n"
     "> = einval\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 20\n"
     QUICK(20, 21) QUICK(21, 22) QUICK(22, 23) QUICK(23, 24) QUICK(24, 25) QUICK(25, 26) QUICK(26, 3)
     "submit 4\n"
     "> run w1 4\n"
     "refuse w1 4\n"
     "submit 5\n"
     "done w1 3 ok ran=0.000001\n"
     "> end 3 finished result\n"
     "> run w1 4\n"
     "> run w1 5\n")

RULE(closing_soon_counts_as_asking_all_that_run,
     "pool workers=2 credit=1\n"
     "submit 1; submit 2; submit 3\n"
     "> start w1\n"
     "> start w2\n"
     "up w1; up w2\n"
     "> run w2 1\n"
     "> run w1 2\n"
     "park w2 1\n"
     "> run w2 3\n"
     "close soon; recalled w1; recalled w2; done w1 2 ok; done w2 1 ok; done w2 3 bad\n"
     "> end 2 stopped result\n"
     "> end 1 stopped result\n"
     "> end 3 failed result\n"
     "> stop w1\n"
     "> stop w2\n")

int main(void)
{
    Suite *suite = suite_create("dispatcher_control");
    TCase *cases = suite_case(suite, "rules");
    tcase_add_test(cases, stopping_a_job_that_waits_cancels_it);
    tcase_add_test(cases, a_job_that_was_asked_to_end_and_returns_has_been_stopped);
    tcase_add_test(cases, a_job_that_was_asked_to_end_and_raises_has_failed_and_is_not_tried_again);
    tcase_add_test(cases, a_run_that_takes_too_much_processor_time_is_asked_to_end_broken_into_and_tried_again);
    tcase_add_test(cases, processor_time_of_a_job_that_is_killed_or_elsewhere_means_nothing);
    tcase_add_test(cases, a_stopped_job_that_was_not_begun_is_cancelled);
    tcase_add_test(cases, a_parked_job_is_stopped_too);
    tcase_add_test(cases, a_stop_lasts_until_the_end_even_when_the_job_parks_later);
    tcase_add_test(cases, a_killed_job_is_broken_into_after_the_grace);
    tcase_add_test(cases, a_killed_job_that_returns_within_the_grace_was_stopped);
    tcase_add_test(cases, no_grace_breaks_into_it_at_once);
    tcase_add_test(cases, the_shorter_of_two_graces_counts);
    tcase_add_test(cases, killing_a_job_that_waits_cancels_it);
    tcase_add_test(cases, a_job_that_does_not_end_is_given_up_with_its_worker);
    tcase_add_test(cases, an_abandoned_worker_takes_its_other_jobs_along);
    tcase_add_test(cases, a_job_that_its_worker_is_not_stuck_in_is_given_up_alone);
    tcase_add_test(cases, a_timeout_counts_from_the_beginning_of_a_run);
    tcase_add_test(cases, a_timeout_goes_on_while_the_job_is_parked);
    tcase_add_test(cases, a_run_that_ends_in_time_has_no_timeout_any_more);
    tcase_add_test(cases, a_run_that_was_over_its_time_has_failed_even_when_it_returns);
    tcase_add_test(cases, each_run_has_a_timeout_of_its_own);
    tcase_add_test(cases, a_timed_out_job_whose_retries_are_used_up_has_expired);
    tcase_add_test(cases, stopping_a_timed_out_job_keeps_it_from_being_tried_again);
    tcase_add_test(cases, a_kill_does_not_wait_for_the_timeout);
    tcase_add_test(cases, a_timed_out_job_on_an_abandoned_worker_is_tried_again);
    tcase_add_test(cases, beginning_is_for_a_job_in_that_workers_hand);
    tcase_add_test(cases, a_job_that_waits_for_its_owner_is_syncing_until_it_goes_on);
    tcase_add_test(cases, syncing_ends_with_the_run);
    tcase_add_test(cases, a_worker_that_refused_gets_nothing_in_advance_until_it_reports);
    tcase_add_test(cases, closing_soon_counts_as_asking_all_that_run);
    return suite_run(suite);
}
