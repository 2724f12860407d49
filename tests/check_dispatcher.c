/* check_dispatcher.c - every rule of the dispatcher as a script (dispatcher_script.h), and memory failing
 * anywhere. */
#include <stdbool.h>
#include <stdlib.h>

#include "dispatcher.h"
#include "dispatcher_script.h"
#include "suite.h"
#include "troupe.h"

/* The judge of the judge: a script that is wrong must not pass. */
START_TEST(a_wrong_script_is_found_out)
{
    ck_assert_ptr_null(dispatcher_script_run("pool workers=1\nsubmit 1\n> start w1\n"));
    ck_assert_ptr_nonnull(dispatcher_script_run("pool workers=1\nsubmit 1\n"));
    ck_assert_ptr_nonnull(dispatcher_script_run("pool workers=1\nsubmit 1\n> start w2\n"));
    ck_assert_ptr_nonnull(dispatcher_script_run("pool workers=1\nsubmit 1\n> start w1\n> run w1 1\n"));
    ck_assert_ptr_nonnull(dispatcher_script_run("pool workers=1\nsubmitt 1\n"));
}
END_TEST

RULE(equal_jobs_run_in_order_of_submission,
     "pool workers=1\n"
     "submit 1; submit 2; submit 3; up w1\n"
     "> = einval\n" /* not started yet: the batch asks before the answer */
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "done w1 1 ok\n"
     "> end 1 finished result\n"
     "> run w1 2\n"
     "done w1 2 ok\n"
     "> end 2 finished result\n"
     "> run w1 3\n")

RULE(higher_priority_runs_first,
     "pool workers=1\n"
     "submit 1; submit 2 prio=-5; submit 3 prio=2147483647; submit 4 prio=7;"
     "submit 5 prio=-2147483648; submit 6 prio=7\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 3\n"
     "done w1 3 ok\n"
     "> end 3 finished result\n"
     "> run w1 4\n"
     "done w1 4 ok\n"
     "> end 4 finished result\n"
     "> run w1 6\n"
     "done w1 6 ok\n"
     "> end 6 finished result\n"
     "> run w1 1\n"
     "done w1 1 ok\n"
     "> end 1 finished result\n"
     "> run w1 2\n"
     "done w1 2 ok\n"
     "> end 2 finished result\n"
     "> run w1 5\n")

RULE(first_goes_to_the_front_of_its_priority_only,
     "pool workers=1\n"
     "submit 1 prio=1; submit 2; submit 3; submit 4 first; submit 5 first\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "done w1 1 ok\n"
     "> end 1 finished result\n"
     "> run w1 5\n"
     "done w1 5 ok\n"
     "> end 5 finished result\n"
     "> run w1 4\n"
     "done w1 4 ok\n"
     "> end 4 finished result\n"
     "> run w1 2\n")

RULE(a_taken_id_is_refused_until_its_job_has_ended,
     "pool workers=1\n"
     "submit 1\n"
     "> start w1\n"
     "submit 1\n"
     "> = einval\n"
     "submit 0\n"
     "> = einval\n"
     "up w1\n"
     "> run w1 1\n"
     "done w1 1 ok\n"
     "> end 1 finished result\n"
     "submit 1\n"
     "> run w1 1\n")

RULE(workers_start_on_demand_and_never_more_than_wanted,
     "pool workers=2\n"
     "submit 1\n"
     "> start w1\n"
     "submit 2\n"
     "> start w2\n"
     "submit 3\n"
     "count workers idle pending\n"
     "> = 2\n"
     "> = 0\n"
     "> = 3\n")

RULE(no_more_workers_start_than_jobs_wait,
     "pool workers=8\n"
     "submit 1; submit 2\n"
     "> start w1\n"
     "> start w2\n"
     "up w1\n"
     "> run w1 1\n"
     "submit 3\n"
     "> start w3\n"
     "up w2\n"
     "> run w2 2\n"
     "done w1 1 ok\n"
     "> end 1 finished result\n"
     "> run w1 3\n"
     "submit 4\n" /* w3, about to come up, is enough for it */
     "up w3\n"
     "> run w3 4\n")

RULE(an_idle_worker_is_used_before_one_is_started,
     "pool workers=2\n"
     "submit 1\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "done w1 1 ok\n"
     "> end 1 finished result\n"
     "submit 2\n"
     "> run w1 2\n")

RULE(the_worker_busy_last_gets_the_next_job,
     "pool workers=3\n"
     "submit 1; submit 2; submit 3\n"
     "> start w1\n"
     "> start w2\n"
     "> start w3\n"
     "up w1; up w2; up w3\n"
     "> run w3 1\n"
     "> run w2 2\n"
     "> run w1 3\n"
     "done w2 2 ok; done w1 3 ok; done w3 1 ok\n"
     "> end 2 finished result\n"
     "> end 3 finished result\n"
     "> end 1 finished result\n"
     "submit 4\n"
     "> run w3 4\n"
     "submit 5\n"
     "> run w1 5\n"
     "submit 6\n"
     "> run w2 6\n")

RULE(idle_workers_end_after_their_timeout,
     "pool workers=2 idle=5\n"
     "deadline\n"
     "> = never\n"
     "submit 1; submit 2\n"
     "> start w1\n"
     "> start w2\n"
     "at 1\n"
     "up w1\n"
     "> run w1 1\n"
     "up w2\n"
     "> run w2 2\n"
     "deadline\n"
     "> = never\n"
     "at 2; done w1 1 ok\n"
     "> end 1 finished result\n"
     "deadline\n"
     "> = 7\n"
     "at 3; done w2 2 ok\n"
     "> end 2 finished result\n"
     "tick 6.9\n"
     "tick 7\n"
     "> stop w1\n"
     "deadline\n"
     "> = 8\n"
     "at 7.5; submit 3\n"
     "> run w2 3\n"
     "tick 8\n"
     "down w1\n"
     "at 9; done w2 3 ok\n"
     "> end 3 finished result\n"
     "deadline\n"
     "> = 14\n"
     "count workers idle\n"
     "> = 1\n"
     "> = 1\n")

RULE(a_stopping_worker_still_counts_until_it_is_down,
     "pool workers=1 idle=1\n"
     "submit 1\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "done w1 1 ok\n"
     "> end 1 finished result\n"
     "tick 1\n"
     "> stop w1\n"
     "submit 2\n"
     "down w1\n"
     "> start w1\n")

RULE(credit_is_one_until_runs_were_measured_short,
     "pool workers=1\n"
     "submit 1; submit 2\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "done w1 1 ok ran=0.0001\n" /* average 187.5 us: one fits into 200 */
     "> end 1 finished result\n"
     "> run w1 2\n"
     "submit 3\n"
     "submit 4\n")

RULE(short_runs_let_jobs_be_handed_in_advance,
     "pool workers=1\n" SHORT_RUNS
     "submit 1; submit 2; submit 3\n"
     "> run w1 1\n"
     "> run w1 2\n"
     "count handed pending\n"
     "> = 2\n"
     "> = 1\n"
     "state 1\n"
     "> = running\n"
     "state 2\n"
     "> = handed\n"
     "state 3\n"
     "> = queued\n"
     "done w1 1 ok ran=0.000001\n" /* 79.6 us: still two */
     "> end 1 finished result\n"
     "> run w1 3\n"
     "state 2\n"
     "> = running\n"
     "state 1\n"
     "> = none\n")

RULE(max_credit_caps_what_a_worker_holds,
     "pool workers=1 credit=1\n" SHORT_RUNS
     "submit 1; submit 2\n"
     "> run w1 1\n")

RULE(a_long_run_takes_all_credit_back_at_once,
     "pool workers=1\n" SHORT_RUNS
     "submit 1; submit 2; submit 3; submit 4\n"
     "> run w1 1\n"
     "> run w1 2\n"
     "done w1 1 ok ran=0.00025\n" /* of an average of 80, but longer than 200 us may be */
     "> end 1 finished result\n"
     "done w1 2 ok ran=0.000001\n"
     "> end 2 finished result\n"
     "> run w1 3\n"
     "done w1 3 ok ran=0.000001\n"
     "> end 3 finished result\n"
     "> run w1 4\n"
     "submit 5\n")

RULE(an_odd_run_time_does_no_harm,
     "pool workers=1 credit=2\n"
     "submit 1\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "done w1 1 ok ran=inf\n"
     "> end 1 finished result\n"
     "submit 2; done w1 2 ok ran=nan\n"
     "> = einval\n"
     "> run w1 2\n"
     "done w1 2 ok ran=nan\n"
     "> end 2 finished result\n"
     "submit 3; submit 4\n"
     "> run w1 3\n"
     "done w1 3 ok ran=-5\n"
     "> end 3 finished result\n"
     "> run w1 4\n")

/* Two workers, credit 2. */
#define TWO_WORKERS                                                                                      \
    "pool workers=1\n" SHORT_RUNS "resize 2\n"                                                           \
    "submit 201; submit 202\n"                                                                           \
    "> run w1 201\n"                                                                                     \
    "> start w2\n"                                                                                       \
    "> run w1 202\n"                                                                                     \
    "up w2\n"                                                                                            \
    "> recall w1\n"                                                                                      \
    "recalled w1; done w1 201 ok ran=0.00009; done w1 202 ok ran=0.00009\n"                              \
    "> end 201 finished result\n"                                                                        \
    "> end 202 finished result\n"

RULE(each_idle_worker_gets_a_job_before_any_gets_a_second,
     TWO_WORKERS
     "submit 1; submit 2; submit 3; submit 4; submit 5\n"
     "> run w1 1\n"
     "> run w2 2\n"
     "> run w2 3\n"
     "> run w1 4\n")

RULE(the_least_loaded_worker_gets_the_job_in_advance,
     TWO_WORKERS
     "submit 1; submit 2; submit 3; submit 4; submit 5; submit 6\n"
     "> run w1 1\n"
     "> run w2 2\n"
     "> run w2 3\n"
     "> run w1 4\n"
     "done w1 1 ok ran=0.00009\n"
     "> end 1 finished result\n"
     "> run w1 5\n")

RULE(what_is_held_behind_a_long_job_is_taken_back,
     TWO_WORKERS
     "submit 1; submit 2; submit 3; submit 4; submit 5; submit 6\n"
     "> run w1 1\n"
     "> run w2 2\n"
     "> run w2 3\n"
     "> run w1 4\n"
     "deadline\n"
     "> = 0.002\n"
     "at 0.001; done w2 2 ok ran=0.00009\n"
     "> end 2 finished result\n"
     "> run w2 5\n"
     "tick 0.002\n" /* w2 has reported */
     "> recall w1\n"
     "deadline\n"
     "> = 0.003\n"
     "return w1 4; recalled w1\n"
     "done w2 3 ok ran=0.00009\n"
     "> end 3 finished result\n"
     "> run w2 4\n"
     "done w2 5 ok ran=0.00009\n"
     "> end 5 finished result\n"
     "> run w2 6\n"
     "done w1 1 ok ran=0.00009; submit 7; submit 8\n" /* w1 was heard of */
     "> end 1 finished result\n"
     "> run w1 7\n"
     "> run w1 8\n")

RULE(a_worker_in_a_long_job_gets_nothing_in_advance,
     TWO_WORKERS
     "submit 1; submit 2\n"
     "> run w1 1\n"
     "> run w2 2\n"
     "at 0.1; done w2 2 ok ran=0.00009\n"
     "> end 2 finished result\n"
     "submit 3; submit 4; submit 5\n"
     "> run w2 3\n"
     "> run w2 4\n"
     "done w1 1 ok ran=0.00009; submit 6\n"
     "> end 1 finished result\n"
     "> run w1 5\n"
     "> run w1 6\n")

RULE(the_only_worker_keeps_what_it_has,
     "pool workers=1\n" SHORT_RUNS
     "submit 1; submit 2\n"
     "> run w1 1\n"
     "> run w1 2\n"
     "deadline\n"
     "> = never\n"
     "tick 9\n")

RULE(an_idle_worker_gets_what_another_has_not_begun,
     TWO_WORKERS
     "submit 1; submit 2; submit 3; submit 4\n"
     "> run w1 1\n"
     "> run w2 2\n"
     "> run w2 3\n"
     "> run w1 4\n"
     "done w1 1 ok ran=0.00009; done w1 4 ok ran=0.00009\n"
     "> end 1 finished result\n"
     "> end 4 finished result\n"
     "> recall w2\n"
     "return w2 3\n"
     "> run w1 3\n"
     "recalled w2\n"
     "done w2 2 ok ran=0.00009; done w1 3 ok ran=0.00009\n"
     "> end 2 finished result\n"
     "> end 3 finished result\n")

RULE(a_recall_that_found_nothing_is_not_repeated_before_a_job_is_done,
     TWO_WORKERS
     "submit 1; submit 2; submit 3; submit 4\n"
     "> run w1 1\n"
     "> run w2 2\n"
     "> run w2 3\n"
     "> run w1 4\n"
     "done w1 1 ok ran=0.00009; done w1 4 ok ran=0.00009\n"
     "> end 1 finished result\n"
     "> end 4 finished result\n"
     "> recall w2\n"
     "tick 0.001\n" /* not answered yet */
     "recalled w2\n"
     "tick 0.002\n"
     "done w2 2 ok ran=0.00009\n"
     "> end 2 finished result\n"
     "submit 5; submit 6; submit 7\n"
     "> run w1 5\n"
     "> run w1 6\n"
     "> run w2 7\n")

RULE(the_most_loaded_worker_is_asked,
     "pool workers=1\n" SHORT_RUNS
     "resize 3\n"
     "submit 1; done w1 1 ok\n"
     "> = einval\n"
     "> run w1 1\n"
     "done w1 1 ok ran=0.000001; submit 2; submit 3; submit 4; submit 5; submit 6; submit 7; submit 8\n"
     "> end 1 finished result\n"
     "> run w1 2\n"
     "> start w2\n"
     "> start w3\n"
     "> run w1 3\n"
     "done w1 2 ok ran=0.000001; done w1 3 ok ran=0.000001; submit 9\n" /* 61 us: three fit */
     "> end 2 finished result\n"
     "> end 3 finished result\n"
     "> run w1 4\n"
     "> run w1 5\n"
     "> run w1 6\n"
     "up w2\n"
     "> run w2 7\n"
     "> run w2 8\n"
     "> run w2 9\n"
     "done w2 7 ok ran=0.00009\n"
     "> end 7 finished result\n"
     "up w3\n"
     "> recall w1\n"
     "return w1 5; return w1 6; recalled w1\n"
     "> run w3 5\n"
     "> run w3 6\n")

RULE(returned_jobs_go_back_to_where_they_were,
     "pool workers=1\n" SHORT_RUNS
     "submit 1; submit 2; submit 3; submit 4; submit 5 prio=-1\n"
     "> run w1 1\n"
     "> run w1 2\n"
     "pause\n"
     "> recall w1\n"
     "return w1 2; return w1 1; recalled w1\n"
     "submit 6; submit 7 first\n"
     "resume\n"
     "> run w1 7\n"
     "> run w1 1\n"
     "pause\n"
     "> recall w1\n"
     "return w1 1; recalled w1; done w1 7 ok ran=1\n"
     "> end 7 finished result\n"
     "resume\n"
     "> run w1 1\n"
     "done w1 1 ok\n"
     "> end 1 finished result\n"
     "> run w1 2\n"
     "done w1 2 ok\n"
     "> end 2 finished result\n"
     "> run w1 3\n"
     "done w1 3 ok\n"
     "> end 3 finished result\n"
     "> run w1 4\n"
     "done w1 4 ok\n"
     "> end 4 finished result\n"
     "> run w1 6\n"
     "done w1 6 ok\n"
     "> end 6 finished result\n"
     "> run w1 5\n")

RULE(a_queued_job_is_cancelled_at_once,
     "pool workers=1\n"
     "submit 1; submit 2; submit 3\n"
     "> start w1\n"
     "cancel 2\n"
     "> = ended\n"
     "> end 2 cancelled\n"
     "cancel 2\n"
     "> = unknown\n"
     "up w1\n"
     "> run w1 1\n"
     "done w1 1 ok\n"
     "> end 1 finished result\n"
     "> run w1 3\n")

RULE(a_delayed_job_is_cancelled_at_once,
     "pool workers=1\n"
     "submit 1 delay=5\n"
     "state 1\n"
     "> = delayed\n"
     "cancel 1\n"
     "> = ended\n"
     "> end 1 cancelled\n"
     "deadline\n"
     "> = never\n"
     "tick 6\n")

RULE(a_cancelled_job_that_comes_back_unbegun_ends_cancelled,
     "pool workers=1\n"
     "submit 1\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "cancel 1\n"
     "> = handed\n"
     "return w1 1\n"
     "> end 1 cancelled\n"
     "done w1 1 ok\n"
     "> = einval\n")

RULE(a_cancelled_job_that_ran_ends_as_it_ended,
     "pool workers=1\n"
     "submit 1; submit 2 retries=5; submit 3\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "cancel 1\n"
     "> = handed\n"
     "done w1 1 ok\n"
     "> end 1 finished result\n"
     "> run w1 2\n"
     "cancel 2\n"
     "> = handed\n"
     "done w1 2 bad\n" /* nobody wants a retry of it */
     "> end 2 failed result\n"
     "> run w1 3\n"
     "cancel 3\n"
     "> = handed\n"
     "down w1\n"
     "> end 3 lost\n")

RULE(a_withdrawn_job_ends_cancelled_and_its_worker_is_free,
     "pool workers=1\n" SHORT_RUNS
     "submit 1; submit 2\n"
     "> run w1 1\n"
     "> run w1 2\n"
     "withdraw 2\n"
     "> end 2 cancelled\n"
     "withdraw 2\n"
     "> = einval\n"
     "submit 3; submit 4; withdraw 4\n"
     "> = einval\n" /* it is queued */
     "> run w1 3\n"
     "done w1 2 ok\n"
     "> = einval\n")

RULE(cancel_pending_spares_what_a_worker_has,
     "pool workers=1\n"
     "submit 1; submit 2; submit 3 delay=9; submit 4 prio=4\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 4\n"
     "cancel-pending delayed\n"
     "> end 1 cancelled\n"
     "> end 2 cancelled\n"
     "> end 3 cancelled\n"
     "count pending delayed handed cancelled\n"
     "> = 0\n"
     "> = 0\n"
     "> = 1\n"
     "> = 3\n")

RULE(delayed_jobs_are_queued_when_due_and_in_order,
     "pool workers=1\n"
     "at 10; submit 1 delay=2; submit 2 delay=1; submit 3 delay=2; submit 4 delay=inf\n"
     "deadline\n"
     "> = 11\n"
     "tick 10.5\n"
     "tick 11\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 2\n"
     "deadline\n"
     "> = 12\n"
     "tick 12; submit 5\n"
     "done w1 2 ok\n"
     "> end 2 finished result\n"
     "> run w1 1\n"
     "done w1 1 ok\n"
     "> end 1 finished result\n"
     "> run w1 3\n"
     "done w1 3 ok\n"
     "> end 3 finished result\n"
     "> run w1 5\n"
     "deadline\n"
     "> = never\n")

RULE(a_delayed_first_job_goes_to_the_front_when_due,
     "pool workers=1\n"
     "submit 1 delay=1 first; submit 2; tick 1\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n")

RULE(a_failed_run_without_retries_is_final,
     "pool workers=1\n"
     "submit 1\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "done w1 1 bad\n"
     "> end 1 failed result\n")

RULE(retry_waits_for_backoff,
     "pool workers=1\n"
     "submit 1 retries=4 base=1 factor=3 max=5\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "at 10; done w1 1 bad\n"
     "> drop 1\n"
     "state 1\n"
     "> = delayed\n"
     "deadline\n"
     "> = 11\n"
     "tick 11\n"
     "> run w1 1 attempt=2\n"
     "at 20; done w1 1 bad\n"
     "> drop 1\n"
     "tick 22.9\n"
     "tick 23\n"
     "> run w1 1 attempt=3\n"
     "at 30; done w1 1 bad\n" /* nine, but five at most */
     "> drop 1\n"
     "deadline\n"
     "> = 35\n"
     "tick 35\n"
     "> run w1 1 attempt=4\n"
     "at 40; done w1 1 bad\n"
     "> drop 1\n"
     "tick 45\n"
     "> run w1 1 attempt=5\n"
     "done w1 1 bad\n"
     "> end 1 failed attempt=5 result\n"
     "count retried failed\n"
     "> = 4\n"
     "> = 1\n")

RULE(retry_without_backoff_goes_behind_the_others,
     "pool workers=1\n"
     "submit 1 retries=1; submit 2; submit 3 prio=-1\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "done w1 1 bad\n"
     "> drop 1\n"
     "> run w1 2\n"
     "done w1 2 ok\n"
     "> end 2 finished result\n"
     "> run w1 1 attempt=2\n"
     "done w1 1 ok\n"
     "> end 1 finished attempt=2 result\n"
     "> run w1 3\n")

RULE(a_factor_left_out_keeps_the_wait,
     "pool workers=1\n"
     "submit 1 retries=-1 base=2\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "done w1 1 bad\n"
     "> drop 1\n"
     "tick 2\n"
     "> run w1 1 attempt=2\n"
     "done w1 1 bad\n"
     "> drop 1\n"
     "tick 4\n"
     "> run w1 1 attempt=3\n"
     "done w1 1 bad\n"
     "> drop 1\n"
     "cancel 1\n"
     "> = ended\n"
     "> end 1 cancelled attempt=3\n")

RULE(a_lost_worker_loses_the_job_it_ran,
     "pool workers=1\n"
     "submit 1; submit 2\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "down w1\n"
     "> end 1 lost\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 2\n")

RULE(a_lost_job_with_retries_runs_again,
     "pool workers=1\n"
     "submit 1 retries=1 base=3\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "down w1\n"
     "tick 3\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1 attempt=2\n"
     "down w1\n"
     "> end 1 lost attempt=2\n")

RULE(what_a_lost_worker_had_not_begun_goes_back_unharmed,
     "pool workers=1\n" SHORT_RUNS
     "submit 1; submit 2; submit 3\n"
     "> run w1 1\n"
     "> run w1 2\n"
     "down w1\n"
     "> end 1 lost\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 2\n"
     "> run w1 3\n")

RULE(a_cancelled_job_of_a_lost_worker_ends_once,
     "pool workers=1\n" SHORT_RUNS
     "submit 1; submit 2\n"
     "> run w1 1\n"
     "> run w1 2\n"
     "cancel 2\n"
     "> = handed\n"
     "down w1\n"
     "> end 2 cancelled\n"
     "> end 1 lost\n"
     "down w1\n"
     "> = einval\n")

RULE(a_lost_worker_owes_no_answer_to_a_recall,
     TWO_WORKERS
     "submit 1; submit 2; submit 3; submit 4\n"
     "> run w1 1\n"
     "> run w2 2\n"
     "> run w2 3\n"
     "> run w1 4\n"
     "done w1 1 ok ran=0.00009; done w1 4 ok ran=0.00009\n"
     "> end 1 finished result\n"
     "> end 4 finished result\n"
     "> recall w2\n"
     "down w2\n"
     "> end 2 lost\n"
     "> run w1 3\n"
     "recalled w2\n"
     "> = einval\n")

RULE(when_no_worker_comes_up_what_waits_fails,
     "pool workers=2\n"
     "submit 1; submit 2; submit 3 delay=5\n"
     "> start w1\n"
     "> start w2\n"
     "down w1 failed\n" /* w2 may still come */
     "down w2 failed\n"
     "> end 1 failed\n"
     "> end 2 failed\n"
     "submit 4\n"
     "> start w2\n"
     "down w2 failed\n"
     "> end 4 failed\n"
     "tick 5\n"
     "> start w2\n"
     "up w2\n"
     "> run w2 3\n")

RULE(a_failed_start_is_not_repeated_while_a_worker_lives,
     "pool workers=2\n"
     "submit 1; submit 2; submit 3\n"
     "> start w1\n"
     "> start w2\n"
     "up w1\n"
     "> run w1 1\n"
     "down w2 failed\n"
     "tick 1\n"
     "submit 4\n" /* the next submit tries */
     "> start w2\n"
     "down w2 failed\n"
     "down w1\n" /* nobody is left: try again for those that wait */
     "> end 1 lost\n"
     "> start w1\n"
     "up w1\n" /* starting works again */
     "> run w1 2\n"
     "> start w2\n")

RULE(fewer_workers_end_as_they_run_dry,
     "pool workers=3\n"
     "submit 1; submit 2; submit 3\n"
     "> start w1\n"
     "> start w2\n"
     "> start w3\n"
     "up w1; up w2; up w3\n"
     "> run w3 1\n"
     "> run w2 2\n"
     "> run w1 3\n"
     "done w3 1 ok; submit 4; submit 5; resize 1\n"
     "> end 1 finished result\n"
     "> stop w3\n"
     "done w1 3 ok\n"
     "> end 3 finished result\n"
     "> stop w1\n"
     "done w2 2 ok\n"
     "> end 2 finished result\n"
     "> run w2 4\n"
     "resize 0\n"
     "> = einval\n")

RULE(more_workers_start_when_jobs_wait,
     "pool workers=1\n"
     "submit 1; submit 2; submit 3\n"
     "> start w1\n"
     "resize 2\n"
     "> start w2\n"
     "resize 9\n"
     "> start w3\n")

RULE(credit_is_not_given_to_too_many_workers,
     TWO_WORKERS
     "submit 1; submit 2; submit 3; submit 4; submit 5; submit 6; submit 7\n"
     "> run w1 1\n"
     "> run w2 2\n"
     "> run w2 3\n"
     "> run w1 4\n"
     "resize 1\n"
     "done w1 1 ok ran=0.00009\n"
     "> end 1 finished result\n"
     "done w1 4 ok ran=0.00009\n"
     "> end 4 finished result\n"
     "> stop w1\n"
     "done w2 2 ok ran=0.00009\n"
     "> end 2 finished result\n"
     "> run w2 5\n")

RULE(a_paused_pool_hands_out_nothing_and_starts_nobody,
     "pool workers=1\n"
     "pause\n"
     "submit 1; submit 2 delay=1\n"
     "tick 1\n"
     "count pending delayed\n"
     "> = 2\n"
     "> = 0\n"
     "resume\n"
     "> start w1\n"
     "pause\n"
     "up w1\n"
     "resume\n"
     "> run w1 1\n")

RULE(a_pause_takes_back_what_has_not_begun,
     TWO_WORKERS
     "submit 1; submit 2; submit 3; submit 4\n"
     "> run w1 1\n"
     "> run w2 2\n"
     "> run w2 3\n"
     "> run w1 4\n"
     "pause\n"
     "> recall w2\n"
     "> recall w1\n"
     "return w1 4; recalled w1; recalled w2\n"
     "done w1 1 ok ran=0.00009; done w2 2 ok ran=0.00009\n"
     "> end 1 finished result\n"
     "> end 2 finished result\n"
     "resume\n"
     "> run w1 4\n")

RULE(a_closing_pool_runs_what_it_has_and_drains,
     "pool workers=2\n"
     "submit 1; submit 2; submit 3; submit 4 delay=2; submit 5 retries=1 base=4\n"
     "> start w1\n"
     "> start w2\n"
     "close\n"
     "submit 6\n"
     "> = edead\n"
     "up w1\n"
     "> run w1 1\n"
     "up w2\n"
     "> run w2 2\n"
     "done w1 1 ok\n"
     "> end 1 finished result\n"
     "> run w1 3\n"
     "done w2 2 ok\n"
     "> end 2 finished result\n"
     "> run w2 5\n"
     "done w2 5 bad\n"
     "> drop 5\n"
     "done w1 3 ok\n"
     "> end 3 finished result\n"
     "tick 2\n"
     "> run w1 4\n"
     "done w1 4 ok\n"
     "> end 4 finished result\n"
     "tick 4\n"
     "> run w1 5 attempt=2\n"
     "> stop w2\n"
     "down w2\n"
     "done w1 5 ok\n"
     "> end 5 finished attempt=2 result\n"
     "> stop w1\n"
     "down w1\n"
     "> drained\n"
     "tick 9\n")

RULE(closing_ends_a_pause,
     "pool workers=1\n"
     "pause; submit 1\n"
     "close\n"
     "> start w1\n"
     "pause\n"
     "up w1\n"
     "> run w1 1\n")

RULE(an_idle_worker_of_a_closing_pool_takes_over_what_another_has,
     TWO_WORKERS
     "submit 1; submit 2; submit 3; submit 4\n"
     "> run w1 1\n"
     "> run w2 2\n"
     "> run w2 3\n"
     "> run w1 4\n"
     "close\n"
     "done w1 1 ok ran=0.00009; done w1 4 ok ran=0.00009\n"
     "> end 1 finished result\n"
     "> end 4 finished result\n"
     "> recall w2\n"
     "return w2 3; recalled w2\n"
     "> run w1 3\n"
     "done w1 3 ok; done w2 2 ok\n"
     "> end 3 finished result\n"
     "> end 2 finished result\n"
     "> stop w1\n"
     "> stop w2\n")

RULE(closing_soon_cancels_what_has_not_begun,
     "pool workers=1\n" SHORT_RUNS
     "submit 1 retries=9; submit 2; submit 3; submit 4 delay=4\n"
     "> run w1 1\n"
     "> run w1 2\n"
     "close\n"
     "close soon\n"
     "> end 3 cancelled\n"
     "> end 4 cancelled\n"
     "> recall w1\n"
     "return w1 2\n"
     "> end 2 cancelled\n"
     "recalled w1; done w1 1 bad\n" /* and retries nothing */
     "> end 1 failed result\n"
     "> stop w1\n"
     "down w1\n"
     "> drained\n")

RULE(closing_soon_asks_for_a_single_job_too,
     "pool workers=1\n"
     "submit 1\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "close soon\n"
     "> recall w1\n"
     "return w1 1; recalled w1\n"
     "> end 1 cancelled\n"
     "> stop w1\n")

RULE(closing_an_unused_pool_drains_at_once,
     "pool workers=4\n"
     "close\n"
     "> drained\n"
     "close soon\n")

RULE(closing_waits_for_a_worker_that_is_starting,
     "pool workers=1\n"
     "submit 1\n"
     "> start w1\n"
     "close soon\n"
     "> end 1 cancelled\n"
     "up w1\n"
     "> stop w1\n"
     "down w1\n"
     "> drained\n")

RULE(a_closing_pool_whose_worker_never_comes_up_drains,
     "pool workers=1\n"
     "submit 1\n"
     "> start w1\n"
     "close\n"
     "down w1 failed\n"
     "> end 1 failed\n"
     "> drained\n")

RULE(events_about_strangers_are_refused,
     "pool workers=2\n"
     "up w1\n"
     "> = einval\n"
     "up w3\n"
     "> = einval\n"
     "up w0\n"
     "> = einval\n"
     "down w1\n"
     "> = einval\n"
     "done w1 1 ok\n"
     "> = einval\n"
     "return w1 1\n"
     "> = einval\n"
     "recalled w2\n"
     "> = einval\n"
     "withdraw 1\n"
     "> = einval\n"
     "cancel 1\n"
     "> = unknown\n"
     "submit 1; submit 2\n"
     "> start w1\n"
     "> start w2\n"
     "up w1\n"
     "> run w1 1\n"
     "up w1\n"
     "> = einval\n"
     "done w2 1 ok\n"
     "> = einval\n"
     "return w2 1\n"
     "> = einval\n"
     "recalled w1\n")

RULE(time_never_runs_backwards,
     "pool workers=1\n"
     "tick 10\n"
     "at 3; submit 1 delay=2\n"
     "deadline\n"
     "> = 12\n")

/* Allocations left until one fails; negative: none fails. The linker sends the dispatcher's allocations
 * here. */
static long allowed = -1;
static bool exhausted; /* every one fails */

static bool refuse(void)
{
    return exhausted || (allowed >= 0 && allowed-- == 0);
}

void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
int __real_posix_memalign(void **out, size_t alignment, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
int __wrap_posix_memalign(void **out, size_t alignment, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
    return refuse() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return refuse() ? NULL : __real_realloc(memory, size);
}

int __wrap_posix_memalign(void **out, size_t alignment, size_t size)
{
    return refuse() ? 12 : __real_posix_memalign(out, alignment, size);
}

/* Submits jobs of all sorts; the n-th allocation fails. The number of submits that failed. */
static int submit_many(struct dispatcher *d, long n)
{
    int failed = 0;
    allowed = n;
    for (uint64_t id = 1; id <= 600; id++) {
        struct job_spec spec = {.id = id, .priority = (int32_t)(id % 90), .delay = id % 3 == 0 ? 1 : 0};
        if (id % 5 == 0)
            spec.retry.retries = 1;
        struct dispatcher_counts before, after;
        dispatcher_count(d, &before);
        int rc = dispatcher_submit(d, &spec, 0);
        dispatcher_count(d, &after);
        if (rc == 0)
            continue;
        ck_assert_int_eq(rc, TROUPE_ENOMEM);
        ck_assert_uint_eq(before.pending + before.delayed, after.pending + after.delayed);
        ck_assert_int_eq(dispatcher_state(d, id), JOB_NONE);
        failed++;
        ck_assert_int_eq(dispatcher_submit(d, &spec, 0), 0);
    }
    allowed = -1;
    return failed;
}

/* Some jobs are given back first and cancelled; of the others half fail. */
static void answer_run(struct dispatcher *d, const struct action *run, double now)
{
    void *dropped;
    if (run->id % 7 == 0) {
        ck_assert_int_eq(dispatcher_returned(d, run->worker, run->id, now), 0);
        ck_assert_int_eq(dispatcher_cancel(d, run->id, now), CANCEL_ENDED);
        return;
    }
    ck_assert_int_eq(dispatcher_done(d, run->worker, run->id, run->id % 2, 0, NULL, &dropped, now), 0);
}

/* Runs everything without any memory: the number of outcomes. */
static int run_dry(struct dispatcher *d)
{
    int ended = 0;
    double now = 0;
    exhausted = true;
    dispatcher_close(d, false, now);
    for (;;) {
        struct action a;
        if (!dispatcher_next(d, &a)) {
            now += 1;
            dispatcher_tick(d, now);
            ck_assert(dispatcher_next(d, &a));
        }
        if (a.kind == ACTION_START)
            dispatcher_worker_up(d, a.worker, now);
        else if (a.kind == ACTION_RUN)
            answer_run(d, &a, now);
        else if (a.kind == ACTION_END)
            ended++;
        else if (a.kind == ACTION_STOP)
            dispatcher_worker_down(d, a.worker, false, now);
        else if (a.kind == ACTION_DRAINED)
            break;
    }
    exhausted = false;
    return ended;
}

START_TEST(memory_failing_at_any_submit_changes_nothing_and_then_it_works)
{
    struct dispatcher_options options = {.workers = 1};
    int failed = 1;
    for (long n = 0; failed; n++) {
        struct dispatcher *d;
        ck_assert_int_eq(dispatcher_new(&d, &options), 0);
        failed = submit_many(d, n);
        ck_assert_int_le(failed, 1);
        ck_assert_int_eq(run_dry(d), 600);
        dispatcher_destroy(&d);
        ck_assert_ptr_null(d);
    }
}
END_TEST

START_TEST(memory_failing_at_the_start_or_a_resize_leaves_nothing_behind)
{
    struct dispatcher_options options = {.workers = 5};
    struct dispatcher *d = NULL;
    long n = 0;
    for (;; n++) {
        allowed = n;
        int rc = dispatcher_new(&d, &options);
        allowed = -1;
        if (rc == 0)
            break;
        ck_assert_int_eq(rc, TROUPE_ENOMEM);
        ck_assert_ptr_null(d);
    }
    ck_assert_int_gt(n, 5);
    for (n = 0;; n++) {
        allowed = n;
        int rc = dispatcher_resize(d, 9, 0);
        allowed = -1;
        if (rc == 0)
            break;
        ck_assert_int_eq(rc, TROUPE_ENOMEM);
    }
    ck_assert_int_ge(n, 5);
    ck_assert_int_eq(submit_many(d, -1), 0);
    dispatcher_destroy(&d);
}
END_TEST

RULE(a_parked_job_frees_its_workers_hand,
     "pool workers=1\n"
     "submit 1; submit 2\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "park w1 1\n"
     "> run w1 2\n"
     "count handed pending idle\n"
     "> = 2\n"
     "> = 0\n"
     "> = 0\n"
     "state 1\n"
     "> = running\n"
     "park w1 2\n"
     "count handed idle workers\n"
     "> = 2\n"
     "> = 1\n"
     "> = 1\n"
     "submit 3\n"
     "> run w1 3\n")

RULE(parked_jobs_are_done_in_any_order,
     "pool workers=1\n"
     "submit 1; submit 2; submit 3\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "park w1 1\n"
     "> run w1 2\n"
     "park w1 2\n"
     "> run w1 3\n"
     "done w1 2 ok\n"
     "> end 2 finished result\n"
     "done w1 3 bad\n"
     "> end 3 failed result\n"
     "done w1 1 ok\n"
     "> end 1 finished result\n"
     "done w1 1 ok\n"
     "> = einval\n"
     "count handed idle finished failed\n"
     "> = 0\n"
     "> = 1\n"
     "> = 2\n"
     "> = 1\n")

RULE(a_parked_job_that_failed_is_tried_again,
     "pool workers=1\n"
     "submit 1 retries=1 base=2\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "park w1 1\n"
     "done w1 1 bad\n"
     "> drop 1\n"
     "state 1\n"
     "> = delayed\n"
     "count handed\n"
     "> = 0\n"
     "tick 2\n"
     "> run w1 1 attempt=2\n"
     "park w1 1\n"
     "done w1 1 bad\n"
     "> end 1 failed attempt=2 result\n")

RULE(how_long_a_job_waited_does_not_change_credit,
     "pool workers=1\n" SHORT_RUNS
     "submit 1; submit 2; submit 3\n"
     "> run w1 1\n"
     "> run w1 2\n"
     "park w1 1\n"
     "> run w1 3\n"
     "at 9; done w1 1 ok ran=9\n"
     "> end 1 finished result\n"
     "done w1 2 ok ran=0.000001; done w1 3 ok ran=0.000001\n"
     "> end 2 finished result\n"
     "> end 3 finished result\n"
     "submit 4; submit 5\n"
     "> run w1 4\n"
     "> run w1 5\n")

RULE(a_lost_worker_loses_the_jobs_that_waited_there,
     "pool workers=1\n" SHORT_RUNS
     "submit 1; submit 2 retries=1; submit 3; submit 4\n"
     "> run w1 1\n"
     "> run w1 2\n"
     "park w1 1; park w1 2\n"
     "> run w1 3\n"
     "> run w1 4\n"
     "down w1\n" /* 3 had begun, 4 had not */
     "> end 3 lost\n"
     "> end 1 lost\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 4\n"
     "> run w1 2 attempt=2\n"
     "count handed lost retried\n"
     "> = 2\n"
     "> = 2\n"
     "> = 1\n")

RULE(a_parked_job_counts_as_begun_when_it_is_cancelled,
     "pool workers=1\n"
     "submit 1 retries=5\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "park w1 1\n"
     "cancel 1\n"
     "> = handed\n"
     "withdraw 1\n"
     "> = einval\n"
     "return w1 1\n"
     "> = einval\n"
     "cancel-pending\n"
     "state 1\n"
     "> = running\n"
     "done w1 1 bad\n" /* nobody wants it any more: no retry */
     "> end 1 failed result\n")

RULE(a_cancelled_job_that_waited_at_a_lost_worker_is_not_tried_again,
     "pool workers=1\n"
     "submit 1 retries=5\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "park w1 1\n"
     "cancel 1\n"
     "> = handed\n"
     "down w1\n"
     "> end 1 lost\n")

RULE(parking_is_for_a_job_in_that_workers_hand,
     "pool workers=2\n"
     "submit 1; submit 2\n"
     "> start w1\n"
     "> start w2\n"
     "up w1; up w2\n"
     "> run w2 1\n"
     "> run w1 2\n"
     "park w1 1\n"
     "> = einval\n"
     "park w2 1\n"
     "park w2 1\n"
     "> = einval\n"
     "park w3 1\n"
     "> = einval\n"
     "park w2 9\n"
     "> = einval\n"
     "done w1 1 ok\n"
     "> = einval\n"
     "count handed\n"
     "> = 2\n")

RULE(closing_waits_for_jobs_that_wait,
     "pool workers=1\n"
     "submit 1\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "park w1 1\n"
     "close\n"
     "count handed\n"
     "> = 1\n"
     "at 5; done w1 1 ok\n"
     "> end 1 finished result\n"
     "> stop w1\n"
     "down w1\n"
     "> drained\n")

RULE(closing_soon_neither_cancels_nor_repeats_a_job_that_waits,
     "pool workers=1\n"
     "submit 1 retries=-1; submit 2\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "park w1 1\n"
     "> run w1 2\n"
     "close soon\n"
     "> recall w1\n"
     "recalled w1; done w1 2 ok\n"
     "> end 2 stopped result\n"
     "done w1 1 bad\n"
     "> end 1 failed result\n"
     "> stop w1\n"
     "down w1\n"
     "> drained\n")

RULE(a_worker_with_jobs_that_wait_is_not_stopped_as_idle,
     "pool workers=1 idle=1\n"
     "submit 1\n"
     "> start w1\n"
     "up w1\n"
     "> run w1 1\n"
     "park w1 1\n"
     "deadline\n"
     "> = never\n"
     "tick 2\n"
     "submit 2\n"
     "> run w1 2\n"
     "at 3; done w1 2 ok\n"
     "> end 2 finished result\n"
     "tick 9\n"
     "done w1 1 ok\n"
     "> end 1 finished result\n"
     "deadline\n"
     "> = 10\n"
     "tick 10\n"
     "> stop w1\n")

RULE(a_worker_too_many_takes_no_more_jobs_while_its_own_wait,
     "pool workers=2\n"
     "submit 1; submit 2\n"
     "> start w1\n"
     "> start w2\n"
     "up w1; up w2\n"
     "> run w2 1\n"
     "> run w1 2\n"
     "park w2 1; park w1 2\n"
     "resize 1\n"
     "> stop w2\n"
     "submit 3\n"
     "> run w1 3\n"
     "done w2 1 ok\n"
     "> end 1 finished result\n"
     "down w2\n"
     "count handed workers\n"
     "> = 2\n"
     "> = 1\n")

START_TEST(options_outside_their_range_are_refused)
{
    static const struct dispatcher_options bad[] = {{.workers = 0}, {.workers = 1, .max_credit = -1},
                                                    {.workers = 1, .max_credit = 1024}};
    struct dispatcher *d = NULL;
    ck_assert_int_eq(dispatcher_new(&d, &bad[_i]), TROUPE_EINVAL);
    ck_assert_ptr_null(d);
    dispatcher_destroy(&d);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dispatcher");
    TCase *cases = suite_case(suite, "rules");
    tcase_add_test(cases, a_wrong_script_is_found_out);
    tcase_add_test(cases, equal_jobs_run_in_order_of_submission);
    tcase_add_test(cases, higher_priority_runs_first);
    tcase_add_test(cases, first_goes_to_the_front_of_its_priority_only);
    tcase_add_test(cases, a_taken_id_is_refused_until_its_job_has_ended);
    tcase_add_test(cases, workers_start_on_demand_and_never_more_than_wanted);
    tcase_add_test(cases, no_more_workers_start_than_jobs_wait);
    tcase_add_test(cases, an_idle_worker_is_used_before_one_is_started);
    tcase_add_test(cases, the_worker_busy_last_gets_the_next_job);
    tcase_add_test(cases, idle_workers_end_after_their_timeout);
    tcase_add_test(cases, a_stopping_worker_still_counts_until_it_is_down);
    tcase_add_test(cases, credit_is_one_until_runs_were_measured_short);
    tcase_add_test(cases, short_runs_let_jobs_be_handed_in_advance);
    tcase_add_test(cases, max_credit_caps_what_a_worker_holds);
    tcase_add_test(cases, a_long_run_takes_all_credit_back_at_once);
    tcase_add_test(cases, an_odd_run_time_does_no_harm);
    tcase_add_test(cases, each_idle_worker_gets_a_job_before_any_gets_a_second);
    tcase_add_test(cases, the_least_loaded_worker_gets_the_job_in_advance);
    tcase_add_test(cases, what_is_held_behind_a_long_job_is_taken_back);
    tcase_add_test(cases, a_worker_in_a_long_job_gets_nothing_in_advance);
    tcase_add_test(cases, the_only_worker_keeps_what_it_has);
    tcase_add_test(cases, an_idle_worker_gets_what_another_has_not_begun);
    tcase_add_test(cases, a_recall_that_found_nothing_is_not_repeated_before_a_job_is_done);
    tcase_add_test(cases, the_most_loaded_worker_is_asked);
    tcase_add_test(cases, returned_jobs_go_back_to_where_they_were);
    tcase_add_test(cases, a_queued_job_is_cancelled_at_once);
    tcase_add_test(cases, a_delayed_job_is_cancelled_at_once);
    tcase_add_test(cases, a_cancelled_job_that_comes_back_unbegun_ends_cancelled);
    tcase_add_test(cases, a_cancelled_job_that_ran_ends_as_it_ended);
    tcase_add_test(cases, a_withdrawn_job_ends_cancelled_and_its_worker_is_free);
    tcase_add_test(cases, cancel_pending_spares_what_a_worker_has);
    tcase_add_test(cases, delayed_jobs_are_queued_when_due_and_in_order);
    tcase_add_test(cases, a_delayed_first_job_goes_to_the_front_when_due);
    tcase_add_test(cases, a_failed_run_without_retries_is_final);
    tcase_add_test(cases, retry_waits_for_backoff);
    tcase_add_test(cases, retry_without_backoff_goes_behind_the_others);
    tcase_add_test(cases, a_factor_left_out_keeps_the_wait);
    tcase_add_test(cases, a_lost_worker_loses_the_job_it_ran);
    tcase_add_test(cases, a_lost_job_with_retries_runs_again);
    tcase_add_test(cases, what_a_lost_worker_had_not_begun_goes_back_unharmed);
    tcase_add_test(cases, a_cancelled_job_of_a_lost_worker_ends_once);
    tcase_add_test(cases, a_lost_worker_owes_no_answer_to_a_recall);
    tcase_add_test(cases, when_no_worker_comes_up_what_waits_fails);
    tcase_add_test(cases, a_failed_start_is_not_repeated_while_a_worker_lives);
    tcase_add_test(cases, fewer_workers_end_as_they_run_dry);
    tcase_add_test(cases, more_workers_start_when_jobs_wait);
    tcase_add_test(cases, credit_is_not_given_to_too_many_workers);
    tcase_add_test(cases, a_paused_pool_hands_out_nothing_and_starts_nobody);
    tcase_add_test(cases, a_pause_takes_back_what_has_not_begun);
    tcase_add_test(cases, a_closing_pool_runs_what_it_has_and_drains);
    tcase_add_test(cases, closing_ends_a_pause);
    tcase_add_test(cases, an_idle_worker_of_a_closing_pool_takes_over_what_another_has);
    tcase_add_test(cases, closing_soon_cancels_what_has_not_begun);
    tcase_add_test(cases, closing_soon_asks_for_a_single_job_too);
    tcase_add_test(cases, closing_an_unused_pool_drains_at_once);
    tcase_add_test(cases, closing_waits_for_a_worker_that_is_starting);
    tcase_add_test(cases, a_closing_pool_whose_worker_never_comes_up_drains);
    tcase_add_test(cases, a_parked_job_frees_its_workers_hand);
    tcase_add_test(cases, parked_jobs_are_done_in_any_order);
    tcase_add_test(cases, a_parked_job_that_failed_is_tried_again);
    tcase_add_test(cases, how_long_a_job_waited_does_not_change_credit);
    tcase_add_test(cases, a_lost_worker_loses_the_jobs_that_waited_there);
    tcase_add_test(cases, a_parked_job_counts_as_begun_when_it_is_cancelled);
    tcase_add_test(cases, a_cancelled_job_that_waited_at_a_lost_worker_is_not_tried_again);
    tcase_add_test(cases, parking_is_for_a_job_in_that_workers_hand);
    tcase_add_test(cases, closing_waits_for_jobs_that_wait);
    tcase_add_test(cases, closing_soon_neither_cancels_nor_repeats_a_job_that_waits);
    tcase_add_test(cases, a_worker_with_jobs_that_wait_is_not_stopped_as_idle);
    tcase_add_test(cases, a_worker_too_many_takes_no_more_jobs_while_its_own_wait);
    tcase_add_test(cases, events_about_strangers_are_refused);
    tcase_add_test(cases, time_never_runs_backwards);
    tcase_add_loop_test(cases, options_outside_their_range_are_refused, 0, 3);
    tcase_add_test(cases, memory_failing_at_any_submit_changes_nothing_and_then_it_works);
    tcase_add_test(cases, memory_failing_at_the_start_or_a_resize_leaves_nothing_behind);
    return suite_run(suite);
}
