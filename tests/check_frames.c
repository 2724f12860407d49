/* check_frames.c - letters over a stream: however it is cut, and whatever else comes, or is lacking. */
#include "frames.h"
#include "suite.h"

#include <stdint.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "failing_memory.h"
#include "troupe.h"

/* Allocations of more bytes than that fail. */
static size_t most = SIZE_MAX;

static bool fails(void)
{
    return wanted_bytes > most;
}

/* One end speaks frames, the other is a bare socket. */
struct pair {
    struct frames *frames;
    int other;
};

static struct pair connect_pair(void)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    struct pair p = { frames_new(ends[0]), ends[1] };
    ck_assert_ptr_nonnull(p.frames);
    return p;
}

static void part(struct pair *p)
{
    frames_destroy(&p->frames);
    close(p->other);
}

static void put(struct frames *frames, uint64_t id, size_t size)
{
    struct message *m = message_new(MAIL_RUN);
    ck_assert_ptr_nonnull(m);
    message_header(m)->id = id;
    ck_assert_int_eq(buffer_reserve(&m->bytes, size), 0);
    for (size_t i = 0; i < size; i++)
        m->bytes.data[m->bytes.size++] = (unsigned char)(id + i);
    frames_put(frames, &m);
    ck_assert_ptr_null(m);
}

static void expect(struct message *m, uint64_t id, size_t size)
{
    ck_assert_ptr_nonnull(m);
    ck_assert_uint_eq(message_header(m)->id, id);
    ck_assert_uint_eq(message_body_size(m), size);
    const unsigned char *body = message_body(m);
    for (size_t i = 0; i < size; i++)
        assert_cheaply(body[i] == (unsigned char)(id + i));
    message_destroy(&m);
}

/* All bytes that letters of these sizes make on the way, numbered from 1. */
static size_t record(const size_t *sizes, int count, unsigned char *out, size_t room)
{
    struct pair p = connect_pair();
    size_t have = 0;
    for (int i = 0; i < count; i++)
        put(p.frames, (uint64_t)i + 1, sizes[i]);
    int rc;
    do {
        rc = frames_flush(p.frames);
        ck_assert(rc == 0 || rc == TROUPE_EFULL);
        ssize_t n;
        while ((n = recv(p.other, out + have, room - have, MSG_DONTWAIT)) > 0)
            have += (size_t)n;
    } while (rc);
    part(&p);
    return have;
}

static void send_all(int fd, const unsigned char *bytes, size_t size)
{
    ck_assert_int_eq(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

START_TEST(letters_arrive_whole_and_in_order_wherever_the_stream_is_cut)
{
    static const size_t sizes[] = { 0, 1, 100, 7, 300 };
    unsigned char bytes[1024];
    size_t size = record(sizes, 5, bytes, sizeof bytes);
    for (size_t cut = 0; cut <= size; cut++) {
        struct pair p = connect_pair();
        int next = 0;
        for (int half = 0; half < 2; half++) {
            size_t from = half ? cut : 0, to = half ? size : cut;
            if (from == to)
                continue;
            send_all(p.other, bytes + from, to - from);
            ck_assert_int_eq(frames_fill(p.frames), 0);
            for (struct message *m; (m = frames_take(p.frames)); next++)
                expect(m, (uint64_t)next + 1, sizes[next]);
        }
        ck_assert_int_eq(next, 5);
        ck_assert_int_eq(frames_fill(p.frames), TROUPE_ETIMEDOUT);
        part(&p);
    }
}
END_TEST

START_TEST(letters_that_come_byte_by_byte_and_many_at_once_arrive)
{
    static const size_t sizes[] = { 3, 0, 50 };
    unsigned char bytes[1024];
    size_t size = record(sizes, 3, bytes, sizeof bytes);
    struct pair p = connect_pair();
    int next = 0;
    for (size_t i = 0; i < size; i++) {
        send_all(p.other, bytes + i, 1);
        ck_assert_int_eq(frames_fill(p.frames), 0);
        for (struct message *m; (m = frames_take(p.frames)); next++)
            expect(m, (uint64_t)next + 1, sizes[next]);
    }
    ck_assert_int_eq(next, 3);
    for (int i = 0; i < 50; i++)
        send_all(p.other, bytes, size);
    while (next < 3 + 150 && frames_fill(p.frames) == 0)
        for (struct message *m; (m = frames_take(p.frames)); next++)
            expect(m, (uint64_t)(next % 3) + 1, sizes[next % 3]);
    ck_assert_int_eq(next, 153);
    part(&p);
}
END_TEST

START_TEST(letters_larger_than_what_is_read_at_once_arrive_between_small_ones)
{
    static const size_t sizes[] = { 5, 70000, 0, 65465, 65466, 200000, 9 };
    enum { COUNT = 7, ROOM = 1 << 20 };
    int ends[2], taken = 0;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    struct frames *from = frames_new(ends[0]), *to = frames_new(ends[1]);
    for (int i = 0; i < COUNT; i++)
        put(from, (uint64_t)i + 1, sizes[i]);
    while (taken < COUNT) {
        int rc = frames_flush(from);
        ck_assert(rc == 0 || rc == TROUPE_EFULL);
        rc = frames_fill(to);
        ck_assert(rc == 0 || rc == TROUPE_ETIMEDOUT);
        for (struct message *m; (m = frames_take(to)); taken++)
            expect(m, (uint64_t)taken + 1, sizes[taken]);
    }
    frames_destroy(&from);
    ck_assert_int_eq(frames_fill(to), TROUPE_EDEAD);
    frames_destroy(&to);
    ck_assert_ptr_null(to);
    frames_destroy(&to);
}
END_TEST

START_TEST(what_is_no_letter_ends_the_stream)
{
    static const uint64_t lengths[] = { 1, sizeof(struct header) - 1, UINT64_C(1) << 41, UINT64_MAX };
    for (int i = 0; i < 4; i++) {
        struct pair p = connect_pair();
        send_all(p.other, (const unsigned char *)&lengths[i], sizeof lengths[i]);
        ck_assert_int_eq(frames_fill(p.frames), 0);
        ck_assert_ptr_null(frames_take(p.frames));
        ck_assert_int_eq(frames_fill(p.frames), TROUPE_EDEAD);
        part(&p);
    }
}
END_TEST

START_TEST(a_length_that_no_memory_holds_is_an_error_and_no_more)
{
    uint64_t length = UINT64_C(1) << 40;
    struct pair p = connect_pair();
    send_all(p.other, (const unsigned char *)&length, sizeof length);
    ck_assert_int_eq(frames_fill(p.frames), 0);
    ck_assert_ptr_null(frames_take(p.frames));
    int rc = frames_fill(p.frames);
    ck_assert_msg(rc == TROUPE_ENOMEM || rc == TROUPE_ETIMEDOUT, "a terabyte may be promised where memory is not counted: %d", rc);
    part(&p);
}
END_TEST

/* Feeds the bytes by pieces; letters that come are seen. */
static void feed(struct pair *p, const unsigned char *bytes, size_t size, size_t piece, void (*see)(struct frames *, struct message *, int))
{
    int next = 0;
    for (size_t at = 0; at < size; at += piece) {
        send_all(p->other, bytes + at, size - at < piece ? size - at : piece);
        while (frames_fill(p->frames) == 0)
            for (struct message *m; (m = frames_take(p->frames)); next++)
                see(p->frames, m, next);
    }
    ck_assert_int_eq(next, 3);
}

static void see_second_cut(struct frames *frames, struct message *m, int next)
{
    static const size_t sizes[] = { 5, 0, 9 };
    ck_assert_int_eq(frames_was_cut(frames), next == 1);
    expect(m, (uint64_t)next + 1, sizes[next]);
}

START_TEST(a_large_letter_without_memory_loses_its_body_and_holds_up_no_other)
{
    static const size_t sizes[] = { 5, 200000, 9 };
    static const size_t pieces[] = { 17, 4096, 65536, 65400, 99999 };
    unsigned char *bytes = malloc(1 << 20);
    size_t size = record(sizes, 3, bytes, 1 << 20);
    for (int i = 0; i < 5; i++) {
        struct pair p = connect_pair();
        most = 100000;
        feed(&p, bytes, size, pieces[i], see_second_cut);
        ck_assert(!frames_is_starved(p.frames));
        most = SIZE_MAX;
        part(&p);
    }
    free(bytes);
}
END_TEST

/* The calls, when no allocation at all succeeds. */
static int fill_without_memory(struct frames *frames)
{
    message_release_cache();
    most = 0;
    int rc = frames_fill(frames);
    most = SIZE_MAX;
    return rc;
}

static struct message *take_without_memory(struct frames *frames)
{
    message_release_cache();
    most = 0;
    struct message *m = frames_take(frames);
    most = SIZE_MAX;
    return m;
}

START_TEST(letters_without_any_memory_wait_for_it)
{
    static const size_t sizes[] = { 40000, 40000, 200000, 3 };
    unsigned char *bytes = malloc(1 << 20);
    size_t size = record(sizes, 4, bytes, 1 << 20), sent = 0;
    struct pair p = connect_pair();
    int rc = 0, next = 0;
    while (rc != TROUPE_ENOMEM) {
        ck_assert_int_lt(sent, size);
        send_all(p.other, bytes + sent, 1000);
        sent += 1000;
        rc = fill_without_memory(p.frames);
        ck_assert_ptr_null(take_without_memory(p.frames));
    }
    ck_assert(frames_is_starved(p.frames));
    ck_assert_int_eq(fill_without_memory(p.frames), TROUPE_ENOMEM);
    while (next < 4) {
        size_t piece = size - sent < 5000 ? size - sent : 5000;
        send_all(p.other, bytes + sent, piece);
        sent += piece;
        for (struct message *m; (m = frames_take(p.frames)); next++)
            expect(m, (uint64_t)next + 1, sizes[next]);
        rc = fill_without_memory(p.frames); /* nor is there any for the header of the large one, when that comes */
        ck_assert(rc == 0 || rc == TROUPE_ENOMEM || (sent == size && rc == TROUPE_ETIMEDOUT));
        while (rc == TROUPE_ENOMEM && (rc = frames_fill(p.frames)) == 0)
            ck_assert(!frames_is_starved(p.frames));
    }
    ck_assert(!frames_is_starved(p.frames));
    free(bytes);
    part(&p);
}
END_TEST

START_TEST(the_end_of_the_stream_within_a_letter_is_its_end)
{
    static const size_t sizes[] = { 100 };
    unsigned char bytes[1024];
    size_t size = record(sizes, 1, bytes, sizeof bytes);
    struct pair p = connect_pair();
    send_all(p.other, bytes, size - 1);
    shutdown(p.other, SHUT_WR);
    ck_assert_int_eq(frames_fill(p.frames), 0);
    ck_assert_ptr_null(frames_take(p.frames));
    ck_assert_int_eq(frames_fill(p.frames), TROUPE_EDEAD);
    part(&p);
}
END_TEST

START_TEST(both_sides_of_one_version_hear_each_other)
{
    int ends[2];
    char version[64];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    struct frames *a = frames_new(ends[0]), *b = frames_new(ends[1]);
    ck_assert_int_eq(frames_hear_hello(a, 0, version, sizeof version), TROUPE_ETIMEDOUT);
    ck_assert_int_eq(frames_say_hello(b), 0);
    put(b, 1, 10); /* what comes behind it is a letter */
    ck_assert_int_eq(frames_flush(b), 0);
    ck_assert_int_eq(frames_hear_hello(a, 60, version, sizeof version), 0);
    ck_assert_int_eq(frames_fill(a), 0);
    expect(frames_take(a), 1, 10);
    frames_destroy(&a);
    frames_destroy(&b);
}
END_TEST

START_TEST(another_version_is_named_and_strangers_are_refused)
{
    unsigned char hello[64] = "troupe.";
    char version[64];
    memcpy(hello + 8, "12.34.56", 8);
    struct pair p = connect_pair();
    for (size_t i = 0; i < sizeof hello; i++)
        send_all(p.other, hello + i, 1);
    ck_assert_int_eq(frames_hear_hello(p.frames, 60, version, sizeof version), TROUPE_EREFUSED);
    ck_assert_str_eq(version, "12.34.56");
    part(&p);

    p = connect_pair();
    memset(hello, 'x', sizeof hello);
    send_all(p.other, hello, sizeof hello);
    ck_assert_int_eq(frames_hear_hello(p.frames, 60, version, sizeof version), TROUPE_EDEAD);
    part(&p);

    p = connect_pair();
    send_all(p.other, hello, 63);
    shutdown(p.other, SHUT_WR);
    ck_assert_int_eq(frames_hear_hello(p.frames, 60, version, sizeof version), TROUPE_EDEAD);
    part(&p);
}
END_TEST

START_TEST(letters_to_one_who_is_gone_are_dropped_with_an_error)
{
    struct pair p = connect_pair();
    close(p.other);
    put(p.frames, 1, 10);
    ck_assert_int_eq(frames_flush(p.frames), TROUPE_EDEAD);
    ck_assert_int_eq(frames_say_hello(p.frames), TROUPE_EDEAD);
    frames_destroy(&p.frames);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("frames");
    TCase *tc = suite_case(suite, "frames");
    tcase_add_test(tc, letters_arrive_whole_and_in_order_wherever_the_stream_is_cut);
    tcase_add_test(tc, letters_that_come_byte_by_byte_and_many_at_once_arrive);
    tcase_add_test(tc, letters_larger_than_what_is_read_at_once_arrive_between_small_ones);
    tcase_add_test(tc, what_is_no_letter_ends_the_stream);
    tcase_add_test(tc, a_length_that_no_memory_holds_is_an_error_and_no_more);
    tcase_add_test(tc, a_large_letter_without_memory_loses_its_body_and_holds_up_no_other);
    tcase_add_test(tc, letters_without_any_memory_wait_for_it);
    tcase_add_test(tc, the_end_of_the_stream_within_a_letter_is_its_end);
    tcase_add_test(tc, both_sides_of_one_version_hear_each_other);
    tcase_add_test(tc, another_version_is_named_and_strangers_are_refused);
    tcase_add_test(tc, letters_to_one_who_is_gone_are_dropped_with_an_error);
    return suite_run(suite);
}
