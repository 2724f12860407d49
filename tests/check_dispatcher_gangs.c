/* check_dispatcher_gangs.c - the dispatcher's rules for jobs that start together and for how often any start, as scripts
 * (dispatcher_script.h). */
#include <stdlib.h>

#include "dispatcher_script.h"
#include "suite.h"

/* ---- rate */

RULE(no_more_jobs_start_than_the_rate_lets,
     "pool workers=4 rate=2 per=10\n"
     "submit 1; submit 2; submit 3; submit 4; submit 5\n"
     "> start w1\n"
     "> start w2\n"
     "> start w3\n"
     "> start w4\n"
     "at 1; up w1\n"
     "> run w1 1\n"
     "at 3; up w2; up w3; up w4\n"
     "> run w4 2\n"
     "deadline\n"
     "> = 11\n"
     "tick 10.9\n"
     "tick 11\n"
     "> run w3 3\n"
     "deadline\n"
     "> = 13\n"
     "done w1 1 ok; done w4 2 ok; done w3 3 ok\n"
     "> end 1 finished result\n"
     "> end 2 finished result\n"
     "> end 3 finished result\n"
     "tick 30\n"
     "> run w3 4\n"
     "> run w4 5\n"
     "submit 6\n"
     "tick 39\n"
     "tick 40\n"
     "> run w1 6\n")

RULE(with_a_rate_nothing_is_handed_in_advance,
     "pool workers=1 rate=1000 per=1000\n" SHORT_RUNS
     "submit 1; submit 2\n"
     "> run w1 1\n"
     "done w1 1 ok ran=0\n"
     "> end 1 finished result\n"
     "> run w1 2\n")

RULE(retries_and_turns_are_starts_too,
     "pool workers=2 rate=1 per=10\n"
     "submit 1 retries=1\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "at 1; done w1 1 bad\n"
     "> drop 1\n"
     "deadline\n"
     "> = 10\n"
     "submit 2 every=1\n"
     "tick 10\n"
     "> run w1 1 attempt=2\n"
     "done w1 1 ok\n"
     "> end 1 finished attempt=2 result\n"
     "tick 20\n"
     "> run w1 2\n"
     "at 20.5; done w1 2 ok\n"
     "> report 2 finished result\n"
     "tick 21\n"
     "deadline\n"
     "> = 30\n")

RULE(a_rate_has_no_deadline_where_nothing_waits_or_the_pool_is_paused,
     "pool workers=1 rate=1 per=10\n"
     "submit 1; submit 2\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "deadline\n"
     "> = 10\n"
     "pause\n"
     "> recall w1\n"
     "recalled w1; deadline\n"
     "> = never\n"
     "resume; cancel 2\n"
     "> = ended\n"
     "> end 2 cancelled\n"
     "deadline\n"
     "> = never\n")

/* ---- gangs */

RULE(a_gang_starts_all_at_once_on_workers_of_their_own,
     "pool workers=3\n"
     "submit 1 gang=1 size=3; submit 2 gang=1; submit 3 gang=1\n"
     "> start w1\n"
     "> start w2\n"
     "> start w3\n"
     "count pending\n"
     "> = 3\n"
     "up w1; up w2\n"
     "state 3\n"
     "> = queued\n"
     "up w3\n"
     "> run w3 1\n"
     "> run w2 2\n"
     "> run w1 3\n"
     "count pending handed\n"
     "> = 0\n"
     "> = 3\n"
     "done w2 2 ok\n"
     "> end 2 finished result\n")

RULE(a_gang_waits_for_its_last_member,
     "pool workers=2\n"
     "submit 1 gang=1 size=2\n"
     "count pending\n"
     "> = 1\n"
     "state 1\n"
     "> = queued\n"
     "submit 5\n" /* not in the queue yet: it holds nobody up */
     "> start w1\n"
     "up w1\n"
     "> run w1 5\n"
     "submit 2 gang=1\n"
     "> start w2\n"
     "up w2\n"
     "done w1 5 ok\n"
     "> end 5 finished result\n"
     "> run w1 1\n"
     "> run w2 2\n")

RULE(idle_workers_are_held_for_a_gang_and_nothing_overtakes_it,
     "pool workers=2 idle=1\n"
     "submit 9\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 9\n"
     "submit 1 gang=1 size=2; submit 2 gang=1; submit 3\n"
     "> start w2\n"
     "up w2\n"
     "deadline\n"
     "> = never\n"
     "tick 50\n"
     "submit 4 prio=1\n" /* but what is more urgent comes first */
     "> run w2 4\n"
     "at 51; done w2 4 ok\n"
     "> end 4 finished result\n"
     "done w1 9 ok\n"
     "> end 9 finished result\n"
     "> run w1 1\n"
     "> run w2 2\n"
     "done w2 2 ok\n"
     "> end 2 finished result\n"
     "> run w2 3\n")

RULE(a_worker_whose_jobs_wait_is_free_for_a_gang,
     "pool workers=2\n"
     "submit 8; submit 9\n"
     "> start w1\n"
     "> start w2\n"
     "up w1; up w2\n"
     "> run w2 8\n"
     "> run w1 9\n"
     "submit 1 gang=1 size=2; submit 2 gang=1\n"
     "park w1 9\n"
     "park w2 8\n"
     "> run w2 1\n"
     "> run w1 2\n")

RULE(one_member_cancelled_cancels_the_gang,
     "pool workers=2\n"
     "submit 1 gang=1 size=2; submit 2 gang=1; submit 3 gang=3 size=2; submit 4 gang=3; submit 5 gang=5 size=2\n"
     "> start w1\n"
     "> start w2\n"
     "cancel 2\n"
     "> = ended\n"
     "> end 2 cancelled\n"
     "> end 1 cancelled\n"
     "cancel 3\n"
     "> = ended\n"
     "> end 4 cancelled\n"
     "> end 3 cancelled\n"
     "cancel 5\n"
     "> = ended\n"
     "> end 5 cancelled\n"
     "submit 6 gang=5\n"
     "> = einval\n"
     "count pending cancelled\n"
     "> = 0\n"
     "> = 5\n"
     "submit 7; up w1\n"
     "> run w1 7\n")

RULE(a_gang_that_can_never_start_is_refused,
     "pool workers=2 rate=1 per=1\n"
     "submit 1 gang=1 size=2\n"
     "> = einval\n"
     "pool workers=2\n"
     "submit 1 gang=1 size=3\n"
     "> = einval\n"
     "submit 2 gang=1\n"
     "> = einval\n"
     "submit 3 gang=3 size=0\n"
     "> = einval\n"
     "submit 4 gang=4 size=1 delay=1\n"
     "> = einval\n"
     "submit 5; submit 6 gang=5\n"
     "> = einval\n"
     "> start w1\n")

RULE(a_gang_of_one_is_a_gang,
     "pool workers=1\n"
     "submit 1 gang=1 size=1\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "submit 2 gang=1\n"
     "> = einval\n")

RULE(a_gang_finds_its_workers_though_the_pool_became_smaller,
     "pool workers=3\n"
     "submit 9\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 9\n"
     "submit 1 gang=1 size=3; submit 2 gang=1; submit 3 gang=1\n"
     "> start w2\n"
     "> start w3\n"
     "up w2\n"
     "resize 1\n"
     "up w3\n"
     "done w1 9 ok\n"
     "> end 9 finished result\n"
     "> run w1 1\n"
     "> run w3 2\n"
     "> run w2 3\n"
     "done w3 2 ok\n"
     "> end 2 finished result\n"
     "> stop w3\n")

RULE(a_gang_whose_workers_do_not_come_up_fails,
     "pool workers=2\n"
     "submit 1 gang=1 size=2; submit 2 gang=1\n"
     "> start w1\n"
     "> start w2\n"
     "up w1\n"
     "down w2 failed\n"
     "> end 2 failed\n"
     "> end 1 failed\n"
     "submit 3 gang=3 size=2; submit 4 gang=3\n"
     "> start w2\n"
     "down w1; down w2 failed\n"
     "> end 4 failed\n"
     "> end 3 failed\n")

RULE(a_gang_keeps_to_the_rate_as_a_whole,
     "pool workers=3 rate=2 per=10\n"
     "submit 9\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 9\n"
     "at 1; submit 1 gang=1 size=2; submit 2 gang=1\n"
     "> start w2\n"
     "> start w3\n"
     "up w2; up w3\n"
     "deadline\n"
     "> = 10\n"
     "tick 10\n"
     "> run w3 1\n"
     "> run w2 2\n")

RULE(a_member_given_back_is_a_job_like_others,
     "pool workers=2\n"
     "submit 1 gang=1 size=2; submit 2 gang=1; submit 3\n"
     "> start w1\n"
     "> start w2\n"
     "up w1; up w2\n"
     "> run w2 1\n"
     "> run w1 2\n"
     "pause\n"
     "> recall w2\n"
     "> recall w1\n"
     "return w1 2; recalled w1; recalled w2\n"
     "resume\n"
     "> run w1 2\n"
     "done w1 2 bad; done w2 1 ok\n"
     "> end 2 failed result\n"
     "> end 1 finished result\n"
     "> run w2 3\n")

RULE(a_member_is_tried_again_alone,
     "pool workers=2\n"
     "submit 1 gang=1 size=2 retries=1; submit 2 gang=1\n"
     "> start w1\n"
     "> start w2\n"
     "up w1; up w2\n"
     "> run w2 1\n"
     "> run w1 2\n"
     "done w2 1 bad\n"
     "> drop 1\n"
     "> run w2 1 attempt=2\n")

RULE(closing_runs_whole_gangs_and_ends_the_others,
     "pool workers=2\n"
     "submit 1 gang=1 size=2; submit 2 gang=1; submit 3 gang=3 size=2\n"
     "> start w1\n"
     "> start w2\n"
     "close\n"
     "> end 3 cancelled\n"
     "up w1; up w2\n"
     "> run w2 1\n"
     "> run w1 2\n"
     "done w1 2 ok; done w2 1 ok\n"
     "> end 2 finished result\n"
     "> end 1 finished result\n"
     "> stop w1\n"
     "> stop w2\n")

RULE(cancelling_what_is_pending_and_closing_soon_end_gangs_whole,
     "pool workers=2\n"
     "submit 1 gang=1 size=2; submit 2 gang=1\n"
     "> start w1\n"
     "> start w2\n"
     "cancel-pending\n"
     "> end 2 cancelled\n"
     "> end 1 cancelled\n"
     "submit 3 gang=3 size=2; submit 4 gang=3; submit 5 gang=5 size=2\n"
     "close soon\n"
     "> end 5 cancelled\n"
     "> end 4 cancelled\n"
     "> end 3 cancelled\n"
     "count pending\n"
     "> = 0\n")

/* ---- a run's end does not touch the next */

RULE(a_run_that_follows_one_that_took_too_long_is_judged_for_itself,
     "pool workers=1\n"
     "submit 1 retries=1 timeout=1\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "begun w1 1\n"
     "tick 1\n"
     "> halt w1 1\n"
     "done w1 1 bad\n"
     "> drop 1\n"
     "> run w1 1 attempt=2\n"
     "begun w1 1\n"
     "done w1 1 ok\n"
     "> end 1 finished attempt=2 result\n")

int main(void)
{
    Suite *suite = suite_create("dispatcher, gangs");
    TCase *cases = suite_case(suite, "rules");
    tcase_add_test(cases, no_more_jobs_start_than_the_rate_lets);
    tcase_add_test(cases, with_a_rate_nothing_is_handed_in_advance);
    tcase_add_test(cases, retries_and_turns_are_starts_too);
    tcase_add_test(cases, a_rate_has_no_deadline_where_nothing_waits_or_the_pool_is_paused);
    tcase_add_test(cases, a_gang_starts_all_at_once_on_workers_of_their_own);
    tcase_add_test(cases, a_gang_waits_for_its_last_member);
    tcase_add_test(cases, idle_workers_are_held_for_a_gang_and_nothing_overtakes_it);
    tcase_add_test(cases, a_worker_whose_jobs_wait_is_free_for_a_gang);
    tcase_add_test(cases, one_member_cancelled_cancels_the_gang);
    tcase_add_test(cases, a_gang_that_can_never_start_is_refused);
    tcase_add_test(cases, a_gang_of_one_is_a_gang);
    tcase_add_test(cases, a_gang_finds_its_workers_though_the_pool_became_smaller);
    tcase_add_test(cases, a_gang_whose_workers_do_not_come_up_fails);
    tcase_add_test(cases, a_gang_keeps_to_the_rate_as_a_whole);
    tcase_add_test(cases, a_member_given_back_is_a_job_like_others);
    tcase_add_test(cases, a_member_is_tried_again_alone);
    tcase_add_test(cases, closing_runs_whole_gangs_and_ends_the_others);
    tcase_add_test(cases, cancelling_what_is_pending_and_closing_soon_end_gangs_whole);
    tcase_add_test(cases, a_run_that_follows_one_that_took_too_long_is_judged_for_itself);
    return suite_run(suite);
}
