/* check_process.c - other processes: found, started with what they are given, ended and awaited. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failing_memory.h"
#include "suite.h"
#include "troupe.h"

static long fail_at; /* the allocation that fails next, from 1; 0: none */
static long will_fail_at; /* during the next start */

static bool fails(void)
{
    return fail_at > 0 && --fail_at == 0;
}

static char script[64];

/* A program for the shell, in a file of its own. */
static const char *program(const char *text)
{
    snprintf(script, sizeof script, "/tmp/check_process.XXXXXX");
    int fd = mkstemp(script);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_gt(dprintf(fd, "#!/bin/sh\n%s\n", text), 0);
    ck_assert_int_eq(fchmod(fd, 0700), 0);
    close(fd);
    return script;
}

/* Starts it with a pipe as its output and descriptor 3; the end to read from in *out. */
static int start(struct process **process, const char *path, const char *const *env, int *out)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    struct process_options o = { .program = path, .env = env, .handover = ends[1], .out = ends[1], .err = 2, .log = ends[1] };
    fail_at = will_fail_at;
    int rc = process_start(process, &o), why = errno;
    will_fail_at = fail_at; /* 0 when one has failed */
    fail_at = 0;
    close(ends[1]);
    if (rc)
        close(ends[0]);
    *out = ends[0];
    errno = why;
    return rc;
}

/* All that it writes until it ends. */
static const char *hear(int fd)
{
    static char text[4096];
    size_t size = 0;
    ssize_t n;
    while ((n = read(fd, text + size, sizeof text - 1 - size)) > 0)
        size += (size_t)n;
    text[size] = 0;
    close(fd);
    return text;
}

static void expect_end(struct process **process, const char *expected)
{
    char reason[64];
    process_reap(process, reason, sizeof reason);
    ck_assert_ptr_null(*process);
    ck_assert_str_eq(reason, expected);
    unlink(script);
}

START_TEST(what_the_environment_names_is_found_or_said_to_be_nowhere)
{
    char path[4096];
    setenv("TROUPE", "/bin/sh", 1);
    ck_assert_int_eq(process_find(path, sizeof path), 0);
    ck_assert_str_eq(path, "/bin/sh");
    setenv("TROUPE", "/no/such/program", 1);
    ck_assert_int_eq(process_find(path, sizeof path), TROUPE_EINVAL);
    ck_assert_ptr_nonnull(strstr(path, "/no/such/program"));
    ck_assert_ptr_nonnull(strstr(path, "TROUPE"));
}
END_TEST

START_TEST(a_process_has_its_argument_its_environment_and_one_descriptor_more)
{
    static const char *const env[] = { "ADDED=yes", "CHANGED=new", "REMOVED", NULL };
    struct process *process;
    int out;
    setenv("CHANGED", "old", 1);
    setenv("REMOVED", "old", 1);
    setenv("KEPT", "old", 1);
    int other = open("/dev/null", O_RDONLY); /* inherited unless the process closes it, as troupe does at once */
    ck_assert_int_eq(start(&process, program("echo $1 $ADDED $CHANGED ${REMOVED-none} $KEPT; echo three >&3"), env, &out), 0);
    ck_assert_int_gt(process_id(process), 0);
    ck_assert_str_eq(hear(out), PROCESS_ARGUMENT " yes new none old\nthree\n");
    expect_end(&process, "exit status 0");
    close(other);
}
END_TEST

START_TEST(the_end_is_told_with_status_or_signal)
{
    struct process *process;
    int out;
    ck_assert_int_eq(start(&process, program("exit 3"), NULL, &out), 0);
    hear(out);
    expect_end(&process, "exit status 3");
    ck_assert_int_eq(start(&process, program("kill -SEGV $$"), NULL, &out), 0);
    hear(out);
    expect_end(&process, "killed by signal 11 (Segmentation fault)");
    ck_assert_int_eq(start(&process, program("echo here; sleep 1000 & wait"), NULL, &out), 0);
    char byte;
    ck_assert_int_eq(read(out, &byte, 1), 1);
    process_kill(process);
    hear(out); /* ends only when all of the group has: they hold the pipe */
    expect_end(&process, "killed by signal 9 (Killed)");
}
END_TEST

START_TEST(a_status_that_the_program_took_itself_is_not_known)
{
    struct process *process;
    int out;
    ck_assert_int_eq(start(&process, program("exit 0"), NULL, &out), 0);
    hear(out);
    ck_assert_int_eq(waitpid(process_id(process), NULL, 0), process_id(process));
    expect_end(&process, "its status was taken by the program itself");
}
END_TEST

/* Valgrind turns the C library's spawn into a fork, which cannot say that exec has failed: then the process ends at once. */
static void expect_no_start(const char *path, int why)
{
    struct process *process;
    char reason[64];
    int out, rc = start(&process, path, NULL, &out), error = errno;
    if (rc == 0) {
        hear(out);
        process_reap(&process, reason, sizeof reason);
        ck_assert_str_eq(reason, "exit status 127");
        return;
    }
    ck_assert_int_eq(rc, TROUPE_EINVAL);
    ck_assert_int_eq(error, why);
}

START_TEST(what_cannot_be_started_says_why_and_costs_nothing)
{
    expect_no_start("/no/such/program", ENOENT);
    expect_no_start("/etc/passwd", EACCES);
}
END_TEST

START_TEST(without_descriptors_none_is_started_and_with_them_again_one_is)
{
    struct process *process;
    struct rlimit limit, few;
    int out, ends[2];
    const char *path = program("exit 4");
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    getrlimit(RLIMIT_NOFILE, &limit);
    few = limit;
    few.rlim_cur = (rlim_t)ends[1] + 1;
    setrlimit(RLIMIT_NOFILE, &few);
    struct process_options o = { .program = path, .handover = ends[1], .out = ends[1], .err = 2, .log = ends[1] };
    ck_assert_int_eq(process_start(&process, &o), TROUPE_ELIMIT);
    ck_assert_int_eq(errno, EMFILE);
    setrlimit(RLIMIT_NOFILE, &limit);
    close(ends[0]);
    close(ends[1]);
    ck_assert_int_eq(start(&process, path, NULL, &out), 0);
    hear(out);
    expect_end(&process, "exit status 4");
}
END_TEST

START_TEST(whichever_allocation_fails_none_is_started_and_then_one_is)
{
    struct process *process;
    int out, failures = 0, rc;
    const char *path = program("exit 5");
    do {
        will_fail_at = ++failures;
        rc = start(&process, path, NULL, &out);
        ck_assert_int_eq(rc, will_fail_at == 0 ? TROUPE_ENOMEM : 0);
    } while (rc);
    will_fail_at = 0;
    ck_assert_int_gt(failures, 2);
    hear(out);
    expect_end(&process, "exit status 5");
}
END_TEST

/* What a child that confines itself so ends with. */
static int confined(const struct process_limits *limits, int (*then)(void))
{
    int status;
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        char why[300];
        struct process_limits own = *limits;
        own.parent = own.parent ? own.parent : getppid();
        _exit(process_confine(&own, why, sizeof why) ? 100 : then());
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int niceness(void)
{
    return getpriority(PRIO_PROCESS, 0);
}

static int is_in_root(void)
{
    char path[100];
    return getcwd(path, sizeof path) && strcmp(path, "/") == 0;
}

static int has_become(void)
{
    return geteuid() == 12345 && getuid() == 12345 && getegid() == 54321 && getgid() == 54321 && setuid(0) != 0;
}

static int always(void)
{
    return 1;
}

START_TEST(a_process_confines_itself_and_ends_when_its_parent_is_another)
{
    static const struct process_limits none = { .uid = -1, .gid = -1 };
    struct process_limits l = none;
    ck_assert_int_eq(confined(&l, always), 1);
    l.nice = 3;
    ck_assert_int_eq(confined(&l, niceness), niceness() + 3 > 19 ? 19 : niceness() + 3);
    l = none;
    l.cwd = "/";
    ck_assert_int_eq(confined(&l, is_in_root), 1);
    l.cwd = "/no/such/place";
    ck_assert_int_eq(confined(&l, always), 100);
    l = none;
    l.parent = 1 << 29;
    ck_assert_int_eq(confined(&l, has_become), 1);
    l = none;
    l.uid = 12345;
    l.gid = 54321;
    ck_assert_int_eq(confined(&l, geteuid() == 0 ? has_become : always), geteuid() == 0 ? 1 : 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("process");
    TCase *cases = suite_case(suite, "rules");
    tcase_add_test(cases, what_the_environment_names_is_found_or_said_to_be_nowhere);
    tcase_add_test(cases, a_process_has_its_argument_its_environment_and_one_descriptor_more);
    tcase_add_test(cases, the_end_is_told_with_status_or_signal);
    tcase_add_test(cases, a_status_that_the_program_took_itself_is_not_known);
    tcase_add_test(cases, what_cannot_be_started_says_why_and_costs_nothing);
    tcase_add_test(cases, without_descriptors_none_is_started_and_with_them_again_one_is);
    tcase_add_test(cases, whichever_allocation_fails_none_is_started_and_then_one_is);
    tcase_add_test(cases, a_process_confines_itself_and_ends_when_its_parent_is_another);
    return suite_run(suite);
}
