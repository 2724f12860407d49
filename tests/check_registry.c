/* check_registry.c - names and topics: who has which name, who gets what is published, what a death takes away; against a
 * naive model, and with memory running out at every single allocation.
 *
 * Linked with --wrap for malloc, calloc and realloc.
 */
#include "registry.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "buffer.h"
#include "failing_memory.h"
#include "message.h"
#include "registry_letter.h"
#include "registry_program.h"
#include "suite.h"
#include "troupe.h"

/* Allocations of this thread until one fails; negative: none does. */
static _Thread_local long allowed = -1;

static bool fails(void)
{
    return allowed >= 0 && allowed-- == 0;
}

static const uint64_t A = (uint64_t)5 << 32 | 1, B = (uint64_t)5 << 32 | 2, C = (uint64_t)6 << 32 | 1;

static int name_it(struct registry *r, const char *name, uint64_t address)
{
    return registry_register(r, name, strlen(name), address);
}

static uint64_t whereis(const struct registry *r, const char *name)
{
    return registry_whereis(r, name, strlen(name));
}

static int subscribe(struct registry *r, const char *topic, uint64_t address)
{
    return registry_subscribe(r, topic, strlen(topic), address);
}

static bool unsubscribe(struct registry *r, const char *topic, uint64_t address)
{
    return registry_unsubscribe(r, topic, strlen(topic), address);
}

static int compare(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* Sorted. */
static size_t publish(struct registry *r, const char *topic, uint64_t *to, size_t room)
{
    struct buffer out;
    buffer_init(&out);
    ck_assert_int_eq(registry_subscribers(r, topic, strlen(topic), &out), 0);
    size_t count = out.size / sizeof *to;
    ck_assert_uint_le(count, room);
    if (count) {
        memcpy(to, out.data, out.size);
        qsort(to, count, sizeof *to, compare);
    }
    buffer_release(&out);
    return count;
}

static void reaches(struct registry *r, const char *topic, size_t count, uint64_t first, uint64_t second)
{
    uint64_t to[8];
    ck_assert_msg(publish(r, topic, to, 8) == count, "%s", topic);
    ck_assert(count < 1 || to[0] == first);
    ck_assert(count < 2 || to[1] == second);
}

START_TEST(a_name_is_of_one_and_free_again_after_it)
{
    struct registry *r = registry_new();
    ck_assert(registry_is_empty(r));
    ck_assert_uint_eq(whereis(r, "bank"), 0);
    ck_assert_int_eq(name_it(r, "bank", A), 0);
    ck_assert_int_eq(name_it(r, "bank", B), TROUPE_EINVAL);
    ck_assert_int_eq(name_it(r, "ban", B), 0);
    ck_assert_uint_eq(whereis(r, "bank"), A);
    ck_assert_uint_eq(whereis(r, "ban"), B);
    registry_forget(r, A);
    registry_forget(r, A);
    ck_assert_uint_eq(whereis(r, "bank"), 0);
    ck_assert_int_eq(name_it(r, "bank", C), 0);
    ck_assert(registry_unregister(r, "bank", 4));
    ck_assert(!registry_unregister(r, "bank", 4));
    registry_forget(r, B);
    ck_assert(registry_is_empty(r));
    registry_destroy(&r);
    ck_assert_ptr_null(r);
    registry_destroy(&r);
}
END_TEST

START_TEST(the_first_name_of_an_address_is_told)
{
    struct registry *r = registry_new();
    size_t size;
    ck_assert_ptr_null(registry_name(r, A, &size));
    name_it(r, "beta", A);
    name_it(r, "alphabet", A);
    name_it(r, "alpha", A);
    name_it(r, "a", B);
    const char *name = registry_name(r, A, &size);
    ck_assert_uint_eq(size, 5);
    ck_assert_int_eq(memcmp(name, "alpha", 5), 0);
    registry_unregister(r, "alpha", 5);
    registry_name(r, A, &size);
    ck_assert_uint_eq(size, 8);
    registry_destroy(&r);
}
END_TEST

START_TEST(a_name_may_have_any_bytes_and_be_empty)
{
    struct registry *r = registry_new();
    ck_assert_int_eq(registry_register(r, "a\0b", 3, A), 0);
    ck_assert_int_eq(registry_register(r, "a\0c", 3, B), 0);
    ck_assert_int_eq(registry_register(r, "", 0, C), 0);
    ck_assert_uint_eq(registry_whereis(r, "a\0b", 3), A);
    ck_assert_uint_eq(registry_whereis(r, "a\0c", 3), B);
    ck_assert_uint_eq(registry_whereis(r, "", 0), C);
    ck_assert_uint_eq(registry_whereis(r, "a", 1), 0);
    registry_destroy(&r);
}
END_TEST

static int count_name(void *context, const char *name, size_t size)
{
    (void)name;
    *(size_t *)context += size;
    return 0;
}

static int refuse_name(void *context, const char *name, size_t size)
{
    (void)name;
    (void)size;
    ++*(int *)context;
    return TROUPE_ENOMEM;
}

START_TEST(all_names_are_shown)
{
    struct registry *r = registry_new();
    char name[16];
    size_t total = 0;
    int seen = 0;
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "n%03d", i);
        ck_assert_int_eq(name_it(r, name, A + (uint64_t)(i % 7)), 0);
    }
    ck_assert_int_eq(registry_names(r, count_name, &total), 0);
    ck_assert_uint_eq(total, 4000);
    ck_assert_int_eq(registry_names(r, refuse_name, &seen), TROUPE_ENOMEM);
    ck_assert_int_eq(seen, 1);
    registry_destroy(&r);
}
END_TEST

START_TEST(a_star_stands_for_one_word_and_the_last_for_one_or_more)
{
    struct registry *r = registry_new();
    subscribe(r, "news.*", A);
    subscribe(r, "news.>", B);
    reaches(r, "news.sport", 2, A, B);
    reaches(r, "news.sport.late", 1, B, 0);
    reaches(r, "news", 0, 0, 0);
    reaches(r, "newsy.sport", 0, 0, 0);
    subscribe(r, "*.sport", C);
    subscribe(r, "*.*", C);
    reaches(r, "old.sport", 1, C, 0);
    reaches(r, "old.sport.late", 0, 0, 0);
    ck_assert(unsubscribe(r, "news.>", B));
    reaches(r, "news.sport.late", 0, 0, 0);
    registry_destroy(&r);
}
END_TEST

START_TEST(who_subscribed_twice_gets_it_once)
{
    struct registry *r = registry_new();
    subscribe(r, "a.b", A);
    subscribe(r, "a.b", A);
    subscribe(r, "a.*", A);
    subscribe(r, ">", A);
    reaches(r, "a.b", 1, A, 0);
    ck_assert(unsubscribe(r, "a.b", A));
    ck_assert(!unsubscribe(r, "a.b", A));
    ck_assert(!unsubscribe(r, "a.b", B));
    ck_assert(!unsubscribe(r, "a", A));
    ck_assert(!unsubscribe(r, "x.y", A));
    reaches(r, "a.b", 1, A, 0);
    ck_assert(unsubscribe(r, "a.*", A));
    ck_assert(unsubscribe(r, ">", A));
    ck_assert(registry_is_empty(r));
    reaches(r, "a.b", 0, 0, 0);
    registry_destroy(&r);
}
END_TEST

START_TEST(wildcards_are_words_of_their_own_only)
{
    struct registry *r = registry_new();
    subscribe(r, "a.>.b", A); /* in the middle it is a word as any other */
    subscribe(r, "a*.b", B);
    reaches(r, "a.x.b", 0, 0, 0);
    reaches(r, "a.>.b", 1, A, 0);
    reaches(r, "ax.b", 0, 0, 0);
    reaches(r, "a*.b", 1, B, 0);
    subscribe(r, "*", C);
    reaches(r, "*", 1, C, 0);
    reaches(r, ">", 1, C, 0);
    registry_destroy(&r);
}
END_TEST

START_TEST(subscribers_stand_in_the_order_in_which_they_came)
{
    struct registry *r = registry_new();
    struct buffer out;
    buffer_init(&out);
    for (uint64_t i = 100; i > 0; i--)
        subscribe(r, "t", C + i);
    registry_subscribers(r, "t", 1, &out);
    ck_assert_uint_eq(out.size, 100 * sizeof(uint64_t));
    for (uint64_t i = 0; i < 100; i++) {
        uint64_t address;
        memcpy(&address, out.data + i * sizeof address, sizeof address);
        ck_assert_uint_eq(address, C + 100 - i);
    }
    buffer_release(&out);
    registry_destroy(&r);
}
END_TEST

START_TEST(the_dead_lose_all_they_had)
{
    struct registry *r = registry_new();
    uint64_t far = address_make(3, 5, 1), farther = address_make(3, 9, 7);
    name_it(r, "a", A);
    name_it(r, "b", B);
    name_it(r, "c", C);
    name_it(r, "far", far);
    subscribe(r, "t.>", A);
    subscribe(r, "t.>", C);
    subscribe(r, "t.*", far);
    subscribe(r, "t.x", farther);
    registry_forget_box(r, address_make(0, 5, 0)); /* A and B, not far */
    ck_assert_uint_eq(whereis(r, "a") + whereis(r, "b"), 0);
    ck_assert_uint_eq(whereis(r, "c"), C);
    ck_assert_uint_eq(whereis(r, "far"), far);
    registry_forget_house(r, 3);
    ck_assert_uint_eq(whereis(r, "far"), 0);
    reaches(r, "t.x", 1, C, 0);
    registry_forget_house(r, 3);
    registry_forget_box(r, A);
    registry_forget_house(r, 0);
    ck_assert(registry_is_empty(r));
    registry_destroy(&r);
}
END_TEST

START_TEST(a_topic_may_be_as_long_as_it_likes)
{
    enum { WORDS = 100000 };
    struct registry *r = registry_new();
    static char topic[2 * WORDS], stars[2 * WORDS];
    for (int i = 0; i < WORDS; i++) {
        memcpy(topic + 2 * i, "a.", 2);
        memcpy(stars + 2 * i, "*.", 2);
    }
    topic[2 * WORDS - 1] = stars[2 * WORDS - 1] = '\0';
    subscribe(r, topic, A);
    subscribe(r, stars, A);
    subscribe(r, "a.>", B);
    reaches(r, topic, 2, A, B);
    registry_destroy(&r);
}
END_TEST

/* ---- a model: every name and every subscription in a list */

enum { NAMES = 12, TOPICS = 24, ADDRESSES = 16 };

static uint64_t seed = 42;

static unsigned random_below(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

static uint64_t model_names[NAMES];
static bool model_subscribed[TOPICS][ADDRESSES];
static char patterns[TOPICS][32];

static uint64_t address_of(unsigned i)
{
    return address_make((uint16_t)(i / 8), (uint16_t)(i / 4 + 1), i + 1);
}

static void random_topic(char *out, bool wild)
{
    static const char *const words[] = {"a", "b", "ab", "*", ">"};
    unsigned count = 1 + random_below(4);
    out[0] = '\0';
    for (unsigned i = 0; i < count; i++) {
        strcat(out, i ? "." : "");
        strcat(out, words[random_below(wild ? 5 : 3)]);
    }
}

/* As the pattern reads, word by word. */
static bool fits(const char *pattern, const char *topic)
{
    for (;;) {
        size_t p = strcspn(pattern, "."), t = strcspn(topic, ".");
        if (p == 1 && *pattern == '>' && !pattern[p])
            return true;
        if (!(p == 1 && *pattern == '*') && (p != t || memcmp(pattern, topic, p) != 0))
            return false;
        if (!pattern[p] || !topic[t])
            return !pattern[p] && !topic[t];
        pattern += p + 1;
        topic += t + 1;
    }
}

static void model_forget(unsigned i)
{
    for (int n = 0; n < NAMES; n++)
        if (model_names[n] == address_of(i))
            model_names[n] = 0;
    for (int t = 0; t < TOPICS; t++)
        model_subscribed[t][i] = false;
}

static void check_publish(struct registry *r)
{
    char topic[32];
    uint64_t got[ADDRESSES], want[ADDRESSES];
    size_t count = 0;
    random_topic(topic, false);
    for (unsigned i = 0; i < ADDRESSES; i++) {
        bool some = false;
        for (int t = 0; t < TOPICS; t++)
            some |= model_subscribed[t][i] && fits(patterns[t], topic);
        if (some)
            want[count++] = address_of(i);
    }
    if (count)
        qsort(want, count, sizeof *want, compare);
    assert_cheaply(publish(r, topic, got, ADDRESSES) == count);
    assert_cheaply(!count || memcmp(got, want, count * sizeof *got) == 0);
}

static void change_name(struct registry *r, unsigned n, unsigned i)
{
    char name[8];
    snprintf(name, sizeof name, "n%u", n);
    if (random_below(3)) {
        int rc = name_it(r, name, address_of(i));
        assert_cheaply(rc == (model_names[n] ? TROUPE_EINVAL : 0));
        if (rc == 0)
            model_names[n] = address_of(i);
    } else {
        assert_cheaply(registry_unregister(r, name, strlen(name)) == (model_names[n] != 0));
        model_names[n] = 0;
    }
    assert_cheaply(whereis(r, name) == model_names[n]);
}

static void change_topic(struct registry *r, unsigned t, unsigned i)
{
    if (random_below(3)) {
        assert_cheaply(subscribe(r, patterns[t], address_of(i)) == 0);
        model_subscribed[t][i] = true;
    } else {
        assert_cheaply(unsubscribe(r, patterns[t], address_of(i)) == model_subscribed[t][i]);
        model_subscribed[t][i] = false;
    }
}

/* An actor, a box of four, or a house of eight ends. */
static void end_some(struct registry *r, unsigned i)
{
    unsigned what = random_below(8), size = what == 0 ? 8 : what < 3 ? 4 : 1;
    if (size == 8)
        registry_forget_house(r, address_node(address_of(i)));
    else if (size == 4)
        registry_forget_box(r, address_of(i));
    else
        registry_forget(r, address_of(i));
    for (unsigned j = i / size * size; j < i / size * size + size; j++)
        model_forget(j);
}

static bool model_is_empty(void)
{
    bool some = false;
    for (int n = 0; n < NAMES; n++)
        some |= model_names[n] != 0;
    for (int t = 0; t < TOPICS; t++)
        for (int i = 0; i < ADDRESSES; i++)
            some |= model_subscribed[t][i];
    return !some;
}

START_TEST(it_does_as_a_naive_one_does)
{
    struct registry *r = registry_new();
    for (int t = 0; t < TOPICS; t++) {
        bool again;
        do {
            random_topic(patterns[t], true);
            again = false;
            for (int u = 0; u < t; u++)
                again |= strcmp(patterns[t], patterns[u]) == 0;
        } while (again);
    }
    for (int step = 0; step < 40000 / suite_slowdown(); step++) {
        unsigned i = random_below(ADDRESSES), what = random_below(16);
        if (what < 4)
            change_name(r, random_below(NAMES), i);
        else if (what < 8)
            change_topic(r, random_below(TOPICS), i);
        else if (what < 10)
            end_some(r, i);
        else
            check_publish(r);
        assert_cheaply(registry_is_empty(r) == model_is_empty());
    }
    registry_destroy(&r);
}
END_TEST

/* ---- memory */

/* All that can be done; counts what had no memory. */
static int work(struct registry *r)
{
    int failed = 0;
    char text[32];
    for (unsigned i = 0; i < 40; i++) {
        snprintf(text, sizeof text, "name%u", i);
        failed += name_it(r, text, address_of(i)) == TROUPE_ENOMEM;
        snprintf(text, sizeof text, "topic.%u.*", i);
        failed += subscribe(r, text, address_of(i + 20)) == TROUPE_ENOMEM;
    }
    return failed;
}

START_TEST(without_memory_nothing_changes_and_then_it_works)
{
    bool ended = false;
    for (long n = 0; !ended; n++) {
        allowed = n;
        struct registry *r = registry_new();
        int failed = r ? work(r) : 1;
        ended = allowed >= 0;
        allowed = -1;
        if (!r)
            continue;
        ck_assert_int_le(failed, 1); /* a table that could not grow does without */
        uint64_t to[64];
        int names = 0, subscriptions = 0;
        char text[32];
        for (unsigned i = 0; i < 40; i++) {
            snprintf(text, sizeof text, "name%u", i);
            names += whereis(r, text) == address_of(i);
            snprintf(text, sizeof text, "topic.%u.x", i);
            subscriptions += (int)publish(r, text, to, 64);
        }
        ck_assert_int_eq(names + subscriptions, 80 - failed);
        for (unsigned i = 0; i < 60; i++)
            registry_forget(r, address_of(i));
        ck_assert(registry_is_empty(r));
        ck_assert_int_eq(work(r), 0);
        registry_destroy(&r);
    }
}
END_TEST

START_TEST(a_search_without_memory_says_so)
{
    struct registry *r = registry_new();
    struct buffer out;
    for (uint64_t i = 1; i <= 1000; i++)
        subscribe(r, i % 2 ? "a.>" : "*.b", i);
    for (long n = 0, ended = 0; !ended; n++) {
        buffer_init(&out);
        allowed = n;
        int rc = registry_subscribers(r, "a.b", 3, &out);
        ended = allowed >= 0;
        allowed = -1;
        ck_assert_int_eq(rc, ended ? 0 : TROUPE_ENOMEM);
        ck_assert(!ended || out.size == 1000 * sizeof(uint64_t));
        buffer_release(&out);
    }
    registry_destroy(&r);
}
END_TEST

/* ---- the program's */

/* A letter that a worker process sent, and what came of it. */
static struct message *send(enum message_kind kind, uint64_t id, int64_t number, const char *body)
{
    struct message *m = message_new(kind);
    struct header *h = message_header(m);
    h->from = address_make(3, 7, 0);
    h->id = id;
    h->code = 99; /* a question */
    h->slot = 5;
    h->u.number = number;
    buffer_append(&m->bytes, body, strlen(body));
    ck_assert_int_eq(registry_take_letter(&m), 1);
    return m;
}

static void answers(enum message_kind kind, uint64_t id, const char *body, const char *bytes, size_t size)
{
    struct message *m = send(kind, id, 0, body);
    const struct header *h = message_header(m);
    ck_assert_int_eq(h->kind, MAIL_ANSWER);
    ck_assert_uint_eq(h->to, address_make(3, 7, 0));
    ck_assert_uint_eq(h->code, 99);
    ck_assert_uint_eq(h->slot, 5);
    ck_assert_uint_eq(message_body_size(m), size);
    ck_assert_mem_eq(message_body(m), bytes, size);
    message_destroy(&m);
}

START_TEST(a_worker_process_asks_by_letter)
{
    uint64_t actor = address_make(3, 7, 0x80000001u);
    answers(MAIL_WHEREIS, 0, "bank", "\xc0", 1);
    answers(MAIL_NAMES, 0, "", "\xdd\0\0\0\0", 5);
    answers(MAIL_SUBSCRIBERS, 0, "a", "\xdd\0\0\0\0", 5);
    answers(MAIL_REGISTER, actor, "bank", "\xc3", 1);
    answers(MAIL_REGISTER, A, "bank", "\xc2", 1);
    answers(MAIL_WHEREIS, 0, "bank", "\xcf\0\3\0\7\x80\0\0\1", 9);
    answers(MAIL_NAMES, 0, "", "\xdd\0\0\0\1\xc4\4bank", 11);
    answers(MAIL_SUBSCRIBE, actor, "a.*", "\xc3", 1);
    answers(MAIL_SUBSCRIBE, 7, "a.*", "\xc3", 1);
    answers(MAIL_SUBSCRIBERS, 0, "a.b", "\xdd\0\0\0\2\xcf\0\3\0\7\x80\0\0\1\7", 15);
    answers(MAIL_UNSUBSCRIBE, 7, "a.*", "\xc3", 1);
    answers(MAIL_UNSUBSCRIBE, 7, "a.*", "\xc2", 1);
    struct registry *r = registry_enter();
    ck_assert_uint_eq(whereis(r, "bank"), actor);
    registry_exit();
    struct message *gone = send(MAIL_GONE, actor, 0, "");
    ck_assert_ptr_null(gone);
    answers(MAIL_UNREGISTER, 0, "bank", "\xc2", 1);
    answers(MAIL_SUBSCRIBERS, 0, "a.b", "\xdd\0\0\0\0", 5);
}
END_TEST

START_TEST(a_letter_of_another_kind_is_left_alone)
{
    struct message *m = message_new(MAIL_NOTIFY);
    ck_assert_int_eq(registry_take_letter(&m), 0);
    ck_assert_ptr_nonnull(m);
    message_destroy(&m);
}
END_TEST

START_TEST(a_vm_that_leaves_a_process_loses_what_it_had)
{
    uint64_t actor = address_make(3, 7, 0x80000001u);
    answers(MAIL_REGISTER, actor, "bank", "\xc3", 1);
    struct message *m = message_new(MAIL_LEAVE);
    message_header(m)->from = address_make(3, 7, 0);
    ck_assert_int_eq(registry_take_letter(&m), 0); /* it goes on to the node */
    message_destroy(&m);
    answers(MAIL_WHEREIS, 0, "bank", "\xc0", 1);
    answers(MAIL_REGISTER, actor, "bank", "\xc3", 1);
    registry_house_gone(3);
    answers(MAIL_WHEREIS, 0, "bank", "\xc0", 1);
}
END_TEST

START_TEST(messages_that_reached_nobody_are_summed)
{
    uint64_t before = registry_count_dead(0);
    ck_assert_uint_eq(registry_count_dead(2), before + 2);
    struct message *m = send(MAIL_UNREAD, 0, 3, "");
    ck_assert_uint_eq(message_body(m)[0], before + 5);
    message_destroy(&m);
    m = message_new(MAIL_UNREAD);
    message_header(m)->u.number = 1;
    ck_assert_int_eq(registry_take_letter(&m), 1); /* no question: no answer */
    ck_assert_ptr_null(m);
    ck_assert_uint_eq(registry_count_dead(0), before + 6);
}
END_TEST

START_TEST(an_answer_without_memory_is_nil)
{
    answers(MAIL_REGISTER, A, "a name", "\xc3", 1);
    for (long n = 0, ended = 0; !ended; n++) {
        struct message *m = message_new(MAIL_NAMES);
        message_header(m)->code = 99;
        allowed = n;
        registry_take_letter(&m);
        ended = allowed >= 0;
        allowed = -1;
        ck_assert_uint_eq(message_body(m)[0], ended ? 0xdd : 0xc0);
        message_destroy(&m);
    }
    registry_ended(A);
}
END_TEST

enum { ROUNDS = 2000 };

static atomic_int held, doubled; /* how many have the name now; how often it was more than one */

/* Takes the name as often as it can, and gives it up by dying. */
static void *contend(void *arg)
{
    uint64_t address = *(const uint64_t *)arg;
    for (int won = 0; won < ROUNDS;) {
        int rc = name_it(registry_enter(), "the one", address);
        registry_exit();
        if (rc)
            continue;
        if (atomic_fetch_add(&held, 1))
            atomic_fetch_add(&doubled, 1);
        won++;
        atomic_fetch_sub(&held, 1);
        registry_ended(address);
    }
    return NULL;
}

START_TEST(of_many_threads_one_has_the_name)
{
    pthread_t threads[2];
    static const uint64_t addresses[2] = {5, 6};
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, contend, (void *)&addresses[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(doubled, 0);
    ck_assert_uint_eq(whereis(registry_enter(), "the one"), 0);
    registry_exit();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("registry");
    TCase *tests = suite_case(suite, "registry");
    tcase_add_test(tests, a_name_is_of_one_and_free_again_after_it);
    tcase_add_test(tests, the_first_name_of_an_address_is_told);
    tcase_add_test(tests, a_name_may_have_any_bytes_and_be_empty);
    tcase_add_test(tests, all_names_are_shown);
    tcase_add_test(tests, a_star_stands_for_one_word_and_the_last_for_one_or_more);
    tcase_add_test(tests, who_subscribed_twice_gets_it_once);
    tcase_add_test(tests, wildcards_are_words_of_their_own_only);
    tcase_add_test(tests, subscribers_stand_in_the_order_in_which_they_came);
    tcase_add_test(tests, the_dead_lose_all_they_had);
    tcase_add_test(tests, a_topic_may_be_as_long_as_it_likes);
    tcase_add_test(tests, it_does_as_a_naive_one_does);
    tcase_add_test(tests, without_memory_nothing_changes_and_then_it_works);
    tcase_add_test(tests, a_search_without_memory_says_so);
    tcase_add_test(tests, a_worker_process_asks_by_letter);
    tcase_add_test(tests, a_letter_of_another_kind_is_left_alone);
    tcase_add_test(tests, a_vm_that_leaves_a_process_loses_what_it_had);
    tcase_add_test(tests, messages_that_reached_nobody_are_summed);
    tcase_add_test(tests, an_answer_without_memory_is_nil);
    tcase_add_test(tests, of_many_threads_one_has_the_name);
    return suite_run(suite);
}
