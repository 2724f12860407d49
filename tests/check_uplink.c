/* check_uplink.c - a worker process's end of the way to its program: what it does with letters, with what is none, with the
 * program's end, and with a lack of memory.
 *
 * The process is this very program, which is then nothing but uplink_run; the test has the bridge's place. Linked with --wrap
 * for malloc and its kin: in the process the allocation fails that its environment names.
 */
#include "uplink.h"
#include "suite.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "address.h"
#include "bridge.h"
#include "clock.h"
#include "failing_memory.h"
#include "frames.h"
#include "lua_loop.h"
#include "message.h"
#include "pack.h"
#include "process.h"
#include "troupe.h"

enum { HOUSE = 12, POOL = 3, TAG = 0x10001, BOX = 40 /* the bridge's, which letters to the worker name */ };

static const double patience = 200;

static const char blocks[] = "while true do end";

static atomic_long left = -1; /* allocations until one fails; negative: none does */

static bool fails(void)
{
    return atomic_load(&left) >= 0 && atomic_fetch_sub(&left, 1) == 0;
}

static char own[PATH_MAX];

/* ---- the program's end */

static struct {
    struct process *process;
    struct frames *frames;
    int fd;
} way;

static void start(const char *environment)
{
    const char *const env[] = { environment, NULL };
    int ends[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    struct process_options o = { .program = own, .env = env, .handover = ends[1], .out = null, .err = 2, .log = null };
    ck_assert_int_eq(process_start(&way.process, &o), 0);
    close(ends[1]);
    close(null);
    way.fd = ends[0];
    way.frames = frames_new(ends[0]);
    ck_assert_ptr_nonnull(way.frames);
}

/* It ends by itself, and so. */
static void expect_end(const char *how)
{
    char reason[64];
    process_reap(&way.process, reason, sizeof reason); /* waits for it: should it never end, the test's deadline passes */
    ck_assert_str_eq(reason, how);
    frames_destroy(&way.frames);
    message_release_cache();
}

static void flush(void)
{
    int rc;
    while ((rc = frames_flush(way.frames)) == TROUPE_EFULL)
        frames_wait_to_send(way.frames);
}

static void say(struct message *m)
{
    frames_put(way.frames, &m);
    flush();
}

/* The next letter; NULL: the process has ended. */
static struct message *hear_any(void)
{
    struct message *m;
    double until = clock_now() + patience;
    while (!(m = frames_take(way.frames))) {
        struct pollfd p = { .fd = way.fd, .events = POLLIN };
        ck_assert_msg(clock_now() < until, "nothing comes");
        poll(&p, 1, 1000);
        int rc = frames_fill(way.frames);
        if (rc && rc != TROUPE_ETIMEDOUT)
            return frames_take(way.frames);
    }
    return m;
}

/* The next letter, but for MEMORY, which tells how much there is. */
static struct message *hear(enum message_kind kind)
{
    struct message *m;
    while ((m = hear_any()) && message_header(m)->kind == MAIL_MEMORY && kind != MAIL_MEMORY)
        message_destroy(&m);
    ck_assert_msg(m != NULL, "letter %d never came", kind);
    ck_assert_int_eq(message_header(m)->kind, kind);
    return m;
}

static void expect(enum message_kind kind)
{
    struct message *m = hear(kind);
    message_destroy(&m);
}

static struct message *letter(enum message_kind kind, uint64_t id)
{
    struct message *m = message_new(kind);
    struct header *h = message_header(m);
    h->to = address_make(0, BOX, 0);
    h->from = address_make(0, 0, 0);
    h->id = id;
    h->pool = POOL;
    h->worker = TAG;
    return m;
}

static void say_hello(void)
{
    char version[64];
    ck_assert_int_eq(frames_say_hello(way.frames), 0);
    ck_assert_int_eq(frames_hear_hello(way.frames, patience, version, sizeof version), 0);
}

static struct message *order(double cpu_limit)
{
    struct message *m = letter(MAIL_HOUSE, 0);
    struct bridge_order o = { .pool = POOL, .number = 1, .tag = TAG, .house = HOUSE, .parent = getpid(), .uid = -1, .gid = -1,
                              .cpu_limit = cpu_limit, .name_size = 7, .log_level = 3 };
    buffer_append(&m->bytes, &o, sizeof o);
    buffer_append(&m->bytes, "uplink", 7);
    return m;
}

static void come_up(double cpu_limit)
{
    start("FAIL_AT");
    say_hello();
    say(order(cpu_limit));
    expect(MAIL_UP);
}

static void run(uint64_t id, const char *source)
{
    struct message *m = letter(MAIL_RUN, id);
    pack_string(&m->bytes, source);
    say(m);
}

static void expect_done(uint64_t id, unsigned flags, const char *body)
{
    struct message *m = hear(MAIL_DONE);
    const struct header *h = message_header(m);
    ck_assert_uint_eq(h->id, id);
    ck_assert_uint_eq(h->flags, flags);
    ck_assert_uint_eq(h->pool, POOL);
    ck_assert_uint_eq(h->worker, TAG);
    ck_assert_uint_eq(h->to, address_make(0, 0, 0));
    if (body)
        ck_assert_msg(memmem(message_body(m), message_body_size(m), body, strlen(body)), "%.*s", (int)message_body_size(m), (const char *)message_body(m));
    message_destroy(&m);
}

/* Waits until the job is no longer among those that have not begun; it may have ended. */
static void await_begun(uint64_t id)
{
    for (bool begun = false; !begun;) {
        struct message *m;
        say(letter(MAIL_LOOK, id));
        while ((m = hear_any()) && message_header(m)->kind != MAIL_LOOK)
            message_destroy(&m);
        ck_assert_ptr_nonnull(m);
        ck_assert_uint_eq(message_header(m)->id, id);
        begun = message_header(m)->u.number;
        message_destroy(&m);
    }
}

/* The job is broken into until it ends. */
static void break_into(uint64_t id)
{
    say(letter(MAIL_BREAK, id));
    for (;;) {
        struct message *m = hear_any();
        ck_assert_ptr_nonnull(m);
        bool done = message_header(m)->kind == MAIL_DONE, broken = message_header(m)->kind == MAIL_BROKEN;
        if (done)
            ck_assert_uint_eq(message_header(m)->id, id);
        if (broken)
            ck_assert(message_header(m)->code == id || message_header(m)->code == 0);
        message_destroy(&m);
        if (done)
            return;
    }
}

static void stop(void)
{
    say(letter(MAIL_STOP, 0));
    struct message *m;
    while ((m = hear_any()) && message_header(m)->kind != MAIL_DOWN)
        message_destroy(&m);
    ck_assert_ptr_nonnull(m);
    ck_assert_uint_eq(message_header(m)->flags, 0);
    message_destroy(&m);
    expect_end("exit status 0");
}

START_TEST(a_process_does_jobs_until_it_is_stopped)
{
    come_up(0);
    run(1, "return 'the result'");
    expect_done(1, 0, "the result");
    run(2, "error 'it fails'");
    expect_done(2, FLAG_ERROR, "it fails");
    stop();
}
END_TEST

START_TEST(what_has_not_begun_comes_back_and_what_has_is_kept)
{
    come_up(0);
    run(1, blocks);
    await_begun(1);
    for (uint64_t id = 2; id <= 5; id++)
        run(id, "return 1");
    say(letter(MAIL_LOOK, 3));
    struct message *m = hear(MAIL_LOOK);
    ck_assert_int_eq(message_header(m)->u.number, 0);
    message_destroy(&m);
    say(letter(MAIL_RECALL, 3));
    m = hear(MAIL_RETURN);
    ck_assert_uint_eq(message_header(m)->id, 3);
    message_destroy(&m);
    say(letter(MAIL_RECALL, 1));
    m = hear(MAIL_KEPT);
    ck_assert_uint_eq(message_header(m)->id, 1);
    message_destroy(&m);
    say(letter(MAIL_HALT, 4)); /* it has not begun: back it goes */
    m = hear(MAIL_RETURN);
    ck_assert_uint_eq(message_header(m)->id, 4);
    message_destroy(&m);
    say(letter(MAIL_RECALL, 0));
    for (uint64_t id = 2; id <= 5; id += 3) {
        m = hear(MAIL_RETURN);
        ck_assert_uint_eq(message_header(m)->id, id);
        message_destroy(&m);
    }
    break_into(1);
    run(6, "return 6");
    expect_done(6, 0, NULL);
    stop();
}
END_TEST

START_TEST(letters_to_others_go_up_as_they_are_and_letters_home_find_whom_they_name)
{
    static const uint16_t houses[] = { 0, HOUSE + 1 };
    char source[300];
    come_up(0);
    for (int i = 0; i < 2; i++) {
        uint64_t to = address_make(houses[i], 5, 7);
        snprintf(source, sizeof source, "local task = require 'troupe.task' task.notify(%llu, 'here', task.running()) "
                 "return task.wait('go', 150)", (unsigned long long)to);
        run(1, source);
        struct message *m;
        uint64_t task = 0;
        while (!task) {
            m = hear_any();
            ck_assert_ptr_nonnull(m);
            if (message_header(m)->kind == MAIL_NOTIFY) {
                ck_assert_uint_eq(message_header(m)->to, to);
                ck_assert_uint_ge(message_body_size(m), 14);
                const unsigned char *number = message_body(m) + 5; /* behind the event: an integer of nine bytes */
                for (int k = 1; k <= 8; k++)
                    task = task << 8 | number[k];
            }
            message_destroy(&m);
        }
        ck_assert_uint_eq(address_node(task), HOUSE);
        m = letter(MAIL_NOTIFY, 0); /* to a box that nobody has: it is lost, and no more */
        message_header(m)->to = address_make(HOUSE, 999, 0);
        say(m);
        m = letter(MAIL_NOTIFY, 0);
        message_header(m)->to = task;
        pack_string(&m->bytes, "go");
        pack_string(&m->bytes, "it was told");
        say(m);
        while ((m = hear_any()) && message_header(m)->kind != MAIL_DONE)
            message_destroy(&m);
        ck_assert_ptr_nonnull(m);
        ck_assert_uint_eq(message_header(m)->flags, 0);
        ck_assert_ptr_nonnull(memmem(message_body(m), message_body_size(m), "it was told", 11));
        message_destroy(&m);
    }
    stop();
}
END_TEST

START_TEST(a_job_that_takes_too_much_of_the_processor_is_told_of)
{
    come_up(0.02);
    run(7, blocks);
    struct message *m = hear(MAIL_SPENT);
    ck_assert_uint_eq(message_header(m)->id, 7);
    ck_assert_uint_eq(message_header(m)->pool, POOL);
    ck_assert_uint_eq(message_header(m)->worker, TAG);
    message_destroy(&m);
    for (bool done = false; !done;) { /* it may be said again */
        say(letter(MAIL_BREAK, 7));
        while ((m = hear_any()) && message_header(m)->kind == MAIL_SPENT)
            message_destroy(&m);
        ck_assert_ptr_nonnull(m);
        done = message_header(m)->kind == MAIL_DONE;
        message_destroy(&m);
    }
    say(letter(MAIL_STOP, 0));
    while ((m = hear_any()))
        message_destroy(&m);
    expect_end("exit status 0");
}
END_TEST

START_TEST(a_process_ends_with_its_program_whatever_it_does)
{
    static const char *const states[] = { NULL, "return 1", blocks, "pcall(function() while true do end end) while true do end",
                                          "return ('a'):rep(1000):find(('.-'):rep(30) .. 'b')" };
    for (int i = 0; i < 5; i++) {
        come_up(0);
        if (states[i]) {
            run(1, states[i]);
            await_begun(1);
        }
        shutdown(way.fd, SHUT_RDWR);
        expect_end("exit status 1");
    }
    start("FAIL_AT"); /* before it has said anything */
    frames_destroy(&way.frames);
    expect_end("exit status 1");
}
END_TEST

START_TEST(another_version_is_left_alone)
{
    static const char hello[64] = "troupe.\0009.8.7";
    start("FAIL_AT");
    ck_assert_int_eq(send(way.fd, hello, sizeof hello, 0), sizeof hello);
    expect_end("exit status 1");
    start("FAIL_AT");
    ck_assert_int_eq(send(way.fd, "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html, text/plain\r\n", 64, 0), 64);
    expect_end("exit status 1");
}
END_TEST

START_TEST(a_first_letter_that_is_no_order_is_refused_with_a_reason)
{
    struct bridge_order o = { .pool = POOL, .house = HOUSE, .parent = getpid(), .uid = -1, .gid = -1, .name_size = UINT32_MAX };
    for (int i = 0; i < 4; i++) {
        struct message *m = i == 0 ? letter(MAIL_RUN, 1) : letter(MAIL_HOUSE, 1);
        if (i == 1)
            buffer_append(&m->bytes, &o, sizeof o / 2);
        if (i == 2)
            buffer_append(&m->bytes, &o, sizeof o);
        if (i == 3) {
            o.name_size = 4;
            buffer_append(&m->bytes, &o, sizeof o);
            buffer_append(&m->bytes, "name", 4); /* without its end */
        }
        start("FAIL_AT");
        say_hello();
        say(m);
        m = hear(MAIL_DOWN);
        ck_assert_uint_eq(message_header(m)->flags, FLAG_ERROR);
        ck_assert_ptr_nonnull(memmem(message_body(m), message_body_size(m), "letter", 6));
        message_destroy(&m);
        expect_end("exit status 1");
    }
}
END_TEST

START_TEST(bytes_that_are_no_letter_end_the_process)
{
    static const unsigned char far_too_long[16] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    static const unsigned char too_short[16] = { 5 };
    come_up(0);
    ck_assert_int_eq(send(way.fd, far_too_long, sizeof far_too_long, 0), sizeof far_too_long);
    expect_end("exit status 1");
    come_up(0);
    ck_assert_int_eq(send(way.fd, too_short, sizeof too_short, 0), sizeof too_short);
    expect_end("exit status 1");
    come_up(0); /* half a letter, and the program is gone */
    uint64_t length = sizeof(struct header);
    ck_assert_int_eq(send(way.fd, &length, sizeof length, 0), sizeof length);
    shutdown(way.fd, SHUT_WR);
    expect_end("exit status 1");
}
END_TEST

START_TEST(letters_that_make_no_sense_are_dropped_and_calls_that_do_not_fail)
{
    come_up(0);
    for (unsigned kind = 64; kind < 256; kind++) {
        struct message *m = letter(MAIL_NONE, kind);
        message_header(m)->kind = (uint8_t)kind;
        buffer_append(&m->bytes, "\xc1\xff\x00\xc1", 4);
        say(m);
    }
    for (int i = 0; i < 40; i++) { /* calls whose bytes are no values, or no call */
        unsigned char body[8] = { (unsigned char)(i * 37), 0xc1, (unsigned char)(i * 91), 0xd4, 0xc7, 0xff, 0xdd, (unsigned char)i };
        struct message *m = letter(MAIL_RUN, (uint64_t)i + 1);
        buffer_append(&m->bytes, body, (size_t)i % 9);
        say(m);
        m = hear(MAIL_DONE);
        ck_assert_uint_eq(message_header(m)->id, (uint64_t)i + 1);
        ck_assert(message_header(m)->flags & FLAG_ERROR);
        message_destroy(&m);
    }
    run(99, "return 99");
    expect_done(99, 0, NULL);
    stop();
}
END_TEST

START_TEST(a_large_call_comes_whole_and_its_outcome_goes_whole)
{
    enum { SIZE = 3000000 };
    char *text = malloc(SIZE + 1);
    memset(text, 'x', SIZE);
    text[SIZE] = 0;
    come_up(0);
    struct message *m = letter(MAIL_RUN, 1);
    pack_string(&m->bytes, "local text = ... return text .. text");
    pack_text(&m->bytes, text, SIZE, false);
    say(m);
    m = hear(MAIL_DONE);
    ck_assert_uint_eq(message_header(m)->flags, 0);
    ck_assert_uint_ge(message_body_size(m), 2 * SIZE);
    message_destroy(&m);
    stop();
    free(text);
}
END_TEST

/* One life, in which the nth allocation fails: it comes up and does a job, or says why not, or ends. Never by a signal, and
 * never without end. True when one has failed: by its word at the end. */
static bool live_short_of_memory(long n)
{
    char env[64];
    char version[64];
    struct message *m;
    snprintf(env, sizeof env, "FAIL_AT=%ld", n);
    start(env);
    if (frames_say_hello(way.frames) == 0 && frames_hear_hello(way.frames, patience, version, sizeof version) == 0) {
        say(order(0));
        m = hear_any();
        bool up = m && message_header(m)->kind == MAIL_UP;
        while (m && message_header(m)->kind == MAIL_MEMORY) {
            message_destroy(&m);
            m = hear_any();
            up = m && message_header(m)->kind == MAIL_UP;
        }
        ck_assert_msg(up || !m || message_header(m)->flags & FLAG_ERROR, "allocation %ld: neither up nor down", n);
        message_destroy(&m);
        if (up) {
            run(1, "local t = {} for i = 1, 100 do t[i] = { i } end return #t");
            while ((m = hear_any()) && message_header(m)->kind == MAIL_MEMORY)
                message_destroy(&m);
            ck_assert_msg(m && message_header(m)->kind == MAIL_DONE, "allocation %ld: no outcome", n);
            message_destroy(&m);
            say(letter(MAIL_STOP, 0));
        }
        while ((m = hear_any()))
            message_destroy(&m);
    }
    char reason[64];
    process_reap(&way.process, reason, sizeof reason);
    frames_destroy(&way.frames);
    message_release_cache();
    int status = -1;
    ck_assert_msg(sscanf(reason, "exit status %d", &status) == 1, "allocation %ld: %s", n, reason);
    return status != 77; /* none has failed */
}

/* All of the first, which are the uplink's own; of the others, most of which are the vm's, fewer and fewer. */
START_TEST(a_process_short_of_memory_lives_or_says_why_not)
{
    long n = 0, lives = 0;
    for (; live_short_of_memory(n); lives++)
        n += 1 + n / 48;
    ck_assert_int_ge(lives, 15);
}
END_TEST

/* The process: exit status 77 when it did well and its memory lasted. */
static int be_process(void)
{
    const char *fail_at = getenv("FAIL_AT");
    atomic_store(&left, fail_at ? atol(fail_at) : -1);
    int status = uplink_run(&lua_loop_hooks);
    return status == 0 && fail_at && atomic_load(&left) >= 0 ? 77 : status;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], PROCESS_ARGUMENT) == 0)
        return be_process();
    if (!realpath(argv[0], own))
        return EXIT_FAILURE;
    Suite *suite = suite_create("uplink");
    TCase *cases = suite_case(suite, "uplink");
    tcase_add_test(cases, a_process_does_jobs_until_it_is_stopped);
    tcase_add_test(cases, what_has_not_begun_comes_back_and_what_has_is_kept);
    tcase_add_test(cases, letters_to_others_go_up_as_they_are_and_letters_home_find_whom_they_name);
    tcase_add_test(cases, a_job_that_takes_too_much_of_the_processor_is_told_of);
    tcase_add_test(cases, a_process_ends_with_its_program_whatever_it_does);
    tcase_add_test(cases, another_version_is_left_alone);
    tcase_add_test(cases, a_first_letter_that_is_no_order_is_refused_with_a_reason);
    tcase_add_test(cases, bytes_that_are_no_letter_end_the_process);
    tcase_add_test(cases, letters_that_make_no_sense_are_dropped_and_calls_that_do_not_fail);
    tcase_add_test(cases, a_large_call_comes_whole_and_its_outcome_goes_whole);
    tcase_add_test(cases, a_process_short_of_memory_lives_or_says_why_not);
    return suite_run(suite);
}
