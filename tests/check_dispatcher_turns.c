/* check_dispatcher_turns.c - the dispatcher's rules for jobs that run more than once and for workers that are replaced, as
 * scripts (dispatcher_script.h). */
#include <stdlib.h>

#include "dispatcher_script.h"
#include "suite.h"

#define WORKER "submit 90\n> start w1\nup w1\n> run w1 90\ndone w1 90 ok ran=0.000001\n> end 90 finished result\n"

/* ---- turns */

RULE(a_repeating_job_reports_each_turn_and_goes_on,
     "pool workers=1\n"
     "submit 1 every=5\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "at 1; done w1 1 ok\n"
     "> report 1 finished result\n"
     "state 1; deadline\n"
     "> = delayed\n"
     "> = 5\n"
     "tick 5\n"
     "> run w1 1\n"
     "at 5.5; done w1 1 bad\n"
     "> report 1 failed result\n"
     "count finished failed scheduled delayed\n"
     "> = 1\n"
     "> = 1\n"
     "> = 1\n"
     "> = 0\n"
     "tick 10\n"
     "> run w1 1\n")

RULE(turns_do_not_drift,
     "pool workers=1\n" WORKER
     "at 1; submit 1 delay=1 every=0.1\n"
     "tick 2.05\n" /* late */
     "> run w1 1\n"
     "done w1 1 ok\n"
     "> report 1 finished result\n"
     "deadline\n"
     "> = 2.1\n"
     "tick 2.199; done w1 1 ok\n"
     "> = einval\n"
     "> run w1 1\n"
     "done w1 1 ok\n"
     "> report 1 finished result\n"
     "deadline\n"
     "> = 2.2\n")

RULE(a_turn_that_comes_while_the_last_still_runs_is_missed,
     "pool workers=2\n" WORKER
     "submit 1 every=1\n"
     "> run w1 1\n"
     "tick 1; tick 2; tick 3.5\n"
     "done w1 1 ok\n"
     "> report 1 finished result\n"
     "deadline\n"
     "> = 4\n"
     "tick 4\n"
     "> run w1 1\n"
     "at 5; done w1 1 ok\n" /* ended at its very moment: not missed */
     "> report 1 finished result\n"
     "tick 5\n"
     "> run w1 1\n")

RULE(a_turn_is_tried_again_before_it_is_reported,
     "pool workers=1\n" WORKER
     "submit 1 every=10 retries=1 base=2\n"
     "> run w1 1\n"
     "at 1; done w1 1 bad\n"
     "> drop 1\n"
     "count delayed scheduled\n"
     "> = 1\n"
     "> = 0\n"
     "tick 3\n"
     "> run w1 1 attempt=2\n"
     "done w1 1 bad\n"
     "> report 1 failed attempt=2 result\n"
     "tick 10\n"
     "> run w1 1\n" /* the next turn has all its retries */
     "done w1 1 bad\n"
     "> drop 1\n"
     "tick 12\n"
     "> run w1 1 attempt=2\n"
     "done w1 1 ok\n"
     "> report 1 finished attempt=2 result\n")

RULE(a_cancelled_repeating_job_has_no_further_turn,
     "pool workers=1\n" WORKER
     "submit 1 every=5; submit 2 every=5 delay=5\n"
     "> run w1 1\n"
     "cancel 2\n"
     "> = ended\n"
     "> end 2 cancelled\n"
     "cancel 1\n"
     "> = handed\n"
     "done w1 1 ok\n"
     "> end 1 finished result\n"
     "count scheduled\n"
     "> = 0\n")

RULE(a_report_leaves_before_the_end_of_its_job,
     "pool workers=1\n" WORKER
     "submit 1 every=5\n"
     "> run w1 1\n"
     "done w1 1 ok; cancel 1\n"
     "> = ended\n"
     "> report 1 finished result\n"
     "> end 1 cancelled\n")

RULE(a_lost_worker_ends_a_turn_only,
     "pool workers=1\n" WORKER
     "submit 1 every=5\n"
     "> run w1 1\n"
     "at 1; down w1\n"
     "> report 1 lost\n"
     "tick 5\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n")

RULE(when_no_worker_comes_up_a_turn_fails_and_the_next_is_tried,
     "pool workers=1\n"
     "submit 1 every=5; submit 2\n"
     "> start w1\n"
     "at 1; down w1 failed\n"
     "> report 1 failed\n"
     "> end 2 failed\n"
     "tick 5\n"
     "> start w1\n")

RULE(cancel_pending_spares_what_is_scheduled_and_skips_a_turn,
     "pool workers=1\n" WORKER
     "submit 1; submit 2 every=5; submit 3; submit 4 delay=2; submit 5 delay=2 scheduled\n"
     "> run w1 1\n"
     "count delayed scheduled\n"
     "> = 1\n"
     "> = 1\n"
     "at 1; cancel-pending\n"
     "> end 3 cancelled\n"
     "count pending delayed scheduled\n"
     "> = 0\n"
     "> = 1\n"
     "> = 2\n"
     "deadline\n"
     "> = 2\n"
     "cancel-pending delayed\n"
     "> end 4 cancelled\n"
     "> end 5 cancelled\n"
     "> end 2 cancelled\n"
     "count scheduled delayed\n"
     "> = 0\n"
     "> = 0\n")

RULE(closing_ends_repeating_jobs,
     "pool workers=1\n" WORKER
     "submit 1 every=5; submit 2 every=1; submit 3 every=9 delay=9; submit 4\n"
     "> run w1 1\n"
     "close\n"
     "> end 3 cancelled\n"
     "> end 2 cancelled\n"
     "done w1 1 ok\n"
     "> end 1 finished result\n"
     "> run w1 4\n"
     "done w1 4 ok\n"
     "> end 4 finished result\n"
     "> stop w1\n"
     "down w1\n"
     "> drained\n")

RULE(a_repeating_job_given_back_to_a_closing_pool_ends,
     "pool workers=2\n" WORKER
     "submit 1; submit 2 every=5\n"
     "> run w1 1\n"
     "> start w2\n"
     "up w2\n"
     "> run w2 2\n"
     "close\n"
     "return w2 2\n"
     "> end 2 cancelled\n"
     "> stop w2\n")

/* ---- asking */

RULE(the_owner_decides_whether_a_job_runs_again,
     "pool workers=1\n" WORKER
     "submit 1 retries=5 base=2 asks; submit 2 retries=5 asks\n"
     "> run w1 1\n"
     "done w1 1 bad\n"
     "> ask 1 failed result\n"
     "> run w1 2\n"
     "state 1; count asked delayed pending\n"
     "> = asked\n"
     "> = 1\n"
     "> = 0\n"
     "> = 0\n"
     "at 1; done w1 2 bad\n"
     "> ask 2 failed result\n"
     "decide 1 yes\n"
     "> drop 1\n"
     "decide 1 yes\n"
     "> = einval\n"
     "decide 2 no\n"
     "> end 2 failed result\n"
     "deadline\n"
     "> = 3\n"
     "tick 3\n"
     "> run w1 1 attempt=2\n"
     "done w1 1 ok\n"
     "> end 1 finished attempt=2 result\n"
     "count asked retried\n"
     "> = 0\n"
     "> = 1\n")

RULE(nobody_is_asked_when_no_retry_is_left,
     "pool workers=1\n" WORKER
     "submit 1 retries=1 asks\n"
     "> run w1 1\n"
     "done w1 1 bad\n"
     "> ask 1 failed result\n"
     "decide 1 yes\n"
     "> drop 1\n"
     "> run w1 1 attempt=2\n"
     "done w1 1 bad\n"
     "> end 1 failed attempt=2 result\n")

RULE(the_owner_is_asked_about_a_lost_run,
     "pool workers=1\n" WORKER
     "submit 1 retries=1 asks\n"
     "> run w1 1\n"
     "down w1\n"
     "> ask 1 lost\n"
     "decide 1 no\n"
     "> end 1 lost\n")

RULE(a_job_cancelled_while_its_owner_is_asked_ends_as_its_run_did,
     "pool workers=1\n" WORKER
     "submit 1 retries=5 asks\n"
     "> run w1 1\n"
     "done w1 1 bad\n"
     "> ask 1 failed result\n"
     "cancel 1\n"
     "> = handed\n"
     "> end 1 failed result\n"
     "decide 1 yes\n"
     "> = einval\n")

RULE(no_answer_is_taken_before_the_question,
     "pool workers=1\n" WORKER
     "submit 1 retries=5 asks\n"
     "> run w1 1\n"
     "done w1 1 bad; decide 1 yes\n"
     "> = einval\n"
     "> ask 1 failed result\n")

RULE(closing_waits_for_an_answer_and_closing_soon_does_not,
     "pool workers=1\n" WORKER
     "submit 1 retries=5 asks; submit 2 retries=5 asks\n"
     "> run w1 1\n"
     "done w1 1 bad\n"
     "> ask 1 failed result\n"
     "> run w1 2\n"
     "done w1 2 bad\n"
     "> ask 2 failed result\n"
     "close\n"
     "decide 1 yes\n"
     "> drop 1\n"
     "> run w1 1 attempt=2\n"
     "close soon\n"
     "> end 2 failed result\n"
     "> recall w1\n"
     "done w1 1 bad\n"
     "> end 1 failed attempt=2 result\n"
     "recalled w1\n"
     "> stop w1\n")

RULE(a_repeating_job_goes_on_when_its_owner_wants_no_retry,
     "pool workers=1\n" WORKER
     "submit 1 every=5 retries=3 asks\n"
     "> run w1 1\n"
     "done w1 1 bad\n"
     "> ask 1 failed result\n"
     "tick 5\n"
     "decide 1 no\n"
     "> report 1 failed result\n"
     "deadline\n"
     "> = 5\n"
     "tick 5\n"
     "> run w1 1\n")

/* ---- chance */

START_TEST(jitter_shortens_each_wait_by_its_share_at_most)
{
    const char *complaint = dispatcher_script_run(
        "pool workers=1 seed=7\n" WORKER
        "submit 1 retries=1 base=8 jitter=0.5\n"
        "> run w1 1\n"
        "done w1 1 bad\n"
        "> drop 1\n"
        "tick 4\n" /* never before half of it */
        "state 1\n"
        "> = delayed\n"
        "tick 8\n"
        "> run w1 1 attempt=2\n");
    ck_assert_msg(!complaint, "%s", complaint);
}
END_TEST

RULE(jitter_differs_from_job_to_job_and_follows_the_seed,
     "pool workers=1 seed=7\n" WORKER
     "submit 1 retries=1 base=8 jitter=1\n"
     "> run w1 1\n"
     "done w1 1 bad\n"
     "> drop 1\n"
     "deadline\n"
     "> = 4.88136\n"
     "cancel 1; submit 2 retries=1 base=8 jitter=1\n"
     "> = ended\n"
     "> end 1 cancelled attempt=1\n"
     "> run w1 2\n"
     "done w1 2 bad\n"
     "> drop 2\n"
     "deadline\n"
     "> = 7.86569\n")

/* ---- workers that are replaced */

RULE(a_worker_that_ran_its_jobs_is_replaced,
     "pool workers=1 max_jobs=2\n"
     "submit 1; submit 2; submit 3\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "done w1 1 ok\n"
     "> end 1 finished result\n"
     "> run w1 2\n"
     "done w1 2 ok\n"
     "> end 2 finished result\n"
     "> stop w1\n"
     "down w1\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 3\n")

RULE(a_job_given_back_does_not_count,
     "pool workers=1 max_jobs=1\n"
     "submit 1\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "return w1 1\n"
     "> run w1 1\n"
     "done w1 1 ok\n"
     "> end 1 finished result\n"
     "> stop w1\n")

RULE(no_more_is_handed_in_advance_than_a_worker_may_run,
     "pool workers=1 max_jobs=7\n" SHORT_RUNS
     "submit 1; submit 2; submit 3\n"
     "> run w1 1\n"
     "done w1 1 ok ran=0\n"
     "> end 1 finished result\n"
     "> stop w1\n"
     "down w1\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 2\n"
     "> run w1 3\n")

RULE(what_a_worker_with_its_last_jobs_has_not_begun_is_taken_back,
     "pool workers=1 max_jobs=8\n" SHORT_RUNS
     "resize 2; submit 1; submit 2\n"
     "> run w1 1\n"
     "> start w3\n"
     "> run w1 2\n"
     "up w3\n"
     "> recall w1\n"
     "return w1 2; recalled w1\n"
     "> run w3 2\n"
     "done w1 1 ok\n"
     "> end 1 finished result\n"
     "submit 3; submit 4\n"
     "> run w1 3\n")

RULE(a_worker_whose_jobs_wait_gives_its_place_to_another,
     "pool workers=1 max_jobs=1\n"
     "submit 1; submit 2\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "park w1 1\n"
     "> stop w1\n"
     "> start w2\n"
     "up w2\n"
     "> run w2 2\n"
     "done w1 1 ok\n"
     "> end 1 finished result\n"
     "down w1\n"
     "count workers\n"
     "> = 1\n")

RULE(a_worker_whose_jobs_wait_gets_one_more_rather_than_nobody,
     "pool workers=1 max_jobs=1\n"
     "submit 1; submit 2; submit 3; submit 4\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "park w1 1\n"
     "> stop w1\n"
     "> start w2\n"
     "up w2\n"
     "> run w2 2\n"
     "park w2 2\n"
     "> run w2 3\n"
     "park w2 3\n"
     "> run w2 4\n"
     "done w2 4 ok; done w2 3 ok; done w2 2 ok\n"
     "> end 4 finished result\n"
     "> end 3 finished result\n"
     "> end 2 finished result\n"
     "> stop w2\n")

/* ---- how many jobs one worker has */

RULE(no_worker_gets_more_jobs_than_its_concurrency,
     "pool workers=1 concurrency=2\n"
     "submit 1; submit 2; submit 3\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "park w1 1\n"
     "> run w1 2\n"
     "park w1 2\n"
     "count idle pending\n"
     "> = 0\n"
     "> = 1\n"
     "done w1 1 ok\n"
     "> end 1 finished result\n"
     "> run w1 3\n")

RULE(a_full_worker_leaves_its_jobs_to_one_that_is_idle,
     "pool workers=1 concurrency=2\n" SHORT_RUNS
     "resize 2; submit 1; submit 2; submit 3\n"
     "> run w1 1\n"
     "> start w2\n"
     "> run w1 2\n"
     "up w2\n"
     "> run w2 3\n"
     "done w2 3 ok ran=0\n"
     "> end 3 finished result\n"
     "> recall w1\n"
     "return w1 2; recalled w1\n"
     "> run w2 2\n")

int main(void)
{
    Suite *suite = suite_create("dispatcher, turns");
    TCase *cases = suite_case(suite, "rules");
    tcase_add_test(cases, a_repeating_job_reports_each_turn_and_goes_on);
    tcase_add_test(cases, turns_do_not_drift);
    tcase_add_test(cases, a_turn_that_comes_while_the_last_still_runs_is_missed);
    tcase_add_test(cases, a_turn_is_tried_again_before_it_is_reported);
    tcase_add_test(cases, a_cancelled_repeating_job_has_no_further_turn);
    tcase_add_test(cases, a_report_leaves_before_the_end_of_its_job);
    tcase_add_test(cases, a_lost_worker_ends_a_turn_only);
    tcase_add_test(cases, when_no_worker_comes_up_a_turn_fails_and_the_next_is_tried);
    tcase_add_test(cases, cancel_pending_spares_what_is_scheduled_and_skips_a_turn);
    tcase_add_test(cases, closing_ends_repeating_jobs);
    tcase_add_test(cases, a_repeating_job_given_back_to_a_closing_pool_ends);
    tcase_add_test(cases, the_owner_decides_whether_a_job_runs_again);
    tcase_add_test(cases, nobody_is_asked_when_no_retry_is_left);
    tcase_add_test(cases, the_owner_is_asked_about_a_lost_run);
    tcase_add_test(cases, a_job_cancelled_while_its_owner_is_asked_ends_as_its_run_did);
    tcase_add_test(cases, no_answer_is_taken_before_the_question);
    tcase_add_test(cases, closing_waits_for_an_answer_and_closing_soon_does_not);
    tcase_add_test(cases, a_repeating_job_goes_on_when_its_owner_wants_no_retry);
    tcase_add_test(cases, jitter_shortens_each_wait_by_its_share_at_most);
    tcase_add_test(cases, jitter_differs_from_job_to_job_and_follows_the_seed);
    tcase_add_test(cases, a_worker_that_ran_its_jobs_is_replaced);
    tcase_add_test(cases, a_job_given_back_does_not_count);
    tcase_add_test(cases, no_more_is_handed_in_advance_than_a_worker_may_run);
    tcase_add_test(cases, what_a_worker_with_its_last_jobs_has_not_begun_is_taken_back);
    tcase_add_test(cases, a_worker_whose_jobs_wait_gives_its_place_to_another);
    tcase_add_test(cases, a_worker_whose_jobs_wait_gets_one_more_rather_than_nobody);
    tcase_add_test(cases, no_worker_gets_more_jobs_than_its_concurrency);
    tcase_add_test(cases, a_full_worker_leaves_its_jobs_to_one_that_is_idle);
    return suite_run(suite);
}
