/* check_log.c - the log from C: many threads at once, a fork, a lack of memory, a frame cut anywhere. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "buffer.h"
#include "calendar.h"
#include "log.h"
#include "record.h"
#include "suite.h"
#include "troupe.h"

static long failing_after = -1; /* allocations until one fails; negative: none does */

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_realloc(void *old, size_t size)
{
    if (failing_after == 0)
        return NULL;
    if (failing_after > 0)
        failing_after--;
    return __real_realloc(old, size);
}

static struct unpack_text text(const char *s)
{
    return (struct unpack_text){ s, strlen(s) };
}

static struct record sample(void)
{
    return (struct record){ .level = RECORD_ERROR, .time_us = 1400000000000001, .process = text("host:1"), .vm = 2, .job = 3,
                            .source = text("x.lua:4"), .message = text("message"), .fields = { "\x81\xa1k\xa1v", 5 } };
}

/* A file to log to, and what is in it. */
static char path[64];

static void make_path(void)
{
    strcpy(path, "/tmp/troupe-check-log-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static size_t count_lines(void)
{
    FILE *file = fopen(path, "r");
    size_t count = 0;
    ck_assert_ptr_nonnull(file);
    for (int c; (c = getc(file)) != EOF;)
        count += c == '\n';
    fclose(file);
    return count;
}

static void to_file(void)
{
    char why[200] = "";
    struct log_destination d = { .kind = LOG_FILE, .place = path, .bell = -1 };
    ck_assert_msg(log_to(&d, why, sizeof why) == 0, "%s", why);
}

static void to_stderr(void)
{
    char why[200];
    struct log_destination d = { .kind = LOG_STDERR, .bell = -1 };
    ck_assert_int_eq(log_to(&d, why, sizeof why), 0);
}

enum { SPEAKERS = 4, EACH = 2000 };

static void *speak(void *unused)
{
    for (int i = 0; i < EACH; i++)
        log_say(RECORD_ERROR, "record %d", i);
    return unused;
}

START_TEST(what_many_threads_say_arrives_once)
{
    pthread_t threads[SPEAKERS];
    make_path();
    to_file();
    for (int i = 0; i < SPEAKERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, speak, NULL), 0);
    for (int i = 0; i < SPEAKERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(log_flush(-1), 0);
    ck_assert_uint_eq(count_lines(), SPEAKERS * EACH);
    to_stderr();
    unlink(path);
}
END_TEST

START_TEST(a_forked_child_speaks_to_standard_error_and_its_parent_to_the_file)
{
    int ends[2], status;
    char said[300] = "";
    make_path();
    to_file();
    log_say(RECORD_ERROR, "before");
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        log_say(RECORD_ERROR, "from the child");
        log_flush(-1);
        execlp("true", "true", (char *)NULL); /* what its parent's threads had, and it has no use for, is no leak */
        _exit(1);
    }
    close(ends[1]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ssize_t size = read(ends[0], said, sizeof said - 1);
    close(ends[0]);
    ck_assert_int_gt(size, 0);
    ck_assert_ptr_nonnull(strstr(said, "from the child\n"));
    log_say(RECORD_ERROR, "after");
    ck_assert_int_eq(log_flush(-1), 0);
    ck_assert_uint_eq(count_lines(), 2);
    to_stderr();
    unlink(path);
}
END_TEST

static void *ask_the_time(void *is_over)
{
    struct calendar_time t;
    for (int64_t second = 0; !atomic_load((atomic_bool *)is_over); second += 900)
        calendar_local(second, &t); /* another quarter of an hour each time: the C library is asked */
    return NULL;
}

START_TEST(a_forked_child_can_tell_the_time_whatever_its_parent_was_doing)
{
    enum { CHILDREN = 50 };
    atomic_bool is_over = false;
    pthread_t asking;
    ck_assert_int_eq(pthread_create(&asking, NULL, ask_the_time, &is_over), 0);
    for (int i = 0; i < CHILDREN; i++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            struct calendar_time t;
            calendar_local(1000, &t);
            execlp("true", "true", (char *)NULL);
            _exit(1);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
    }
    atomic_store(&is_over, true);
    pthread_join(asking, NULL);
}
END_TEST

static void same_moment(int64_t second, const struct calendar_time *ours, const struct tm *theirs)
{
    ck_assert_msg(ours->year == theirs->tm_year + 1900 && ours->month == theirs->tm_mon + 1 && ours->day == theirs->tm_mday
                      && ours->hour == theirs->tm_hour && ours->minute == theirs->tm_min && ours->second == theirs->tm_sec,
                  "second %lld: %lld-%d-%d %d:%d:%d", (long long)second, (long long)ours->year, ours->month, ours->day,
                  ours->hour, ours->minute, ours->second);
}

START_TEST(dates_are_those_of_the_c_library)
{
    struct calendar_time ours;
    struct tm theirs;
    setenv("TZ", "EARLY-05:45LATE-06:45,M3.5.0,M10.5.0", 1);
    tzset();
    for (time_t second = -70000000000; second < 260000000000; second += 9999991) {
        calendar_utc(second, &ours);
        same_moment(second, &ours, gmtime_r(&second, &theirs));
        calendar_local(second, &ours);
        same_moment(second, &ours, localtime_r(&second, &theirs));
    }
    for (time_t second = 1711800000; second < 1711900000; second += 100) { /* the end of March 2024 */
        calendar_local(second, &ours);
        same_moment(second, &ours, localtime_r(&second, &theirs));
    }
}
END_TEST

START_TEST(a_record_is_encoded_and_printed_whole_or_not_at_all)
{
    struct record r = sample();
    struct buffer whole, b;
    buffer_init(&whole);
    ck_assert_int_eq(record_encode(&r, &whole), 0);
    for (int json = 0; json < 3; json++) {
        long n = 0;
        int rc;
        do {
            struct record_printer printer = { .json = json == 1 };
            buffer_init(&b);
            failing_after = n++;
            rc = json == 2 ? record_encode(&r, &b) : record_print(&printer, &r, &b);
            failing_after = -1;
            ck_assert_int_eq(rc, rc == 0 ? 0 : TROUPE_ENOMEM);
            ck_assert(rc == 0 ? b.size > 0 : b.size == 0);
            buffer_release(&b);
        } while (rc);
        ck_assert_int_gt(n, 1);
    }
    buffer_release(&whole);
}
END_TEST

struct taken {
    int count;
    char message[200];
    size_t size;
};

static void take(void *context, const struct record *r)
{
    struct taken *t = context;
    t->count++;
    t->size = r->message.size < sizeof t->message ? r->message.size : sizeof t->message;
    if (t->size)
        memcpy(t->message, r->message.bytes, t->size);
}

START_TEST(a_frame_cut_anywhere_is_a_record_that_says_so)
{
    struct record r = sample();
    struct buffer frame;
    buffer_init(&frame);
    record_frame_begin("host:1", &frame);
    size_t head = frame.size;
    ck_assert_int_eq(record_encode(&r, &frame), 0);
    for (size_t size = 0; size <= frame.size; size++) {
        struct taken t = { 0 };
        unsigned char *cut = malloc(size + 1); /* so that whoever watches sees what is read behind it */
        memcpy(cut, frame.data, size);
        cut = realloc(cut, size ? size : 1);
        record_parse(cut, size, 1, take, &t);
        free(cut);
        const char *begin = size == frame.size ? "message" : size > head ? "broken records" : size == head ? "a frame without"
                                                                                           : "a frame from an unknown";
        ck_assert_int_eq(t.count, 1);
        ck_assert_msg(t.size >= strlen(begin) && memcmp(t.message, begin, strlen(begin)) == 0, "cut at %zu", size);
    }
    buffer_release(&frame);
}
END_TEST

START_TEST(levels_have_names)
{
    for (int level = RECORD_OFF; level <= RECORD_TRACE; level++)
        ck_assert_int_eq(record_level_of(record_level_name(level), strlen(record_level_name(level))), level);
    ck_assert_int_eq(record_level_of("WARNING", 7), RECORD_WARNING);
    ck_assert_int_eq(record_level_of("warn", 4), -1);
    ck_assert_int_eq(record_level_of("", 0), -1);
}
END_TEST

static unsigned levels_said; /* by this process, as a worker process */

/* What a worker process says, as it comes out of its pipe: two records and a level, then half a record. */
static void from_process(struct buffer *out)
{
    int ends[2];
    unsigned char bytes[1024];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(log_to_program(ends[1]), 0);
    struct record r = sample(), fatal = { .level = RECORD_FATAL, .message = text("worse") };
    log_put(&r);
    log_set_level_of_all(RECORD_DEBUG);
    levels_said++;
    log_put(&fatal);
    log_put(&r);
    to_stderr();
    log_to_program(-1);
    to_stderr();
    log_set_level_of_all(RECORD_WARNING);
    ssize_t n = read(ends[0], bytes, sizeof bytes);
    ck_assert_int_gt(n, 0);
    ck_assert_int_eq(buffer_append(out, bytes, (size_t)n - 5), 0);
    close(ends[0]);
    close(ends[1]);
}

START_TEST(what_a_process_says_is_said_once_however_it_is_cut)
{
    struct buffer all, in;
    buffer_init(&all);
    from_process(&all);
    for (size_t piece = 1; piece <= all.size; piece += piece < 20 ? 1 : 37) {
        struct log_levels levels = { 0 };
        make_path();
        to_file();
        buffer_init(&in);
        for (size_t at = 0; at < all.size; at += piece) {
            size_t size = all.size - at < piece ? all.size - at : piece;
            ck_assert_int_eq(buffer_append(&in, all.data + at, size), 0);
            ck_assert(log_from_process(&in, 4711, &levels));
        }
        to_stderr();
        ck_assert_int_eq(levels.last, RECORD_DEBUG);
        ck_assert_uint_eq(levels.count, 1);
        ck_assert_uint_eq(count_lines(), 2);
        char lines[512] = "";
        FILE *file = fopen(path, "r");
        ck_assert_uint_gt(fread(lines, 1, sizeof lines - 1, file), 0);
        fclose(file);
        ck_assert_ptr_nonnull(strstr(lines, "[ERROR] 4711.2"));
        ck_assert_ptr_nonnull(strstr(lines, "[FATAL] 4711"));
        ck_assert_uint_gt(in.size, 0); /* the half */
        buffer_release(&in);
        unlink(path);
    }
    buffer_release(&all);
}
END_TEST

START_TEST(bytes_that_are_no_log_are_refused)
{
    static const unsigned char large[8] = { 0xff, 0xff, 0xff, 0xff }, no_level[8] = { 0, 0, 0, 0, 10 };
    static const unsigned char broken[12] = { 4, 0, 0, 0, 0, 0, 0, 0, 0xc1, 0xc1, 0xc1, 0xc1 };
    struct log_counts before, after;
    struct buffer in;
    struct log_levels levels = { 0 };
    buffer_init(&in);
    ck_assert_int_eq(buffer_append(&in, large, sizeof large), 0);
    ck_assert(!log_from_process(&in, 1, &levels));
    in.size = 0;
    ck_assert_int_eq(buffer_append(&in, no_level, sizeof no_level), 0);
    ck_assert(!log_from_process(&in, 1, &levels));
    in.size = 0;
    ck_assert_uint_eq(levels.count, 0);
    log_count(&before);
    ck_assert_int_eq(buffer_append(&in, broken, sizeof broken), 0);
    ck_assert(log_from_process(&in, 1, &levels)); /* a record that cannot be read costs no other */
    log_count(&after);
    ck_assert_uint_eq(in.size, 0);
    ck_assert_uint_eq(after.said, before.said);
    buffer_release(&in);
}
END_TEST

START_TEST(a_process_keeps_the_level_it_set_until_the_program_has_heard_of_it)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(log_to_program(ends[1]), 0);
    unsigned heard = levels_said;
    log_hear_level(RECORD_NOTICE, heard);
    ck_assert_int_eq(log_level(), RECORD_NOTICE);
    log_set_level_of_all(RECORD_DEBUG);
    log_hear_level(RECORD_INFO, heard); /* on its way when that was said */
    ck_assert_int_eq(log_level(), RECORD_DEBUG);
    unsigned before = atomic_load(&log_level_of_all);
    log_hear_level(RECORD_DEBUG, heard + 1);
    ck_assert_uint_ne(atomic_load(&log_level_of_all), before); /* the same, said again, is for all vms, too */
    ck_assert_int_eq(log_level(), RECORD_DEBUG);
    log_set_level_of_all(RECORD_WARNING);
    levels_said += 2;
    to_stderr();
    log_to_program(-1);
    to_stderr();
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(who_watches_the_level_is_told)
{
    eventfd_t n;
    struct log_watch a = { .bell = eventfd(0, EFD_NONBLOCK) }, b = { .bell = eventfd(0, EFD_NONBLOCK) };
    log_watch_level(&a);
    log_watch_level(&b);
    log_set_level_of_all(RECORD_INFO);
    ck_assert_int_eq(eventfd_read(a.bell, &n), 0);
    ck_assert_int_eq(eventfd_read(b.bell, &n), 0);
    ck_assert_int_eq(log_level(), RECORD_INFO);
    log_unwatch_level(&a);
    log_unwatch_level(&a);
    log_set_level_here(RECORD_WARNING);
    ck_assert_int_ne(eventfd_read(a.bell, &n), 0);
    ck_assert_int_eq(eventfd_read(b.bell, &n), 0);
    log_unwatch_level(&b);
    log_set_level_here(RECORD_WARNING);
    ck_assert_int_ne(eventfd_read(b.bell, &n), 0);
    close(a.bell);
    close(b.bell);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tests = suite_case(suite, "log");
    tcase_add_test(tests, what_many_threads_say_arrives_once);
    tcase_add_test(tests, a_forked_child_speaks_to_standard_error_and_its_parent_to_the_file);
    tcase_add_test(tests, a_forked_child_can_tell_the_time_whatever_its_parent_was_doing);
    tcase_add_test(tests, dates_are_those_of_the_c_library);
    tcase_add_test(tests, a_record_is_encoded_and_printed_whole_or_not_at_all);
    tcase_add_test(tests, a_frame_cut_anywhere_is_a_record_that_says_so);
    tcase_add_test(tests, levels_have_names);
    tcase_add_test(tests, what_a_process_says_is_said_once_however_it_is_cut);
    tcase_add_test(tests, bytes_that_are_no_log_are_refused);
    tcase_add_test(tests, a_process_keeps_the_level_it_set_until_the_program_has_heard_of_it);
    tcase_add_test(tests, who_watches_the_level_is_told);
    return suite_run(suite);
}
