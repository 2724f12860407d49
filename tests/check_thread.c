/* check_thread.c - threads: start, join, park, name, signal; the latch under them. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "interrupt.h"
#include "latch.h"
#include "sanitizer.h"
#include "suite.h"
#include "thread.h"
#include "troupe.h"

#if WITH_TSAN
/* One test starts threads in a forked child, which ThreadSanitizer by itself would not have. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}
#endif

static atomic_int runs;

static void count(void *arg)
{
    (void)arg;
    atomic_fetch_add(&runs, 1);
}

static void await_latch(void *arg)
{
    while (latch_wait(arg, -1) == TROUPE_EINTR)
        ;
}

static void note_id(void *arg)
{
    *(long *)arg = syscall(SYS_gettid);
}

static int tasks_of_process(void)
{
    char line[128];
    int threads = 0;
    FILE *file = fopen("/proc/self/status", "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "Threads: %d", &threads) == 1)
            break;
    fclose(file);
    return threads;
}

START_TEST(a_joined_thread_has_run)
{
    struct thread *thread;
    ck_assert_int_eq(thread_start(&thread, "one", count, NULL), 0);
    ck_assert_int_eq(thread_join(&thread, -1), 0);
    ck_assert_ptr_null(thread);
    ck_assert_int_eq(atomic_load(&runs), 1);
}
END_TEST

START_TEST(join_gives_up_after_its_timeout_and_succeeds_later)
{
    struct thread *thread;
    struct latch gate;
    latch_close(&gate);
    ck_assert_int_eq(thread_start(&thread, "waits", await_latch, &gate), 0);
    ck_assert_int_eq(thread_join(&thread, 0), TROUPE_ETIMEDOUT);
    double before = clock_now();
    ck_assert_int_eq(thread_join(&thread, 0.02), TROUPE_ETIMEDOUT);
    ck_assert(clock_now() - before >= 0.02);
    ck_assert(!thread_ended(thread));
    latch_open(&gate);
    ck_assert_int_eq(thread_join(&thread, 1e300), 0);
}
END_TEST

START_TEST(an_ended_thread_is_known_to_have_ended_before_the_join)
{
    struct thread *thread;
    ck_assert_int_eq(thread_start(&thread, "one", count, NULL), 0);
    while (!thread_ended(thread))
        sched_yield();
    ck_assert_int_eq(thread_join(&thread, 0), 0);
}
END_TEST

START_TEST(a_detached_thread_runs_to_its_end)
{
    struct thread *thread;
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(thread_start(&thread, "detached", count, NULL), 0);
        thread_detach(&thread);
        ck_assert_ptr_null(thread);
    }
    while (atomic_load(&runs) < 100)
        sched_yield();
}
END_TEST

START_TEST(ended_threads_serve_again)
{
    struct thread *thread;
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(thread_start(&thread, "again", count, NULL), 0);
        ck_assert_int_eq(thread_join(&thread, -1), 0);
    }
    ck_assert_int_eq(atomic_load(&runs), 1000);
    ck_assert_int_le(tasks_of_process(), 30);
}
END_TEST

START_TEST(many_are_alive_at_once_and_few_stay_parked)
{
    enum { MANY = 300 };
    struct thread *threads[MANY];
    struct latch gate;
    latch_close(&gate);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(thread_start(&threads[i], "many", await_latch, &gate), 0);
    ck_assert_int_gt(tasks_of_process(), MANY);
    latch_open(&gate);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(thread_join(&threads[i], -1), 0);
    while (tasks_of_process() > 30)
        sched_yield();
}
END_TEST

static void note_name(void *arg)
{
    prctl(PR_GET_NAME, arg);
}

START_TEST(a_thread_is_called_as_asked_cut_to_fifteen_bytes)
{
    struct thread *thread;
    char name[17] = "";
    ck_assert_int_eq(thread_start(&thread, "a name that is too long", note_name, name), 0);
    ck_assert_int_eq(thread_join(&thread, -1), 0);
    ck_assert_str_eq(name, "a name that is ");
    ck_assert_int_eq(thread_start(&thread, "", note_name, name), 0);
    ck_assert_int_eq(thread_join(&thread, -1), 0);
    ck_assert_str_eq(name, "");
}
END_TEST

static void note_mask(void *arg)
{
    pthread_sigmask(SIG_SETMASK, NULL, arg);
}

START_TEST(a_thread_blocks_every_signal_but_the_interrupt_and_faults)
{
    struct thread *thread;
    sigset_t mask;
    ck_assert_int_eq(thread_start(&thread, "mask", note_mask, &mask), 0);
    ck_assert_int_eq(thread_join(&thread, -1), 0);
    ck_assert_int_eq(sigismember(&mask, interrupt_signal()), 0);
    ck_assert_int_eq(sigismember(&mask, SIGSEGV), 0);
    for (int number = 1; number <= SIGRTMAX; number++) {
        static const int open[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGKILL, SIGSTOP };
        int expected = number != interrupt_signal();
        for (size_t i = 0; i < sizeof open / sizeof *open; i++)
            expected = expected && number != open[i];
        if (number < 32 || number >= SIGRTMIN)
            ck_assert_msg(sigismember(&mask, number) == expected, "signal %d", number);
    }
}
END_TEST

static void note_lifted_mask(void *arg)
{
    sigset_t *masks = arg;
    thread_lift_mask();
    note_mask(&masks[0]);
    thread_restore_mask();
    note_mask(&masks[1]);
}

START_TEST(the_mask_of_the_program_can_be_lent_to_a_thread)
{
    struct thread *thread;
    sigset_t mine, lent[2];
    sigemptyset(&mine);
    sigaddset(&mine, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &mine, NULL);
    ck_assert_int_eq(thread_start(&thread, "mask", note_lifted_mask, lent), 0);
    ck_assert_int_eq(thread_join(&thread, -1), 0);
    ck_assert_int_eq(sigismember(&lent[0], SIGUSR2), 1);
    ck_assert_int_eq(sigismember(&lent[0], SIGINT), 0);
    ck_assert_int_eq(sigismember(&lent[1], SIGINT), 1);
    ck_assert_int_eq(sigismember(&lent[1], interrupt_signal()), 0);
}
END_TEST

struct reader {
    int pipe[2];
    struct latch begun;
    int result, error;
};

static void read_pipe(void *arg)
{
    struct reader *self = arg;
    char byte;
    latch_open(&self->begun);
    self->result = (int)read(self->pipe[0], &byte, 1);
    self->error = errno;
}

START_TEST(a_signal_breaks_into_a_blocking_call)
{
    struct thread *thread;
    struct reader reader;
    latch_close(&reader.begun);
    ck_assert_int_eq(pipe(reader.pipe), 0);
    ck_assert_int_eq(thread_start(&thread, "reads", read_pipe, &reader), 0);
    ck_assert_int_eq(latch_wait(&reader.begun, -1), 0);
    do /* the read may not have begun yet */
        thread_signal(thread);
    while (thread_join(&thread, 0.005) == TROUPE_ETIMEDOUT);
    ck_assert_int_eq(reader.result, -1);
    ck_assert_int_eq(reader.error, EINTR);
    close(reader.pipe[0]);
    close(reader.pipe[1]);
}
END_TEST

START_TEST(signals_to_threads_that_come_and_go_are_harmless)
{
    struct thread *thread;
    for (int i = 0; i < 3000; i++) {
        ck_assert_int_eq(thread_start(&thread, "brief", count, NULL), 0);
        for (int k = 0; k < i % 5; k++)
            thread_signal(thread);
        while (thread_join(&thread, 1) != 0)
            thread_signal(thread);
    }
    ck_assert_int_eq(atomic_load(&runs), 3000);
}
END_TEST

static void on_alarm(int number)
{
    (void)number;
}

struct nudge {
    pthread_t target;
    struct latch *gate;
};

static void nudge_until_open(void *arg)
{
    struct nudge *self = arg;
    while (!latch_is_open(self->gate)) {
        pthread_kill(self->target, SIGUSR1);
        latch_wait(self->gate, 0.002);
    }
}

START_TEST(join_says_when_a_handler_ran_first)
{
    struct thread *thread;
    struct latch gate;
    struct sigaction action = { .sa_handler = on_alarm };
    struct nudge nudge = { pthread_self(), &gate };
    latch_close(&gate);
    sigaction(SIGUSR1, &action, NULL);
    ck_assert_int_eq(thread_start(&thread, "nudges", nudge_until_open, &nudge), 0);
    ck_assert_int_eq(thread_join(&thread, -1), TROUPE_EINTR);
    ck_assert_ptr_nonnull(thread);
    latch_open(&gate);
    while (thread_join(&thread, -1) == TROUPE_EINTR)
        ;
}
END_TEST

START_TEST(a_latch_lets_all_who_wait_pass)
{
    struct thread *threads[20];
    struct latch gate;
    latch_close(&gate);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(thread_start(&threads[i], "waits", await_latch, &gate), 0);
    ck_assert_int_eq(thread_join(&threads[0], 0.01), TROUPE_ETIMEDOUT);
    latch_open(&gate);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(thread_join(&threads[i], -1), 0);
}
END_TEST

static struct latch idle_ran;

static void idle_work(void)
{
    latch_open(&idle_ran);
}

START_TEST(an_ended_thread_does_the_idle_work)
{
    struct thread *thread;
    latch_close(&idle_ran);
    thread_set_idle_work(idle_work);
    ck_assert_int_eq(thread_start(&thread, "one", count, NULL), 0);
    ck_assert_int_eq(thread_join(&thread, -1), 0);
    ck_assert_int_eq(latch_wait(&idle_ran, -1), 0);
    thread_set_idle_work(NULL);
}
END_TEST

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
           + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

START_TEST(parked_and_waiting_threads_use_no_processor)
{
    struct thread *thread;
    struct latch gate, never;
    latch_close(&gate);
    latch_close(&never);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(thread_start(&thread, "one", count, NULL), 0);
        ck_assert_int_eq(thread_join(&thread, -1), 0);
    }
    ck_assert_int_eq(thread_start(&thread, "waits", await_latch, &gate), 0);
    latch_wait(&never, 0.1); /* all have gone to sleep */
    double before = cpu_seconds();
    latch_wait(&never, 0.5);
    ck_assert(cpu_seconds() - before < 0.25);
    latch_open(&gate);
    ck_assert_int_eq(thread_join(&thread, -1), 0);
}
END_TEST

START_TEST(a_forked_child_starts_threads_and_knows_which_it_lacks)
{
    struct thread *left, *thread;
    struct latch gate;
    long id = 0;
    int status;
    latch_close(&gate);
    ck_assert_int_eq(thread_start(&thread, "parks", count, NULL), 0);
    ck_assert_int_eq(thread_join(&thread, -1), 0);
    ck_assert_int_eq(thread_start(&left, "left", await_latch, &gate), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int good = thread_join(&left, -1) == TROUPE_EDEAD && thread_start(&thread, "new", note_id, &id) == 0
                   && thread_join(&thread, -1) == 0 && id != 0;
        _exit(good ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    latch_open(&gate);
    ck_assert_int_eq(thread_join(&left, -1), 0);
}
END_TEST

/* As another user, one that may have no more threads: root may always. */
static void become_limited(struct rlimit *limit)
{
    if (getuid() == 0) {
        struct passwd *nobody = getpwnam("nobody");
        ck_assert_int_eq(setuid(nobody ? nobody->pw_uid : 65534), 0);
    }
    ck_assert_int_eq(getrlimit(RLIMIT_NPROC, limit), 0);
    struct rlimit none = { .rlim_cur = 0, .rlim_max = limit->rlim_max };
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &none), 0);
}

START_TEST(a_start_that_finds_no_thread_fails_and_works_again_later)
{
    struct thread *thread;
    struct rlimit limit;
    become_limited(&limit);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(thread_start(&thread, "none", count, NULL), TROUPE_ELIMIT);
        ck_assert_ptr_null(thread);
    }
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
    ck_assert_int_eq(thread_start(&thread, "one", count, NULL), 0);
    ck_assert_int_eq(thread_join(&thread, -1), 0);
    ck_assert_int_eq(atomic_load(&runs), 1);
}
END_TEST

START_TEST(there_is_at_least_one_processor)
{
    ck_assert_int_ge(thread_cores(), 1);
    ck_assert_int_le(thread_cores(), (int)sysconf(_SC_NPROCESSORS_CONF));
}
END_TEST

static void add_tests_of_life(TCase *tcase)
{
    tcase_add_test(tcase, a_joined_thread_has_run);
    tcase_add_test(tcase, join_gives_up_after_its_timeout_and_succeeds_later);
    tcase_add_test(tcase, an_ended_thread_is_known_to_have_ended_before_the_join);
    tcase_add_test(tcase, a_detached_thread_runs_to_its_end);
    tcase_add_test(tcase, ended_threads_serve_again);
    tcase_add_test(tcase, many_are_alive_at_once_and_few_stay_parked);
    tcase_add_test(tcase, a_thread_is_called_as_asked_cut_to_fifteen_bytes);
    tcase_add_test(tcase, a_latch_lets_all_who_wait_pass);
    tcase_add_test(tcase, an_ended_thread_does_the_idle_work);
    tcase_add_test(tcase, parked_and_waiting_threads_use_no_processor);
    tcase_add_test(tcase, a_forked_child_starts_threads_and_knows_which_it_lacks);
    tcase_add_test(tcase, a_start_that_finds_no_thread_fails_and_works_again_later);
    tcase_add_test(tcase, there_is_at_least_one_processor);
}

static void add_tests_of_signals(TCase *tcase)
{
    tcase_add_test(tcase, a_thread_blocks_every_signal_but_the_interrupt_and_faults);
    tcase_add_test(tcase, the_mask_of_the_program_can_be_lent_to_a_thread);
    tcase_add_test(tcase, a_signal_breaks_into_a_blocking_call);
    tcase_add_test(tcase, signals_to_threads_that_come_and_go_are_harmless);
    tcase_add_test(tcase, join_says_when_a_handler_ran_first);
}

int main(void)
{
    Suite *suite = suite_create("thread");
    TCase *life = suite_case(suite, "life"), *signals = suite_case(suite, "signals");
    add_tests_of_life(life);
    add_tests_of_signals(signals);
    return suite_run(suite);
}
