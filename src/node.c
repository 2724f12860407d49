/* node.c - the node's loop.
 *
 *     none --first client enters--> running --last client leaves--> ending --pools ended--> none
 *
 * One turn: take letters, a few hundred at most, and make events of them; let each pool that had one carry out its
 * dispatcher's decisions; then the timers; then, with no letter left, sleep until the next letter or timer.
 *
 * Entered by the node's thread in node_main and all it calls; by any thread in the public functions, one at a time
 * under `house.lock`.
 *
 * Invariants:
 *  1. the node runs exactly while there are clients, or the last of them awaits its end;
 *  2. pools, codes and workers belong to the node's thread; clients reach them by mail only;
 *  3. a pool with events not yet carried out is touched (node_pools.h).
 */
#include "node.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "address.h"
#include "clock.h"
#include "codes.h"
#include "ear.h"
#include "log.h"
#include "mailbox.h"
#include "mailbox_route.h"
#include "node_pools.h"
#include "pool.h"
#include "thread.h"
#include "troupe.h"

/* After a turn of so few letters somebody may wait for what comes of them, and little else is to be done here. */
enum { LETTERS_A_TURN = 256, FEW_LETTERS = 2, RELAYED = 2 };

/* Until letters that could not be delivered are tried again. */
static const double late_retry = 0.01;

/* How long jobs may go on when their owner's vm closes. */
static const double leave_grace = 0.1;

struct node {
    struct mailbox *mailbox;
    struct codes *codes;
    const struct worker_hooks *hooks;
    struct thread *thread;
    struct node_pools pools;
    _Atomic uint64_t last; /* address of the last client, once it is about to leave; 0: not yet */
    bool last_left;        /* its word has come, and so all that it had posted before */
    atomic_bool mute;      /* its word will not come */
};

static struct {
    pthread_mutex_t lock;
    struct node *node;
    int clients;
    _Atomic uint32_t pool_ids;
} house = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A worker process has a range of its own: the node is in another process. */
uint32_t node_new_pool_id(void)
{
    uint32_t number = atomic_fetch_add(&house.pool_ids, 1) + 1;
    uint16_t worker = mailbox_house();
    return worker ? 1u << 31 | (uint32_t)worker << 16 | (number & 0xffff) : number & ~(1u << 31);
}

static void open_pool(struct node *self, struct message **letter)
{
    struct pool_house house_ = {self->mailbox, self->codes, self->hooks};
    struct pool *p = pool_new(letter, &house_);
    if (p && node_pools_add(&self->pools, p))
        pool_destroy(&p); /* without one, its submits are told that it is closed */
}

/* The vm at that address closes, or all of a worker process: pools from there do too. */
static void owner_left(struct node *self, uint64_t owner, double now)
{
    for (size_t i = 0; i < self->pools.count; i++)
        if (pool_owner_left(node_pools_at(&self->pools, i), owner, leave_grace, now))
            node_pools_touch_at(&self->pools, i);
}

/* A letter for a pool that is gone. */
static void return_to_sender(struct node *self, struct message **letter)
{
    struct header *h = message_header(*letter);
    bool job = h->kind == MAIL_SUBMIT, closing = h->kind == MAIL_CLOSE, discarded = h->flags & FLAG_DISCARD;
    bool from_worker = h->kind == MAIL_DONE || h->kind == MAIL_PARKED || h->kind == MAIL_BEGUN || h->kind == MAIL_REFUSE || h->kind == MAIL_RETURN || h->kind == MAIL_KEPT || h->kind == MAIL_SPENT || h->kind == MAIL_LOOK ||
                       h->kind == MAIL_DOWN || h->kind == MAIL_UP || h->kind == MAIL_DOOMED;
    bool statement = h->kind == MAIL_DECIDE || (h->kind == MAIL_PLACE && h->u.number == PLACE_BACK);
    bool of_stream = h->kind == MAIL_EMIT || h->kind == MAIL_WINDOW || h->kind == MAIL_TAKEN || h->kind == MAIL_RESUME;
    if (from_worker || of_stream || discarded || statement)
        return;
    bool place = h->kind == MAIL_PLACE;
    h->kind = job ? MAIL_RESULT : MAIL_ANSWER;
    h->flags = job ? FLAG_ERROR : 0;
    h->to = h->from;
    message_clear_body(*letter);
    if (job) {
        static const unsigned char closed[] = "\xb2the pool is closed\xc0";
        buffer_append(&(*letter)->bytes, closed, sizeof closed - 1);
    } else {
        buffer_append(&(*letter)->bytes, closing ? "\xc3" : place ? "\xc2" : "\xc0", 1);
    }
    mailbox_deliver(self->mailbox, letter);
}

/* The pools of the program. */
static void answer_pools(struct node *self, struct message **letter)
{
    struct header *h = message_header(*letter);
    struct buffer *out = &(*letter)->bytes;
    unsigned count = 0;
    for (size_t i = 0; i < self->pools.count; i++)
        count += !pool_is_hidden(node_pools_at(&self->pools, i));
    if (count > 0xffff)
        count = 0xffff;
    const unsigned char head[] = {0xdc, (unsigned char)(count >> 8), (unsigned char)count};
    h->kind = MAIL_ANSWER;
    h->to = h->from;
    message_clear_body(*letter);
    int rc = buffer_append(out, head, sizeof head);
    for (size_t i = 0; count > 0 && rc == 0; i++) {
        const struct pool *p = node_pools_at(&self->pools, i);
        if (pool_is_hidden(p))
            continue;
        rc = pool_list(p, out);
        count--;
    }
    if (rc) {
        message_clear_body(*letter);
        buffer_append(&(*letter)->bytes, "\xc0", 1);
    }
    mailbox_deliver(self->mailbox, letter);
}

/* Its vm may read no mail. One of its own is broken into at once, and given up if that is no use. */
static void doom(struct node *self, uint64_t actor, double now)
{
    for (size_t i = 0; i < self->pools.count; i++) {
        struct pool *p = node_pools_at(&self->pools, i);
        if (!pool_hosts(p, actor))
            continue;
        if (pool_is_shared(p)) {
            pool_doom_actor(p, actor, now);
        } else {
            mailbox_mark_killed(actor);
            pool_close_soon(p, 0, now);
        }
        node_pools_touch_at(&self->pools, i);
    }
}

/* A worker's last word, or what a bridge says of its process, with which all that was there is gone. */
static void worker_gone(struct node *self, uint64_t from, double now)
{
    owner_left(self, from, now);
    if (address_node(from) != 0 && address_box(from) == 0)
        mailbox_tell_gone(self->mailbox, from, mailbox_is_killed(from));
}

static void handle(struct node *self, struct message *letter, double now)
{
    struct header *h = message_header(letter);
    struct pool *p;
    switch (h->kind) {
    case MAIL_OPEN:
        open_pool(self, &letter);
        break;
    case MAIL_CODE:
        codes_learn(self->codes, &letter);
        break;
    case MAIL_POOLS:
        answer_pools(self, &letter);
        break;
    case MAIL_DOOM:
        doom(self, h->id, now);
        break;
    case MAIL_LEAVE:
        owner_left(self, h->from, now);
        self->last_left |= h->from == atomic_load(&self->last);
        break;
    default:
        if (h->kind == MAIL_DOWN)
            worker_gone(self, h->from, now);
        p = node_pools_touch(&self->pools, h->pool);
        if (p)
            pool_handle(p, &letter, now);
        else
            return_to_sender(self, &letter);
        break;
    }
    message_destroy(&letter);
}

/* Takes letters and turns the pools. True when there may be more. */
static bool turn(struct node *self)
{
    double now = clock_now();
    int taken = 0;
    struct message *letter;
    while (taken < LETTERS_A_TURN && (letter = mailbox_take(self->mailbox))) {
        handle(self, letter, now);
        taken++;
    }
    mailbox_allow_relays(self->mailbox, taken <= FEW_LETTERS ? RELAYED : 0);
    node_pools_turn(&self->pools, now);
    return taken > 0;
}

static double next_timeout(const struct node *self)
{
    double first = node_pools_deadline(&self->pools);
    if (first < 0)
        return -1;
    double left = first - clock_now();
    return left > 0 ? left : 0;
}

static void end_all(struct node *self)
{
    double now = clock_now();
    for (size_t i = 0; i < self->pools.count; i++) {
        pool_close_soon(node_pools_at(&self->pools, i), leave_grace, now);
        node_pools_touch_at(&self->pools, i);
    }
}

static void node_main(void *arg)
{
    struct node *self = arg;
    bool ending = false;
    for (;;) {
        bool more = turn(self);
        if (!ending && (self->last_left || atomic_load(&self->mute))) {
            ending = true;
            end_all(self);
            continue;
        }
        if (ending && self->pools.count == 0)
            break;
        bool late = mailbox_deliver_late(self->mailbox);
        double timeout = next_timeout(self);
        if (late && (timeout < 0 || timeout > late_retry))
            timeout = late_retry;
        if (!more)
            mailbox_wait(self->mailbox, timeout, true, -1);
    }
    message_release_cache();
}

static void node_free(struct node *self)
{
    mailbox_close(&self->mailbox);
    codes_destroy(&self->codes);
    node_pools_release(&self->pools);
    free(self);
}

static int node_start(const struct worker_hooks *hooks, struct ear *ear)
{
    struct node *self = calloc(1, sizeof *self);
    if (!self)
        return TROUPE_ENOMEM;
    self->hooks = hooks;
    node_pools_init(&self->pools);
    int rc = mailbox_open(&self->mailbox, MAILBOX_NODE);
    if (rc == 0)
        rc = mailbox_reach(ear_mailbox(ear), MAILBOX_NODE); /* else nobody could wake it to end */
    if (rc == 0) {
        self->codes = codes_new();
        rc = self->codes ? thread_start(&self->thread, "troupe node", node_main, self) : TROUPE_ENOMEM;
    }
    if (rc)
        node_free(self);
    else
        house.node = self;
    return rc;
}

int node_enter(const struct worker_hooks *hooks, struct ear *ear)
{
    if (mailbox_house())
        return mailbox_reach_house(ear_mailbox(ear), 0); /* the node is in the program's own process */
    pthread_mutex_lock(&house.lock);
    int rc = house.node ? mailbox_reach(ear_mailbox(ear), MAILBOX_NODE) : node_start(hooks, ear);
    if (rc == 0)
        house.clients++;
    pthread_mutex_unlock(&house.lock);
    log_say_misnomer();
    return rc;
}

void node_leave(struct ear **ear)
{
    struct message *letter = message_new(MAIL_LEAVE);
    if (mailbox_house()) {
        if (letter)
            ear_post(*ear, NULL, &letter);
        ear_close(ear);
        return;
    }
    pthread_mutex_lock(&house.lock);
    struct node *node = house.node;
    bool last = --house.clients == 0;
    if (last)
        atomic_store(&node->last, ear_address(*ear));
    if (!letter || ear_post(*ear, NULL, &letter))
        atomic_store(&node->mute, last);
    if (last) {
        thread_join(&node->thread, -1);
        node_free(node);
        house.node = NULL;
    }
    ear_close(ear);
    pthread_mutex_unlock(&house.lock);
}
