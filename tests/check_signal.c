/* check_signal.c - which real-time signal is taken for interrupts. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "interrupt.h"
#include "suite.h"
#include "thread.h"
#include "troupe.h"

static void on_signal(int number)
{
    (void)number;
}

static void do_nothing(void *arg)
{
    (void)arg;
}

START_TEST(the_signal_is_the_highest_that_is_free)
{
    struct sigaction action = { .sa_handler = on_signal };
    unsetenv("TROUPE_SIGNAL");
    sigaction(SIGRTMAX, &action, NULL);
    sigaction(SIGRTMAX - 1, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
    ck_assert_int_eq(interrupt_signal(), 0);
    ck_assert_int_eq(interrupt_take(), 0);
    ck_assert_int_eq(interrupt_signal(), SIGRTMAX - 2);
    ck_assert_int_eq(interrupt_take(), 0);
    ck_assert_int_eq(interrupt_signal(), SIGRTMAX - 2);
}
END_TEST

static const struct choice {
    const char *text;
    int from_min, from_max; /* offset, or 99: not from there */
} choices[] = { { "SIGRTMIN+3", 3, 99 }, { "SIGRTMAX-5", 99, -5 }, { "SIGRTMIN", 0, 99 },
                { "9", 99, 0 },          { "nonsense", 99, 0 },    { "SIGRTMAX+1", 99, 0 }, { "", 99, 0 } };

START_TEST(the_environment_chooses_the_signal)
{
    const struct choice *choice = &choices[_i];
    setenv("TROUPE_SIGNAL", choice->text, 1);
    ck_assert_int_eq(interrupt_take(), 0);
    ck_assert_int_eq(interrupt_signal(),
                     choice->from_min == 99 ? SIGRTMAX + choice->from_max : SIGRTMIN + choice->from_min);
    const char *misnomer = interrupt_misnomer();
    ck_assert_str_eq(misnomer ? misnomer : "", choice->from_max == 0 ? choice->text : "");
    ck_assert_ptr_null(interrupt_misnomer());
}
END_TEST

START_TEST(the_environment_cannot_take_a_signal_that_is_handled)
{
    struct sigaction action = { .sa_handler = on_signal }, now;
    char number[16];
    snprintf(number, sizeof number, "%d", SIGRTMIN + 1);
    setenv("TROUPE_SIGNAL", number, 1);
    sigaction(SIGRTMIN + 1, &action, NULL);
    ck_assert_int_eq(interrupt_take(), 0);
    ck_assert_int_ne(interrupt_signal(), SIGRTMIN + 1);
    sigaction(SIGRTMIN + 1, NULL, &now);
    ck_assert(now.sa_handler == on_signal);
}
END_TEST

START_TEST(without_a_free_signal_nothing_starts)
{
    struct thread *thread;
    struct sigaction action = { .sa_handler = on_signal };
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        sigaction(number, &action, NULL);
    ck_assert_int_eq(thread_start(&thread, "none", do_nothing, NULL), TROUPE_ELIMIT);
    sigaction(SIGRTMIN + 2, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
    ck_assert_int_eq(thread_start(&thread, "one", do_nothing, NULL), 0);
    ck_assert_int_eq(thread_join(&thread, -1), 0);
    ck_assert_int_eq(interrupt_signal(), SIGRTMIN + 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("signal");
    TCase *tcase = suite_case(suite, "choice");
    tcase_add_test(tcase, the_signal_is_the_highest_that_is_free);
    tcase_add_loop_test(tcase, the_environment_chooses_the_signal, 0, sizeof choices / sizeof *choices);
    tcase_add_test(tcase, the_environment_cannot_take_a_signal_that_is_handled);
    tcase_add_test(tcase, without_a_free_signal_nothing_starts);
    return suite_run(suite);
}
