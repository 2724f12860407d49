/* check_mailbox.c - letters arrive: each once, in order per sender, or their sender is told that the box is gone. */
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "address.h"
#include "clock.h"
#include "mailbox.h"
#include "suite.h"
#include "tray.h"
#include "troupe.h"

enum { SENDERS = 4 };

/* Letters of a long exchange; fewer where a sanitizer or valgrind slows each down. */
static uint64_t many = 20000;

static struct message *letter_to(uint16_t box, uint64_t id)
{
    struct message *m = message_new(MAIL_RUN);
    assert_cheaply(m);
    message_header(m)->to = address_make(0, box, 0);
    message_header(m)->id = id;
    return m;
}

static struct mailbox *opened(void)
{
    struct mailbox *m;
    ck_assert_int_eq(mailbox_open(&m, MAILBOX_ANY), 0);
    return m;
}

static void post(struct mailbox *from, uint16_t box, uint64_t id)
{
    struct message *m = letter_to(box, id);
    assert_cheaply(mailbox_post(from, &m) == 0 && !m);
}

/* The id of the next letter; waits for it. */
static uint64_t next_id(struct mailbox *box)
{
    struct message *m;
    while (!(m = mailbox_take(box)))
        assert_cheaply(mailbox_wait(box, 30, true, -1) == 0);
    uint64_t id = message_header(m)->id;
    message_destroy(&m);
    return id;
}

/* All is quiet: as many trays were taken as were told of, so the next is noticed at once. */
static void expect_right_count(struct mailbox *box)
{
    struct mailbox *other = opened();
    ck_assert(!mailbox_has_letters(box));
    post(other, mailbox_box(box), 1);
    ck_assert(mailbox_has_letters(box));
    ck_assert_uint_eq(next_id(box), 1);
    ck_assert_ptr_null(mailbox_take(box));
    ck_assert(!mailbox_has_letters(box));
    mailbox_close(&other);
}

START_TEST(a_letter_to_another_box_arrives_with_its_body)
{
    struct mailbox *a = opened(), *b = opened();
    struct message *m = letter_to(mailbox_box(b), 7);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(buffer_append(&m->bytes, "0123456789", 10), 0);
    ck_assert_int_eq(mailbox_post(a, &m), 0);
    ck_assert_int_eq(mailbox_wait(b, 30, false, -1), 0);
    m = mailbox_take(b);
    ck_assert_ptr_nonnull(m);
    ck_assert_uint_eq(message_header(m)->id, 7);
    ck_assert_uint_eq(message_body_size(m), 10000);
    ck_assert_mem_eq(message_body(m) + 9990, "0123456789", 10);
    message_destroy(&m);
    mailbox_close(&a);
    mailbox_close(&b);
}
END_TEST

START_TEST(a_letter_to_its_own_box_arrives)
{
    struct mailbox *a = opened();
    post(a, mailbox_box(a), 1);
    post(a, mailbox_box(a), 2);
    ck_assert_uint_eq(next_id(a), 1);
    ck_assert_uint_eq(next_id(a), 2);
    ck_assert_ptr_null(mailbox_take(a));
    mailbox_close(&a);
}
END_TEST

START_TEST(letters_to_actors_that_a_closing_box_has_not_read_come_back)
{
    struct mailbox *a = opened(), *b = opened();
    for (uint64_t id = 1; id <= 5; id++) {
        struct message *m = letter_to(mailbox_box(b), id);
        if (id != 4) { /* a RUN: nobody wants it back */
            message_header(m)->kind = id == 5 ? MAIL_CONTROL : MAIL_TELL;
            message_header(m)->from = mailbox_address(a) | 77;
        }
        ck_assert_int_eq(mailbox_post(a, &m), 0);
    }
    uint64_t to = mailbox_address(b);
    ck_assert_uint_eq(next_id(b), 1);
    mailbox_close(&b);
    for (uint64_t id = 2; id <= 5; id += id == 3 ? 2 : 1) {
        struct message *m = mailbox_take(a);
        ck_assert_ptr_nonnull(m);
        const struct header *h = message_header(m);
        ck_assert_int_eq(h->kind, MAIL_BOUNCE);
        ck_assert_int_eq(h->flags, id == 5 ? FLAG_DISCARD : 0);
        ck_assert_uint_eq(h->id, id);
        ck_assert_uint_eq(h->from, to);
        ck_assert_uint_eq(h->to, mailbox_address(a) | 77);
        message_destroy(&m);
    }
    ck_assert_ptr_null(mailbox_take(a));
    mailbox_close(&a);
}
END_TEST

START_TEST(waiting_at_an_empty_box_times_out_and_not_early)
{
    struct mailbox *a = opened();
    ck_assert_ptr_null(mailbox_take(a));
    double start = clock_now();
    ck_assert_int_eq(mailbox_wait(a, 0.02, true, -1), TROUPE_ETIMEDOUT);
    ck_assert(clock_now() - start >= 0.02);
    ck_assert_int_eq(mailbox_wait(a, 0, false, -1), TROUPE_ETIMEDOUT);
    mailbox_close(&a);
}
END_TEST

START_TEST(a_box_that_was_closed_is_dead_to_old_and_new_senders)
{
    struct mailbox *a = opened(), *b = opened(), *c = opened();
    uint16_t box = mailbox_box(b);
    post(a, box, 1);
    mailbox_close(&b);
    struct message *m = letter_to(box, 2);
    ck_assert_int_eq(mailbox_post(a, &m), TROUPE_EDEAD);
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(mailbox_post(c, &m), TROUPE_EDEAD);
    message_destroy(&m);
    mailbox_close(&a);
    mailbox_close(&c);
}
END_TEST

START_TEST(a_number_used_again_reaches_the_new_box_only)
{
    struct mailbox *a = opened(), *b = NULL;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(mailbox_open(&b, MAILBOX_NODE), 0);
        post(a, MAILBOX_NODE, (uint64_t)i);
        ck_assert_uint_eq(next_id(b), (uint64_t)i);
        post(a, MAILBOX_NODE, 99); /* dies with the box */
        mailbox_close(&b);
    }
    mailbox_close(&a);
}
END_TEST

/* With what lies unread in its trays. */
static void release_box(int box)
{
    struct message *unread = box_release((uint16_t)box);
    message_destroy_list(&unread);
}

/* A sender may be interrupted between sending and ringing, and the box's number be in use again when it goes on. */
START_TEST(no_bell_rings_for_a_box_that_closed)
{
    uint32_t generation;
    int box = box_claim(-1, &generation);
    ck_assert_int_gt(box, 0);
    struct tray *t;
    bool tell = false;
    ck_assert_int_eq(tray_connect(&t, (uint16_t)box, &generation), 0);
    ck_assert_int_eq(tray_put(t, letter_to((uint16_t)box, 1), &tell), 0);
    tray_ring(t);
    ck_assert_uint_eq(box_bell((uint16_t)box), 1);
    release_box(box);
    ck_assert_int_eq(box_claim(box, &generation), box);
    tray_ring(t);
    ck_assert_uint_eq(box_bell((uint16_t)box), 0);
    release_box(box);
    tray_leave(t);
}
END_TEST

START_TEST(the_nodes_box_is_opened_once_at_a_time)
{
    struct mailbox *a, *b = NULL;
    ck_assert_int_eq(mailbox_open(&a, MAILBOX_NODE), 0);
    ck_assert_int_eq(mailbox_open(&b, MAILBOX_NODE), TROUPE_ELIMIT);
    mailbox_close(&a);
}
END_TEST

START_TEST(what_a_sender_posted_arrives_after_it_closed)
{
    struct mailbox *a = opened(), *b = opened();
    for (uint64_t i = 0; i < 100; i++)
        post(a, mailbox_box(b), i);
    mailbox_close(&a);
    for (uint64_t i = 0; i < 100; i++)
        ck_assert_uint_eq(next_id(b), i);
    ck_assert_ptr_null(mailbox_take(b));
    mailbox_close(&b);
}
END_TEST

/* Between a letter's way into the tray and word of it, the box may close. */
START_TEST(a_letter_that_went_with_its_box_is_not_given_back_to_its_sender)
{
    uint32_t generation;
    int box = box_claim(-1, &generation);
    ck_assert_int_gt(box, 0);
    struct tray *t;
    bool tell = false;
    ck_assert_int_eq(tray_connect(&t, (uint16_t)box, &generation), 0);
    struct message *m = letter_to((uint16_t)box, 1), *other = letter_to((uint16_t)box, 2);
    ck_assert_int_eq(tray_put(t, m, &tell), 0);
    ck_assert(tell);
    ck_assert(tray_unput(t, m));
    ck_assert_int_eq(tray_put(t, other, &tell), 0);
    ck_assert(tell);
    release_box(box);
    ck_assert(!tray_unput(t, other));
    tray_leave(t);
    message_destroy(&m);
}
END_TEST

static int count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(dir);
    int n = 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

START_TEST(descriptors_for_boxes_that_are_gone_are_given_back)
{
    enum { MOST = 300 }; /* 32 may be kept, each with what libzmq closes behind it, when its thread gets to that */
    struct mailbox *a = opened();
    for (int i = 0; i < 1000; i++) {
        struct mailbox *b = opened();
        post(a, mailbox_box(b), 1);
        post(b, mailbox_box(a), 1);
        ck_assert_uint_eq(next_id(a), 1);
        mailbox_close(&b);
        for (double end = clock_now() + 20; count_descriptors() > MOST; sched_yield())
            ck_assert_msg(clock_now() < end, "%d descriptors are open", count_descriptors());
    }
    mailbox_close(&a);
}
END_TEST

/* With no descriptor left no box opens; those there are reach each other all the same, for the first time too. */
START_TEST(without_descriptors_no_box_opens_and_letters_still_arrive)
{
    struct mailbox *a = opened(), *b = opened(), *late = NULL;
    struct rlimit all, none;
    uint16_t box = mailbox_box(b);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &all), 0);
    int lowest_free = dup(0); /* nothing below it is free */
    ck_assert_int_ge(lowest_free, 0);
    none = (struct rlimit){.rlim_cur = (rlim_t)lowest_free + 1, .rlim_max = all.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct message *m = letter_to(box, 1);
    int posted = mailbox_post(a, &m), reached = mailbox_reach(a, box), opening = mailbox_open(&late, MAILBOX_ANY);
    struct message *second = letter_to(mailbox_box(a), 2);
    mailbox_deliver(b, &second);
    bool waits = mailbox_deliver_late(b);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &all), 0);
    close(lowest_free);
    ck_assert_int_eq(posted, 0);
    ck_assert_int_eq(reached, 0);
    ck_assert_int_eq(opening, TROUPE_ELIMIT);
    ck_assert(!waits);
    ck_assert_uint_eq(next_id(b), 1);
    ck_assert_uint_eq(next_id(a), 2);
    ck_assert_int_eq(mailbox_open(&late, MAILBOX_ANY), 0);
    mailbox_close(&late);
    mailbox_close(&a);
    mailbox_close(&b);
}
END_TEST

START_TEST(a_delivery_to_a_box_that_is_gone_is_dropped)
{
    struct mailbox *a = opened(), *b = opened();
    struct message *m = letter_to(mailbox_box(b), 1);
    mailbox_close(&b);
    mailbox_deliver(a, &m);
    ck_assert_ptr_null(m);
    ck_assert(!mailbox_deliver_late(a));
    mailbox_close(&a);
}
END_TEST

/* What a forked child finds: its exit status, 0 when all calls were refused. */
static int use_in_child(struct mailbox *a, uint16_t box)
{
    struct mailbox *own;
    struct message *m = message_new(MAIL_RUN);
    if (!m || mailbox_open(&own, MAILBOX_ANY) != TROUPE_EINVAL)
        return 1;
    message_header(m)->to = address_make(0, box, 0);
    if (mailbox_post(a, &m) != TROUPE_EINVAL || !m)
        return 2;
    if (mailbox_reach(a, box) != TROUPE_EINVAL || mailbox_take(a) || mailbox_wait(a, 0, false, -1) != TROUPE_EINVAL)
        return 3;
    mailbox_deliver(a, &m);
    mailbox_close(&a);
    return m || a ? 4 : 0;
}

START_TEST(a_forked_child_is_refused_and_its_parent_goes_on)
{
    struct mailbox *a = opened(), *b = opened();
    int status;
    post(a, mailbox_box(b), 1);
    pid_t child = fork();
    if (child == 0)
        _exit(use_in_child(a, mailbox_box(b)));
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    post(a, mailbox_box(b), 2);
    ck_assert_uint_eq(next_id(b), 1);
    ck_assert_uint_eq(next_id(b), 2);
    mailbox_close(&a);
    mailbox_close(&b);
}
END_TEST

static bool is_odd(const struct message *m, void *context)
{
    (void)context;
    return message_header(m)->id % 2 == 1;
}

START_TEST(letters_not_yet_taken_out_can_be_taken_back)
{
    struct mailbox *a = opened(), *b = opened();
    mailbox_set_single(b);
    for (uint64_t i = 1; i <= 6; i++)
        post(a, mailbox_box(b), i);
    ck_assert_uint_eq(next_id(b), 1);
    struct message *back = mailbox_recall(a, mailbox_box(b), is_odd, NULL);
    ck_assert_uint_eq(message_header(back)->id, 3);
    ck_assert_uint_eq(message_header(back->next)->id, 5);
    ck_assert_ptr_null(back->next->next);
    message_destroy_list(&back);
    post(a, mailbox_box(b), 7);
    ck_assert_uint_eq(next_id(b), 2);
    ck_assert_uint_eq(next_id(b), 4);
    ck_assert_uint_eq(next_id(b), 6);
    ck_assert_uint_eq(next_id(b), 7);
    ck_assert_ptr_null(mailbox_take(b));
    mailbox_close(&a);
    mailbox_close(&b);
}
END_TEST

START_TEST(nothing_is_taken_back_from_a_box_never_written_to)
{
    struct mailbox *a = opened(), *b = opened();
    ck_assert_ptr_null(mailbox_recall(a, mailbox_box(b), is_odd, NULL));
    mailbox_close(&a);
    mailbox_close(&b);
}
END_TEST

struct sender {
    pthread_t thread;
    uint16_t box;
    uint64_t number;
};

static void *send_many(void *arg)
{
    struct sender *s = arg;
    struct mailbox *own = opened();
    for (uint64_t i = 0; i < many; i++)
        post(own, s->box, s->number << 32 | i);
    mailbox_close(&own);
    message_release_cache();
    return NULL;
}

/* All senders at once; each one's letters must come in order, none twice, none missing. */
static void receive_from_all(bool single)
{
    struct mailbox *own = opened();
    struct sender senders[SENDERS];
    uint64_t next[SENDERS] = {0};
    if (single)
        mailbox_set_single(own);
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.box = mailbox_box(own), .number = i};
        ck_assert_int_eq(pthread_create(&senders[i].thread, NULL, send_many, &senders[i]), 0);
    }
    for (uint64_t n = 0; n < SENDERS * many; n++) {
        uint64_t id = next_id(own);
        assert_cheaply(id >> 32 < SENDERS);
        assert_cheaply((id & 0xffffffff) == next[id >> 32]++);
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(senders[i].thread, NULL);
    ck_assert_ptr_null(mailbox_take(own));
    expect_right_count(own);
    mailbox_close(&own);
}

START_TEST(many_senders_keep_their_order)
{
    receive_from_all(false);
}
END_TEST

START_TEST(many_senders_keep_their_order_letter_by_letter)
{
    receive_from_all(true);
}
END_TEST

static void *echo(void *arg)
{
    struct mailbox *own = *(struct mailbox **)arg;
    for (;;) {
        struct message *m = mailbox_take(own);
        if (!m) {
            mailbox_wait(own, 30, false, -1);
            continue;
        }
        struct header *h = message_header(m);
        h->to = h->from;
        bool last = h->id == many;
        if (mailbox_post(own, &m))
            message_destroy(&m);
        if (last)
            break;
    }
    mailbox_close(&own);
    message_release_cache();
    return NULL;
}

START_TEST(no_wake_up_is_lost_in_a_long_exchange)
{
    struct mailbox *a = opened(), *b = opened();
    uint16_t box = mailbox_box(b);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, echo, &b), 0);
    double enough = clock_now() + 20; /* on a busy machine each answer takes long */
    for (uint64_t i = 1, id = 0; id < many; i++) {
        id = clock_now() < enough ? i : many;
        struct message *m = letter_to(box, id);
        message_header(m)->from = address_make(0, mailbox_box(a), 0);
        ck_assert_int_eq(mailbox_post(a, &m), 0);
        ck_assert_uint_eq(next_id(a), id);
    }
    pthread_join(thread, NULL);
    mailbox_close(&a);
}
END_TEST

struct questions {
    uint16_t box;
    atomic_bool enough;
    atomic_int asking;
};

/* Asks the box, one question after the other. */
static void *ask(void *arg)
{
    struct questions *all = arg;
    struct mailbox *own = opened();
    for (uint64_t i = 1; i <= many / SENDERS && !atomic_load(&all->enough); i++) {
        struct message *m = letter_to(all->box, i);
        message_header(m)->from = address_make(0, mailbox_box(own), 0);
        ck_assert_int_eq(mailbox_post(own, &m), 0);
        ck_assert_uint_eq(next_id(own), i);
    }
    mailbox_close(&own);
    message_release_cache();
    atomic_fetch_sub(&all->asking, 1);
    return NULL;
}

/* Senders wake a receiver for each other; one that never sleeps must not depend on that. On a busy machine each yield takes
 * long, and fewer questions do. */
START_TEST(a_receiver_that_never_waits_misses_no_tray)
{
    struct mailbox *a = opened();
    struct questions all = { .box = mailbox_box(a), .asking = SENDERS };
    pthread_t threads[SENDERS];
    double now = clock_now(), enough = now + 20, hung = now + 100;
    for (int i = 0; i < SENDERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask, &all), 0);
    while (atomic_load(&all.asking) > 0) {
        struct message *m = mailbox_take(a);
        now = clock_now();
        atomic_store(&all.enough, now > enough);
        ck_assert_msg(now < hung, "a question was not seen");
        if (!m) {
            sched_yield();
            continue;
        }
        hung = now + 100;
        message_header(m)->to = message_header(m)->from;
        ck_assert_int_eq(mailbox_post(a, &m), 0);
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    expect_right_count(a);
    mailbox_close(&a);
}
END_TEST

/* A box that closes while others write to it: each letter arrives or is refused, and nothing leaks. */
static void *send_until_dead(void *arg)
{
    struct sender *s = arg;
    struct mailbox *own = opened();
    int rc = 0;
    while (rc == 0) {
        struct message *m = letter_to(s->box, 1);
        rc = mailbox_post(own, &m);
        message_destroy(&m);
    }
    ck_assert_int_eq(rc, TROUPE_EDEAD);
    mailbox_close(&own);
    message_release_cache();
    return NULL;
}

START_TEST(a_box_may_close_while_others_write_to_it)
{
    for (int round = 0; round < (suite_slowdown() > 2 ? 5 : 20); round++) {
        struct mailbox *own = opened();
        struct sender senders[SENDERS];
        for (unsigned i = 0; i < SENDERS; i++) {
            senders[i] = (struct sender){.box = mailbox_box(own)};
            ck_assert_int_eq(pthread_create(&senders[i].thread, NULL, send_until_dead, &senders[i]), 0);
        }
        for (int n = 0; n < 100; n++)
            next_id(own);
        mailbox_close(&own);
        for (int i = 0; i < SENDERS; i++)
            pthread_join(senders[i].thread, NULL);
    }
}
END_TEST

int main(void)
{
    if (suite_slowdown() > 1)
        many /= 10;
    Suite *s = suite_create("mailbox");
    TCase *c = suite_case(s, "mailbox");
    tcase_add_test(c, a_letter_to_another_box_arrives_with_its_body);
    tcase_add_test(c, a_letter_to_its_own_box_arrives);
    tcase_add_test(c, letters_to_actors_that_a_closing_box_has_not_read_come_back);
    tcase_add_test(c, waiting_at_an_empty_box_times_out_and_not_early);
    tcase_add_test(c, a_box_that_was_closed_is_dead_to_old_and_new_senders);
    tcase_add_test(c, a_number_used_again_reaches_the_new_box_only);
    tcase_add_test(c, no_bell_rings_for_a_box_that_closed);
    tcase_add_test(c, the_nodes_box_is_opened_once_at_a_time);
    tcase_add_test(c, what_a_sender_posted_arrives_after_it_closed);
    tcase_add_test(c, a_letter_that_went_with_its_box_is_not_given_back_to_its_sender);
    tcase_add_test(c, descriptors_for_boxes_that_are_gone_are_given_back);
    tcase_add_test(c, without_descriptors_no_box_opens_and_letters_still_arrive);
    tcase_add_test(c, a_delivery_to_a_box_that_is_gone_is_dropped);
    tcase_add_test(c, a_forked_child_is_refused_and_its_parent_goes_on);
    tcase_add_test(c, letters_not_yet_taken_out_can_be_taken_back);
    tcase_add_test(c, nothing_is_taken_back_from_a_box_never_written_to);
    tcase_add_test(c, many_senders_keep_their_order);
    tcase_add_test(c, many_senders_keep_their_order_letter_by_letter);
    tcase_add_test(c, no_wake_up_is_lost_in_a_long_exchange);
    tcase_add_test(c, a_receiver_that_never_waits_misses_no_tray);
    tcase_add_test(c, a_box_may_close_while_others_write_to_it);
    return suite_run(s);
}
