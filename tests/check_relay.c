/* check_relay.c - letters that their sender passes on itself, past the thread of the box they are for: each arrives once, in
 * order with those that took the usual way.
 *
 * The house below does what a bridge does: a thread that takes letters from its box while it holds `work`, and lets go of it
 * to rest.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "address.h"
#include "clock.h"
#include "mailbox.h"
#include "message.h"
#include "suite.h"
#include "tray.h"
#include "troupe.h"

enum { SENDERS = 3, FEW = 3 };

static const uint64_t many = 3000;

static struct mailbox *opened(void)
{
    struct mailbox *m;
    ck_assert_int_eq(mailbox_open(&m, MAILBOX_ANY), 0);
    return m;
}

static void post(struct mailbox *from, uint16_t box, uint64_t id)
{
    struct message *m = message_new(id % 7 == 3 ? MAIL_DOWN : MAIL_DONE);
    ck_assert_ptr_nonnull(m);
    message_header(m)->to = address_make(0, box, 0);
    message_header(m)->id = id;
    ck_assert_int_eq(mailbox_post(from, &m), 0);
}

/* What a relay was given: the ids, one after the other as digits. */
struct given {
    uint64_t digits;
    int calls;
    bool declines, fails;
};

static bool not_down(const struct message *m)
{
    return message_header(m)->kind != MAIL_DOWN;
}

static bool note(void *owner, struct tray *tray)
{
    struct given *self = owner;
    self->calls++;
    struct message *list = self->declines ? NULL : tray_take_few(tray, FEW, not_down);
    bool some = list != NULL;
    for (const struct message *m = list; m; m = m->next)
        self->digits = self->digits * 10 + message_header(m)->id;
    message_destroy_list(&list);
    return some && !self->fails;
}

static uint64_t take_all(struct mailbox *box)
{
    uint64_t digits = 0;
    for (struct message *m; (m = mailbox_take(box)); message_destroy(&m))
        digits = digits * 10 + message_header(m)->id;
    return digits;
}

START_TEST(a_relay_gets_as_many_letters_as_are_allowed)
{
    struct mailbox *a = opened(), *b = opened();
    struct given given = {0};
    mailbox_set_relay(b, note, &given);
    post(a, mailbox_box(b), 1);
    ck_assert_int_eq(given.calls, 0);
    ck_assert_uint_eq(take_all(b), 1);
    mailbox_allow_relays(a, 2);
    post(a, mailbox_box(b), 2);
    ck_assert_uint_eq(given.digits, 2);
    ck_assert(!mailbox_has_letters(b));
    post(a, mailbox_box(b), 4);
    post(a, mailbox_box(b), 5); /* one too many */
    ck_assert_uint_eq(given.digits, 24);
    ck_assert_int_eq(given.calls, 2);
    ck_assert(mailbox_has_letters(b));
    ck_assert_uint_eq(take_all(b), 5);
    mailbox_close(&a);
    mailbox_close(&b);
}
END_TEST

START_TEST(what_a_relay_declines_comes_to_the_box_and_what_follows_comes_behind_it)
{
    struct mailbox *a = opened(), *b = opened();
    struct given given = {.declines = true};
    mailbox_set_relay(b, note, &given);
    mailbox_allow_relays(a, 9);
    post(a, mailbox_box(b), 1);
    given.declines = false;
    post(a, mailbox_box(b), 2); /* the box has been told of this tray */
    ck_assert_int_eq(given.calls, 1);
    ck_assert_uint_eq(take_all(b), 12);
    post(a, mailbox_box(b), 3); /* a DOWN: not wanted */
    ck_assert_uint_eq(take_all(b), 3);
    post(a, mailbox_box(b), 4);
    ck_assert_uint_eq(given.digits, 4);
    mailbox_close(&a);
    mailbox_close(&b);
}
END_TEST

START_TEST(a_relay_that_took_letters_and_could_not_pass_them_on_has_the_box_told)
{
    struct mailbox *a = opened(), *b = opened();
    struct given given = {.fails = true};
    mailbox_set_relay(b, note, &given);
    mailbox_allow_relays(a, 9);
    post(a, mailbox_box(b), 1);
    ck_assert_uint_eq(given.digits, 1);
    ck_assert_int_eq(mailbox_wait(b, 30, false, -1), 0);
    post(a, mailbox_box(b), 2); /* told of, and not looked at yet */
    ck_assert_uint_eq(given.digits, 1);
    ck_assert_uint_eq(take_all(b), 2);
    given.fails = false;
    post(a, mailbox_box(b), 4);
    ck_assert_uint_eq(given.digits, 14);
    mailbox_close(&a); /* its tray is idle: freed here, and by nobody else */
    ck_assert_ptr_null(mailbox_take(b));
    mailbox_close(&b);
}
END_TEST

START_TEST(without_its_relay_a_box_is_told_as_ever)
{
    struct mailbox *a = opened(), *b = opened();
    struct given given = {0};
    mailbox_set_relay(b, note, &given);
    mailbox_set_relay(b, NULL, NULL);
    mailbox_allow_relays(a, 1);
    post(a, mailbox_box(b), 1);
    ck_assert_int_eq(given.calls, 0);
    ck_assert_uint_eq(take_all(b), 1);
    uint16_t box = mailbox_box(b);
    mailbox_set_relay(b, note, &given);
    mailbox_close(&b);
    struct message *m = message_new(MAIL_DONE);
    message_header(m)->to = address_make(0, box, 0);
    ck_assert_int_eq(mailbox_post(a, &m), TROUPE_EDEAD);
    ck_assert_int_eq(given.calls, 0);
    message_destroy(&m);
    mailbox_close(&a);
}
END_TEST

START_TEST(only_a_few_letters_are_taken_at_once)
{
    uint32_t generation;
    bool tell;
    struct tray *tray;
    int box = box_claim(-1, &generation);
    ck_assert_int_gt(box, 0);
    ck_assert_int_eq(tray_connect(&tray, (uint16_t)box, &generation), 0);
    for (int i = 0; i < FEW; i++) {
        ck_assert_int_eq(tray_put(tray, message_new(MAIL_DONE), &tell), 0);
        ck_assert(tell == (i == 0));
    }
    ck_assert_ptr_null(tray_take_few(tray, FEW - 1, NULL));
    struct message *list = tray_take_few(tray, FEW, NULL);
    ck_assert_ptr_nonnull(list->next->next);
    ck_assert_ptr_null(list->next->next->next);
    message_destroy_list(&list);
    ck_assert_ptr_null(tray_take_few(tray, FEW, NULL));
    ck_assert_int_eq(tray_put(tray, message_new(MAIL_DONE), &tell), 0);
    ck_assert(!tell); /* not untold yet */
    list = tray_take_few(tray, FEW, NULL);
    message_destroy_list(&list);
    tray_untell(tray);
    ck_assert_int_eq(tray_put(tray, message_new(MAIL_DONE), &tell), 0);
    ck_assert(tell);
    list = box_release((uint16_t)box);
    ck_assert_ptr_nonnull(list);
    message_destroy_list(&list);
    ck_assert_ptr_null(tray_take_few(tray, FEW, NULL));
    tray_leave(tray);
}
END_TEST

/* ---- a house and its senders at once */

struct house {
    pthread_mutex_t work;
    struct mailbox *mailbox;
    uint64_t next[SENDERS]; /* under work, as all below */
    uint64_t count, relayed;
    bool disordered;
};

static void arrive(struct house *self, struct message **letter)
{
    uint64_t id = message_header(*letter)->id;
    self->disordered |= (id >> 32) >= SENDERS || self->next[id >> 32]++ != (id & 0xffffffff);
    self->count++;
    message_destroy(letter);
}

static bool relay(void *owner, struct tray *tray)
{
    struct house *self = owner;
    if (pthread_mutex_trylock(&self->work))
        return false;
    struct message *list = mailbox_holds_letters(self->mailbox) ? NULL : tray_take_few(tray, FEW, NULL);
    bool some = list != NULL;
    while (list) {
        struct message *m = list;
        list = m->next;
        arrive(self, &m);
        self->relayed++;
    }
    pthread_mutex_unlock(&self->work);
    return some;
}

struct sender {
    pthread_t thread;
    uint16_t box;
    uint64_t number;
};

static void *send_many(void *arg)
{
    struct sender *s = arg;
    struct mailbox *own = opened();
    for (uint64_t i = 0; i < many; i++) {
        mailbox_allow_relays(own, i % 3 != 0);
        post(own, s->box, s->number << 32 | i);
        if (i % 16 == 0)
            sched_yield();
    }
    mailbox_close(&own);
    message_release_cache();
    return NULL;
}

/* Lives until all has come; letters stay in its hands now and then while it lets go of `work`. */
static void live(struct house *self)
{
    struct message *m;
    double until = clock_now() + 200;
    pthread_mutex_lock(&self->work);
    while (self->count < SENDERS * many) {
        ck_assert_msg(clock_now() < until, "%d letters came", (int)self->count);
        for (int i = 0; i < 5 && (m = mailbox_take(self->mailbox)); i++)
            arrive(self, &m);
        pthread_mutex_unlock(&self->work);
        mailbox_wait(self->mailbox, 0.01, false, -1); /* the last may come by the relay, which wakes nobody */
        pthread_mutex_lock(&self->work);
    }
    pthread_mutex_unlock(&self->work);
}

START_TEST(letters_keep_their_order_whoever_passes_them_on)
{
    struct house house = {.mailbox = opened()};
    struct sender senders[SENDERS];
    pthread_mutex_init(&house.work, NULL);
    mailbox_set_relay(house.mailbox, relay, &house);
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.box = mailbox_box(house.mailbox), .number = i};
        ck_assert_int_eq(pthread_create(&senders[i].thread, NULL, send_many, &senders[i]), 0);
    }
    live(&house);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(senders[i].thread, NULL);
    mailbox_set_relay(house.mailbox, NULL, NULL);
    ck_assert(!house.disordered);
    ck_assert_uint_eq(house.count, SENDERS * many);
    for (int i = 0; i < SENDERS; i++)
        ck_assert_uint_eq(house.next[i], many);
    ck_assert_ptr_null(mailbox_take(house.mailbox));
    mailbox_close(&house.mailbox);
    pthread_mutex_destroy(&house.work);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("relay");
    TCase *cases = suite_case(suite, "relay");
    tcase_add_test(cases, a_relay_gets_as_many_letters_as_are_allowed);
    tcase_add_test(cases, what_a_relay_declines_comes_to_the_box_and_what_follows_comes_behind_it);
    tcase_add_test(cases, a_relay_that_took_letters_and_could_not_pass_them_on_has_the_box_told);
    tcase_add_test(cases, without_its_relay_a_box_is_told_as_ever);
    tcase_add_test(cases, only_a_few_letters_are_taken_at_once);
    tcase_add_test(cases, letters_keep_their_order_whoever_passes_them_on);
    return suite_run(suite);
}
