/* check_mail_memory.c - memory runs out at every single allocation of the mail and of a pool in the node: an error or
 * an outcome each time, nothing lost, and then it works.
 *
 * Linked with --wrap for malloc, calloc, realloc and posix_memalign of the rooms; libzmq's own are not touched.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "address.h"
#include "clock.h"
#include "codes.h"
#include "ear.h"
#include "failing_memory.h"
#include "mailbox.h"
#include "order.h"
#include "pack.h"
#include "pool.h"
#include "suite.h"
#include "troupe.h"
#include "vm.h"
#include "worker.h"

/* Allocations of this thread until they fail; negative: none does. Other threads' never do. */
static _Thread_local long allowed = -1;
static _Thread_local bool once; /* only that one fails, and those after it succeed */

static bool fails(void)
{
    if (allowed < 0)
        return false;
    if (allowed > 0) {
        allowed--;
        return false;
    }
    if (once)
        allowed = -1;
    return true;
}

static void allow(long n)
{
    message_release_cache();
    allowed = n;
}

START_TEST(an_ear_opens_or_says_that_memory_is_out)
{
    struct ear *ear = NULL;
    long n = 0;
    for (;; n++) {
        allow(n);
        int rc = ear_open(&ear, NULL, NULL);
        allowed = -1;
        if (rc == 0)
            break;
        ck_assert_int_eq(rc, TROUPE_ENOMEM);
        ck_assert_ptr_null(ear);
    }
    ck_assert_int_ge(n, 2);
    ear_close(&ear);
}
END_TEST

START_TEST(a_letter_is_posted_or_stays_its_senders)
{
    struct mailbox *a, *b;
    ck_assert_int_eq(mailbox_open(&a, MAILBOX_ANY), 0);
    ck_assert_int_eq(mailbox_open(&b, MAILBOX_ANY), 0);
    struct message *m = message_new(MAIL_RUN);
    message_header(m)->to = address_make(0, mailbox_box(b), 0);
    message_header(m)->id = 7;
    long n = 0;
    for (;; n++) {
        allow(n);
        int rc = mailbox_post(a, &m);
        allowed = -1;
        if (rc == 0)
            break;
        ck_assert_int_eq(rc, TROUPE_ENOMEM);
        ck_assert_ptr_nonnull(m);
        ck_assert_ptr_null(mailbox_take(b));
    }
    ck_assert_int_ge(n, 2);
    m = mailbox_take(b);
    ck_assert_ptr_nonnull(m);
    ck_assert_uint_eq(message_header(m)->id, 7);
    message_destroy(&m);
    ck_assert_ptr_null(mailbox_take(b));
    mailbox_close(&a);
    mailbox_close(&b);
}
END_TEST

START_TEST(a_delivery_without_memory_waits_for_it)
{
    struct mailbox *a, *b;
    ck_assert_int_eq(mailbox_open(&a, MAILBOX_ANY), 0);
    ck_assert_int_eq(mailbox_open(&b, MAILBOX_ANY), 0);
    struct message *m = message_new(MAIL_RUN);
    message_header(m)->to = address_make(0, mailbox_box(b), 0);
    allow(0);
    mailbox_deliver(a, &m);
    bool kept = mailbox_deliver_late(a);
    allowed = -1;
    ck_assert_ptr_null(m);
    ck_assert(kept);
    ck_assert(!mailbox_deliver_late(a));
    m = mailbox_take(b);
    ck_assert_ptr_nonnull(m);
    message_destroy(&m);
    mailbox_close(&a);
    mailbox_close(&b);
}
END_TEST

static bool note(struct future *future, struct message **letter, void *context)
{
    (void)future;
    (void)letter;
    ++*(int *)context;
    return false;
}

START_TEST(futures_are_expected_or_refused_and_none_is_mixed_up)
{
    enum { COUNT = 300 };
    static struct future futures[COUNT];
    struct ear *ear;
    int resolved = 0, refused = 0;
    ck_assert_int_eq(ear_open(&ear, NULL, NULL), 0);
    for (int i = 0; i < COUNT; i++) {
        futures[i] = (struct future){.resolve = note};
        for (long n = 0;; n++) {
            allow(n);
            int rc = ear_expect(ear, &futures[i]);
            allowed = -1;
            if (rc == 0)
                break;
            ck_assert_int_eq(rc, TROUPE_ENOMEM);
            ck_assert(!futures[i].pending);
            refused++;
        }
    }
    ck_assert_int_ge(refused, 4);
    for (int i = 0; i < COUNT; i++) {
        struct message *m = message_new(MAIL_RESULT);
        message_header(m)->to = ear_address(ear);
        message_header(m)->slot = futures[i].slot;
        message_header(m)->id = futures[i].id;
        ck_assert_int_eq(mailbox_post(ear_mailbox(ear), &m), 0);
    }
    while (ear_turn(ear, &resolved)) {
    }
    ck_assert_int_eq(resolved, COUNT);
    ear_close(&ear);
}
END_TEST

/* ---- a pool as the node holds it, turned by this thread; its workers are real ---- */

static int open_nothing(lua_State *L)
{
    (void)L;
    return 0;
}

static void attach_nothing(lua_State *L, struct loop *loop)
{
    (void)L;
    (void)loop;
}

static void detach_nothing(lua_State *L)
{
    (void)L;
}

static void other_nothing(struct message **letter, void *L)
{
    (void)letter;
    (void)L;
}

static const struct worker_hooks hooks = {.open = open_nothing, .attach = attach_nothing, .leave = detach_nothing, .detach = detach_nothing,
                                          .other = other_nothing};

struct scene {
    struct mailbox *node, *client;
    struct codes *codes;
    struct pool *pool;
    struct pool_house house;
    uint64_t next_id;
    int outcomes;
    uint16_t last_flags; /* of the latest */
    bool ended; /* the pool */
};

static struct message *new_open_letter(const struct scene *s)
{
    static const struct pool_order order = {.workers = 2, .name_size = 2, .path_size = 1, .cpath_size = 1};
    struct message *m = message_new(MAIL_OPEN);
    ck_assert_ptr_nonnull(m);
    message_header(m)->pool = 1;
    message_header(m)->from = address_make(0, mailbox_box(s->client), 0);
    ck_assert_int_eq(buffer_append(&m->bytes, &order, sizeof order), 0);
    ck_assert_int_eq(buffer_append(&m->bytes, "p\0\0", 4), 0);
    return m;
}

/* A job whose function is Lua source; with an order when it has retries. */
static struct message *new_job(struct scene *s, const char *source, int retries)
{
    struct message *m = message_new(MAIL_SUBMIT);
    ck_assert_ptr_nonnull(m);
    struct header *h = message_header(m);
    h->pool = 1;
    h->id = ++s->next_id;
    h->from = address_make(0, mailbox_box(s->client), 0);
    ck_assert_int_eq(pack_string(&m->bytes, source), 0);
    if (retries) {
        struct job_order order = {.retries = retries};
        message_header(m)->flags |= FLAG_ORDER;
        ck_assert_int_eq(buffer_append(&m->bytes, &order, sizeof order), 0);
    }
    return m;
}

static void open_scene(struct scene *s)
{
    *s = (struct scene){0};
    ck_assert_int_eq(mailbox_open(&s->node, MAILBOX_NODE), 0);
    ck_assert_int_eq(mailbox_open(&s->client, MAILBOX_ANY), 0);
    s->codes = codes_new();
    ck_assert_ptr_nonnull(s->codes);
    s->house = (struct pool_house){s->node, s->codes, &hooks};
}

static void close_scene(struct scene *s)
{
    pool_destroy(&s->pool);
    codes_destroy(&s->codes);
    mailbox_close(&s->client);
    mailbox_close(&s->node);
}

/* What the node does in a turn. */
static void turn(struct scene *s)
{
    struct message *m;
    double now = clock_now();
    while ((m = mailbox_take(s->node))) {
        pool_handle(s->pool, &m, now);
        message_destroy(&m);
    }
    pool_tick(s->pool, now);
    pool_turn(s->pool, now);
    s->ended = pool_ended(s->pool);
    mailbox_deliver_late(s->node);
}

static void take_outcomes(struct scene *s)
{
    struct message *m;
    while ((m = mailbox_take(s->client))) {
        if (message_header(m)->kind == MAIL_RESULT) {
            s->outcomes++;
            s->last_flags = message_header(m)->flags;
        }
        message_destroy(&m);
    }
}

static void turn_until(struct scene *s, int outcomes)
{
    double end = clock_now() + 60;
    while (s->outcomes < outcomes) {
        turn(s);
        take_outcomes(s);
        if (s->outcomes < outcomes)
            mailbox_wait(s->node, 0.01, false, -1);
        ck_assert_msg(clock_now() < end, "an outcome is missing");
    }
    ck_assert_int_eq(s->outcomes, outcomes);
}

/* The job's first turn has memory for so many allocations; its outcome is awaited with plenty. */
static void submit(struct scene *s, struct message *job, long n)
{
    allow(n);
    pool_handle(s->pool, &job, clock_now());
    pool_turn(s->pool, clock_now());
    allowed = -1;
    message_destroy(&job);
    turn_until(s, s->outcomes + 1);
}

static void end_pool(struct scene *s)
{
    double end = clock_now() + 60;
    pool_close_soon(s->pool, 0, clock_now());
    while (!s->ended) {
        turn(s);
        if (!s->ended)
            mailbox_wait(s->node, 0.01, false, -1);
        ck_assert_msg(clock_now() < end, "the pool does not end");
    }
}

START_TEST(a_pool_opens_or_leaves_its_letter)
{
    struct scene s;
    open_scene(&s);
    struct message *m = new_open_letter(&s);
    long n = 0;
    for (; !s.pool; n++) {
        allow(n);
        s.pool = pool_new(&m, &s.house);
        allowed = -1;
        ck_assert((s.pool != NULL) == (m == NULL));
    }
    ck_assert_int_gt(n, 4);
    close_scene(&s);
}
END_TEST

START_TEST(a_job_that_finds_no_memory_to_be_handed_out_ends_with_that_error)
{
    struct scene s;
    open_scene(&s);
    struct message *open = new_open_letter(&s);
    s.pool = pool_new(&open, &s.house);
    ck_assert_ptr_nonnull(s.pool);
    submit(&s, new_job(&s, "return 0", -1), -1);
    struct message *job = new_job(&s, "return 1", -1);
    pool_handle(s.pool, &job, clock_now());
    ck_assert_ptr_null(job);
    allow(0); /* for the copy that goes to the worker: the job may run again without end */
    pool_turn(s.pool, clock_now());
    allowed = -1;
    turn_until(&s, 2);
    ck_assert(s.last_flags & FLAG_ERROR);
    submit(&s, new_job(&s, "return 2", -1), -1);
    ck_assert(!(s.last_flags & FLAG_ERROR));
    end_pool(&s);
    close_scene(&s);
}
END_TEST

/* All that the node allocates from a job's submit until it is handed out: the nth fails, alone or with all that follow.
 * With workers still to be started, or with one that is up. */
START_TEST(each_job_has_one_outcome_whichever_allocation_fails)
{
    for (long n = 0; n < 40; n++) {
        struct scene s;
        open_scene(&s);
        struct message *open = new_open_letter(&s);
        s.pool = pool_new(&open, &s.house);
        ck_assert_ptr_nonnull(s.pool);
        once = _i & 1;
        if (_i & 2)
            submit(&s, new_job(&s, "return 0", 0), -1);
        for (int job = 0; job < 3; job++)
            submit(&s, new_job(&s, job == 1 ? "error 'no'" : "return 1", job == 2 ? -1 : job), n);
        once = false;
        end_pool(&s);
        close_scene(&s);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mail_memory");
    TCase *cases = suite_case(suite, "memory");
    tcase_add_test(cases, an_ear_opens_or_says_that_memory_is_out);
    tcase_add_test(cases, a_letter_is_posted_or_stays_its_senders);
    tcase_add_test(cases, a_delivery_without_memory_waits_for_it);
    tcase_add_test(cases, futures_are_expected_or_refused_and_none_is_mixed_up);
    tcase_add_test(cases, a_pool_opens_or_leaves_its_letter);
    tcase_add_test(cases, a_job_that_finds_no_memory_to_be_handed_out_ends_with_that_error);
    tcase_add_loop_test(cases, each_job_has_one_outcome_whichever_allocation_fails, 0, 4);
    return suite_run(suite);
}
