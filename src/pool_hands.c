/* pool_hands.c - a pool's workers, as the node holds them: see pool_inner.h, invariant 3. */
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "log.h"
#include "mailbox.h"
#include "mailbox_route.h"
#include "placement.h"
#include "pool_inner.h"
#include "registry_program.h"
#include "run_note.h"
#include "troupe.h"

struct hand *pool_hand(struct pool *self, int worker)
{
    return worker >= 1 && worker <= self->hand_count ? &self->hands[worker - 1] : NULL;
}

uint32_t pool_tag(const struct pool *self, int worker)
{
    return (uint32_t)worker | (uint32_t)self->hands[worker - 1].generation << 16;
}

int pool_worker_of(const struct pool *self, const struct message *letter)
{
    uint32_t tag = message_header(letter)->worker;
    int worker = (int)(tag & 0xffff);
    bool known = worker >= 1 && worker <= self->hand_count && self->hands[worker - 1].worker;
    return known && pool_tag(self, worker) == tag ? worker : 0;
}

static void hand_leave(struct hand *hand)
{
    codes_sent_release(&hand->sent);
    message_destroy(&hand->stop);
    hand->worker = NULL;
}

static bool grow_hands(struct pool *self, int size)
{
    if (size <= self->hand_count)
        return true;
    struct hand *hands = realloc(self->hands, (size_t)size * sizeof *hands);
    if (!hands)
        return false;
    memset(hands + self->hand_count, 0, (size_t)(size - self->hand_count) * sizeof *hands);
    self->hands = hands;
    self->hand_count = size;
    return true;
}

static void note_failure(struct pool *self, struct message **letter)
{
    message_destroy(&self->failure);
    self->failure = *letter;
    *letter = NULL;
}

static void start_failed(struct pool *self, int worker, int rc, double now)
{
    struct message *why = message_new(MAIL_DOWN);
    if (why) {
        pool_write_error(why, rc == TROUPE_ELIMIT
                                  ? "cannot start a worker: no more threads or descriptors (see ulimit -n, ulimit -u)"
                                  : "cannot start a worker: not enough memory");
        note_failure(self, &why);
    }
    dispatcher_worker_down(self->dispatcher, worker, true, now);
}

/* An actor's job lies there when its vm comes up: who spawns it waits for two letters less. */
static bool hands_at_once(const struct pool *self)
{
    return self->hosts && !self->worker.process;
}

void pool_start_worker(struct pool *self, int worker, double now)
{
    if (!grow_hands(self, worker)) {
        start_failed(self, worker, TROUPE_ENOMEM, now);
        return;
    }
    struct hand *hand = &self->hands[worker - 1];
    hand->stop = message_new(MAIL_STOP);
    hand->generation++;
    self->worker.number = (uint32_t)worker;
    self->worker.tag = pool_tag(self, worker);
    int rc = hand->stop ? worker_start(&hand->worker, &self->worker, self->house.mailbox) : TROUPE_ENOMEM;
    if (rc) {
        hand_leave(hand);
        start_failed(self, worker, rc, now);
    } else if (hands_at_once(self)) {
        dispatcher_worker_up(self->dispatcher, worker, now);
    }
}

void pool_stop_worker(struct pool *self, int worker)
{
    struct hand *hand = pool_hand(self, worker);
    message_header(hand->stop)->to = address_make(0, worker_box(hand->worker), 0);
    pool_post(self, &hand->stop);
}

void pool_worker_down(struct pool *self, struct message **letter, double now)
{
    int worker = pool_worker_of(self, *letter);
    bool failed = message_header(*letter)->flags & FLAG_ERROR;
    if (!worker)
        return;
    struct hand *hand = pool_hand(self, worker);
    worker_join(&hand->worker, -1);
    hand_leave(hand);
    if (message_header(*letter)->flags & FLAG_LOST) {
        pool_log_loss(self, worker, *letter);
        pool_lose_worker(self, worker, letter, now);
    } else if (failed && hands_at_once(self)) {
        pool_lose_worker(self, worker, letter, now); /* with its job */
    } else {
        if (failed)
            note_failure(self, letter);
        dispatcher_worker_down(self->dispatcher, worker, failed, now);
    }
    pool_look_again(self);
}

void pool_send_code(struct pool *self, struct hand *hand, uint64_t code)
{
    const struct message *known = codes_missing(self->house.codes, &hand->sent, code);
    struct message *m = known ? message_copy(known) : NULL;
    if (!m)
        return; /* without it the job fails and says so */
    message_header(m)->to = address_make(0, worker_box(hand->worker), 0);
    mailbox_post(self->house.mailbox, &m);
    if (!m)
        codes_note(self->house.codes, &hand->sent, code);
    message_destroy(&m);
}

/* Asks the worker to end the jobs that wait, which no interrupt reaches. */
static void kill_waiting(struct pool *self, struct hand *hand)
{
    struct message *m = message_new(MAIL_KILL);
    if (!m)
        return; /* it is left to itself later */
    message_header(m)->to = address_make(0, worker_box(hand->worker), 0);
    pool_post(self, &m);
}

void pool_interrupt_workers(struct pool *self)
{
    for (int i = 0; i < self->hand_count; i++) {
        if (!self->hands[i].worker)
            continue;
        worker_interrupt_job(self->hands[i].worker);
        kill_waiting(self, &self->hands[i]);
    }
}

void pool_abandon_worker(struct pool *self, int worker, double now)
{
    struct hand *hand = pool_hand(self, worker);
    pool_recall(self, worker, now); /* what it has not begun it shall not begin */
    log_say(RECORD_WARNING, "worker %d of pool %s does not end: it is left to itself", worker, self->worker.name);
    uint16_t box = worker_box(hand->worker);
    bool thread = !self->worker.process;
    worker_abandon(&hand->worker);
    hand_leave(hand);
    if (thread) { /* a process tells of its end itself */
        uint64_t vm = address_make(mailbox_house(), box, 0);
        placement_closed(&placement_program, vm);
        registry_closed(vm);
        mailbox_condemn(self->house.mailbox, box);
        mailbox_tell_gone(self->house.mailbox, vm, mailbox_is_killed(vm));
    }
    dispatcher_worker_down(self->dispatcher, worker, false, now);
    pool_look_again(self);
}

/* It is in a job that it would leave if it had a processor. */
static bool is_starved(struct worker *worker, uint64_t target)
{
    return target && worker_runs(worker, target) && !worker_is_stuck(worker, target);
}

bool pool_abandon_workers(struct pool *self, double now)
{
    bool spared = false;
    for (int i = 1; i <= self->hand_count; i++) {
        struct hand *hand = &self->hands[i - 1];
        uint64_t target = hand->worker ? worker_target(hand->worker) : 0, cleaning = run_is_cleanup(target) ? target : 0;
        if (cleaning ? cleaning != hand->spared : is_starved(hand->worker, target))
            spared = true;
        else if (hand->worker)
            pool_abandon_worker(self, i, now);
        hand->spared = cleaning;
    }
    return !spared;
}

void pool_free_hands(struct pool *self)
{
    for (int i = 0; i < self->hand_count; i++) {
        if (self->hands[i].worker)
            worker_abandon(&self->hands[i].worker);
        hand_leave(&self->hands[i]);
    }
    free(self->hands);
}
