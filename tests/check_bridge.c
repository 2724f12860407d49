/* check_bridge.c - the program's end of a worker process: what it passes on, what it makes of an end, and of a lack of memory.
 *
 * The process at the other end is this very program, in a role that its environment names (bridge_player.c). Linked with --wrap for malloc,
 * calloc, realloc and posix_memalign of the rooms.
 */
#include "bridge.h"
#include "bridge_player.h"
#include "suite.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "claims.h"
#include "clock.h"
#include "failing_memory.h"
#include "mailbox.h"
#include "mailbox_route.h"
#include "message.h"
#include "process.h"
#include "registry_program.h"
#include "troupe.h"

enum { LARGE = 2 << 20, SHORT = 60000, AT_ONCE = 10, BREAKS = 300 };

static const double patience = 200;

/* ---- allocations: the bridge's thread is whoever is not the test's */

static _Thread_local bool is_test;
static atomic_long own_left = -1, others_left = -1; /* allocations until one fails; negative: none does */

static bool fails(void)
{
    atomic_long *left = is_test ? &own_left : &others_left;
    return atomic_load(left) >= 0 && atomic_fetch_sub(left, 1) == 0;
}

/* ---- the node */

static struct mailbox *node;

static struct bridge_options options_of(const char *role, struct claims *claims)
{
    static char env[64];
    struct bridge_options o = { .name = "bridge", .claims = claims, .env = env };
    o.env_size = (size_t)snprintf(env, sizeof env, "ROLE=%s", role) + 1;
    o.order.pool = POOL;
    o.order.tag = TAG;
    return o;
}

static void open_node(void)
{
    is_test = true;
    ck_assert_int_eq(mailbox_open(&node, MAILBOX_NODE), 0);
}

static struct bridge *start(const char *role, struct claims *claims)
{
    struct bridge *bridge = NULL;
    struct bridge_options o = options_of(role, claims);
    open_node();
    ck_assert_int_eq(bridge_start(&bridge, &o, node), 0);
    return bridge;
}

static struct message *await(enum message_kind kind)
{
    struct message *m;
    double until = clock_now() + patience;
    while (!(m = mailbox_take(node))) {
        ck_assert_msg(clock_now() < until, "letter %d never came", kind);
        mailbox_wait(node, 1, false, -1);
    }
    ck_assert_int_eq(message_header(m)->kind, kind);
    return m;
}

static void expect(enum message_kind kind)
{
    struct message *m = await(kind);
    message_destroy(&m);
}

/* The bridge's last letter, with these flags, which says that. */
static void expect_end(struct bridge **bridge, unsigned flags, const char *why)
{
    struct message *m = await(MAIL_DOWN);
    struct header *h = message_header(m);
    ck_assert_uint_eq(h->flags, flags);
    ck_assert_uint_eq(h->pool, POOL);
    ck_assert_uint_eq(h->worker, TAG);
    ck_assert_int_eq(address_box(h->from), 0);
    buffer_append(&m->bytes, "", 1);
    if (why)
        ck_assert_msg(strstr((const char *)message_body(m) + 1, why) || memmem(message_body(m), message_body_size(m), why, strlen(why)),
                      "%s", (const char *)message_body(m));
    message_destroy(&m);
    ck_assert_int_eq(bridge_join(bridge, patience), 0);
    ck_assert_ptr_null(*bridge);
    mailbox_close(&node);
    message_release_cache();
}

static void post(struct bridge *bridge, enum message_kind kind, uint64_t to, uint64_t id)
{
    struct message *m = bridge_letter(kind, id, 0);
    message_header(m)->to = to ? to : address_make(0, bridge_box(bridge), 0);
    message_header(m)->from = address_make(0, MAILBOX_NODE, 0);
    ck_assert_int_eq(mailbox_post(node, &m), 0);
}

START_TEST(letters_reach_the_worker_and_whoever_else_lives_there_in_order)
{
    struct bridge *bridge = start("echo", NULL);
    expect(MAIL_UP);
    ck_assert_uint_eq(bridge_memory(bridge), 12345);
    post(bridge, MAIL_RUN, 0, 1);
    struct message *m = await(MAIL_NOTIFY);
    uint16_t house = address_node(message_header(m)->from);
    ck_assert_int_ne(house, 0);
    ck_assert_uint_eq(message_header(m)->id, 1);
    ck_assert_uint_eq(message_header(m)->code, address_make(0, bridge_box(bridge), 0));
    message_destroy(&m);
    for (uint64_t i = 2; i < MANY; i++)
        post(bridge, MAIL_NOTIFY, address_make(house, 9, (uint32_t)i), i);
    for (uint64_t i = 2; i < MANY; i++) {
        m = await(MAIL_NOTIFY);
        ck_assert_uint_eq(message_header(m)->id, i);
        ck_assert_uint_eq(message_header(m)->code, address_make(house, 9, (uint32_t)i));
        message_destroy(&m);
    }
    post(bridge, MAIL_STOP, 0, 0);
    expect_end(&bridge, 0, NULL);
    ck_assert_int_eq(mailbox_route(address_make(house, 9, 0)), TROUPE_EDEAD);
}
END_TEST

/* The sizes that such letters have: the socket takes no large one at once, and not all of those that come together. */
static size_t size_of(uint64_t number)
{
    return number % 300 == 1 ? LARGE : number % 100 < AT_ONCE ? SHORT : 0;
}

static void post_sized(struct bridge *bridge, uint64_t number)
{
    struct message *m = bridge_letter(MAIL_NOTIFY, number, 0);
    message_header(m)->to = address_make(0, bridge_box(bridge), 0);
    message_header(m)->from = address_make(0, MAILBOX_NODE, 0);
    size_t size = size_of(number);
    ck_assert_int_eq(buffer_reserve(&m->bytes, size), 0);
    memset(m->bytes.data + m->bytes.size, 'x', size);
    m->bytes.size += size;
    ck_assert_int_eq(mailbox_post(node, &m), 0);
}

/* Posted by a thread that may send them itself, or may not; their echo is awaited now and then, so that the bridge rests. */
START_TEST(letters_that_who_posts_them_sends_keep_their_order_whatever_their_size)
{
    struct bridge *bridge = start("echo", NULL);
    uint64_t sent = 0, come = 0;
    expect(MAIL_UP);
    while (come < MANY) {
        for (int i = 0; i < AT_ONCE; i++) {
            mailbox_allow_relays(node, ++sent % 7 != 0);
            post_sized(bridge, sent);
        }
        while (come < sent) {
            struct message *m = await(MAIL_NOTIFY);
            ck_assert_uint_eq(message_header(m)->id, ++come);
            ck_assert_uint_eq(message_body_size(m), size_of(come));
            message_destroy(&m);
        }
    }
    post(bridge, MAIL_STOP, 0, 0);
    expect_end(&bridge, 0, NULL);
}
END_TEST

/* Behind the letter that ends a job, the break that came with it would meet what the job closes. */
START_TEST(a_break_goes_before_the_letter_that_was_posted_after_it)
{
    struct bridge *bridge = start("echo", NULL);
    expect(MAIL_UP);
    for (uint64_t i = 1; i <= BREAKS; i++) {
        bridge_interrupt(bridge, i);
        mailbox_allow_relays(node, 1);
        post(bridge, MAIL_KILL, 0, BREAKS + i);
        for (uint64_t id = i; id <= BREAKS + i; id += BREAKS) {
            struct message *m = await(MAIL_NOTIFY);
            ck_assert_uint_eq(message_header(m)->id, id);
            message_destroy(&m);
        }
    }
    post(bridge, MAIL_STOP, 0, 0);
    expect_end(&bridge, 0, NULL);
}
END_TEST

START_TEST(what_a_process_sent_comes_before_its_end_and_its_end_says_why)
{
    struct bridge *bridge = start("sends many", NULL);
    expect(MAIL_UP);
    for (uint64_t i = 1; i <= MANY; i++) {
        struct message *m = await(MAIL_NOTIFY);
        ck_assert_uint_eq(message_header(m)->id, i);
        message_destroy(&m);
    }
    expect_end(&bridge, FLAG_LOST, "exit status 7");
}
END_TEST

START_TEST(a_process_that_dies_at_its_start_is_tried_five_times)
{
    struct bridge *bridge = start("dies early", NULL);
    expect_end(&bridge, FLAG_ERROR, "does not come up, 5 times in a row: exit status 5");
}
END_TEST

START_TEST(a_process_that_refuses_is_believed_at_once)
{
    struct bridge *bridge = start("refuses", NULL);
    expect_end(&bridge, FLAG_ERROR, "it does not want to");
}
END_TEST

START_TEST(another_version_is_refused_by_name)
{
    struct bridge *bridge = start("another version", NULL);
    expect_end(&bridge, FLAG_ERROR, "is version 9.8.7, and this is version");
}
END_TEST

START_TEST(bytes_that_are_no_letter_end_the_process)
{
    struct bridge *bridge = start("garbage", NULL);
    expect(MAIL_UP);
    expect_end(&bridge, FLAG_LOST, "killed by signal 9");
}
END_TEST

START_TEST(a_cleanup_that_was_claimed_and_not_begun_is_anybodys_again)
{
    struct claims *claims = claims_new();
    struct bridge *bridge = start("claims", claims);
    expect(MAIL_UP);
    expect_end(&bridge, FLAG_LOST, "exit status 4");
    ck_assert(!claims_settle(claims, 7, 1, false));
    ck_assert(claims_take(claims, 7, 1));
    claims_release(&claims);
}
END_TEST

START_TEST(a_cleanup_that_was_begun_stays_the_processs)
{
    struct claims *claims = claims_new();
    struct bridge *bridge = start("claims and begins", claims);
    expect(MAIL_UP);
    expect_end(&bridge, FLAG_LOST, "exit status 4");
    ck_assert(!claims_take(claims, 7, 1));
    ck_assert(claims_settle(claims, 7, 1, true));
    claims_release(&claims);
}
END_TEST

START_TEST(the_registry_answers_a_process_and_forgets_it_with_its_end)
{
    struct bridge *bridge = start("asks the registry", NULL);
    expect(MAIL_UP);
    struct message *m = await(MAIL_NOTIFY);
    ck_assert_uint_eq(message_header(m)->id, MAIL_ANSWER);
    ck_assert_uint_eq(message_body_size(m), 1);
    ck_assert_uint_eq(message_body(m)[0], 0xc3);
    uint64_t asker = message_header(m)->code;
    message_destroy(&m);
    struct registry *r = registry_enter();
    ck_assert_ptr_nonnull(r);
    ck_assert_uint_eq(registry_whereis(r, "somebody", 8), asker | 1);
    registry_exit();
    post(bridge, MAIL_STOP, 0, 0);
    expect_end(&bridge, 0, NULL);
    r = registry_enter();
    ck_assert_uint_eq(registry_whereis(r, "somebody", 8), 0);
    registry_exit();
}
END_TEST

START_TEST(a_process_that_no_break_reaches_is_killed)
{
    struct bridge *bridge = start("stuck", NULL);
    expect(MAIL_UP);
    double until = clock_now() + patience;
    while (!mailbox_has_letters(node)) {
        ck_assert(clock_now() < until);
        bridge_interrupt(bridge, 42);
        mailbox_wait(node, 0.01, false, -1);
    }
    expect_end(&bridge, FLAG_LOST, "killed by signal 9");
}
END_TEST

START_TEST(an_abandoned_bridge_ends_its_process_and_tells_of_it)
{
    struct bridge *bridge = start("echo", NULL);
    expect(MAIL_UP);
    post(bridge, MAIL_RUN, 0, 1);
    struct message *m = await(MAIL_NOTIFY);
    uint16_t house = address_node(message_header(m)->from);
    message_destroy(&m);
    bridge_abandon(&bridge);
    ck_assert_ptr_null(bridge);
    m = await(MAIL_DOWN); /* for those who knew of its vms */
    ck_assert_uint_eq(message_header(m)->from, address_make(house, 0, 0));
    ck_assert_int_eq(mailbox_route(address_make(house, 9, 0)), TROUPE_EDEAD);
    message_destroy(&m);
    mailbox_close(&node);
}
END_TEST

START_TEST(a_start_without_memory_is_refused_and_works_with_it)
{
    struct bridge *bridge = NULL;
    struct bridge_options o = options_of("echo", NULL);
    long n = 0;
    open_node();
    for (;; n++) {
        message_release_cache();
        atomic_store(&own_left, n);
        int rc = bridge_start(&bridge, &o, node);
        bool failed = atomic_exchange(&own_left, -1) < 0;
        if (!failed) {
            ck_assert_int_eq(rc, 0);
            break;
        }
        ck_assert_int_eq(rc, TROUPE_ENOMEM);
        ck_assert_ptr_null(bridge);
    }
    ck_assert_int_ge(n, 5);
    expect(MAIL_UP);
    post(bridge, MAIL_STOP, 0, 0);
    expect_end(&bridge, 0, NULL);
}
END_TEST

/* One life, in which the nth allocation of the bridge's thread fails: it is told of a start that failed, or of a life as any
 * other. True when one has failed. */
static bool live_short_of_memory(long n)
{
    struct bridge *bridge = NULL;
    struct bridge_options o = options_of("echo", NULL);
    open_node();
    atomic_store(&others_left, n);
    ck_assert_int_eq(bridge_start(&bridge, &o, node), 0);
    double until = clock_now() + patience;
    while (!mailbox_has_letters(node)) {
        ck_assert_msg(clock_now() < until, "allocation %ld: nobody is told of anything", n);
        mailbox_wait(node, 1, false, -1);
    }
    struct message *m = mailbox_take(node);
    ck_assert_ptr_nonnull(m);
    bool up = message_header(m)->kind == MAIL_UP;
    if (up) {
        message_destroy(&m);
        post(bridge, MAIL_RUN, 0, 1);
        expect(MAIL_NOTIFY);
        post(bridge, MAIL_STOP, 0, 0);
        m = await(MAIL_DOWN);
    }
    ck_assert_int_eq(message_header(m)->kind, MAIL_DOWN);
    ck_assert(up || message_header(m)->flags == FLAG_ERROR);
    message_destroy(&m);
    ck_assert_int_eq(bridge_join(&bridge, patience), 0);
    mailbox_close(&node);
    return atomic_exchange(&others_left, -1) < 0;
}

START_TEST(a_bridge_short_of_memory_lives_or_says_why_not)
{
    long n = 0;
    while (live_short_of_memory(n))
        n++;
    ck_assert_int_ge(n, 5);
}
END_TEST

int main(int argc, char **argv)
{
    static char own[PATH_MAX];
    if (argc == 2 && strcmp(argv[1], PROCESS_ARGUMENT) == 0)
        return bridge_play(getenv("ROLE"));
    if (!realpath(argv[0], own) || setenv("TROUPE", own, 1))
        return EXIT_FAILURE;
    Suite *suite = suite_create("bridge");
    TCase *cases = suite_case(suite, "bridge");
    tcase_add_test(cases, letters_reach_the_worker_and_whoever_else_lives_there_in_order);
    tcase_add_test(cases, letters_that_who_posts_them_sends_keep_their_order_whatever_their_size);
    tcase_add_test(cases, a_break_goes_before_the_letter_that_was_posted_after_it);
    tcase_add_test(cases, what_a_process_sent_comes_before_its_end_and_its_end_says_why);
    tcase_add_test(cases, a_process_that_dies_at_its_start_is_tried_five_times);
    tcase_add_test(cases, a_process_that_refuses_is_believed_at_once);
    tcase_add_test(cases, another_version_is_refused_by_name);
    tcase_add_test(cases, bytes_that_are_no_letter_end_the_process);
    tcase_add_test(cases, a_cleanup_that_was_claimed_and_not_begun_is_anybodys_again);
    tcase_add_test(cases, a_cleanup_that_was_begun_stays_the_processs);
    tcase_add_test(cases, the_registry_answers_a_process_and_forgets_it_with_its_end);
    tcase_add_test(cases, a_process_that_no_break_reaches_is_killed);
    tcase_add_test(cases, an_abandoned_bridge_ends_its_process_and_tells_of_it);
    tcase_add_test(cases, a_start_without_memory_is_refused_and_works_with_it);
    tcase_add_test(cases, a_bridge_short_of_memory_lives_or_says_why_not);
    return suite_run(suite);
}
