/* pool.c - a pool in the node: turns letters into the dispatcher's events and its actions into letters.
 *
 *     open --MAIL_CLOSE, its owner leaves--> closing --no job and no worker left--> ended
 *
 * See pool_inner.h for what a pool is made of.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "gate.h"
#include "mailbox_route.h"
#include "order.h"
#include "pool_inner.h"
#include "troupe.h"

static const double close_grace = 1.0;   /* seconds from a soon close until running jobs are broken into */
static const double break_again = 0.1;   /* seconds from there until the next try */
static const double abandon_grace = 1.0; /* seconds from there until a worker is left to itself */

static void resize(struct pool *self, struct message **letter, double now)
{
    int64_t workers = message_header(*letter)->u.number;
    pool_answer_boolean(self, letter, workers >= 1 && workers <= INT32_MAX && dispatcher_resize(self->dispatcher, (int)workers, now) == 0);
}

static void pause(struct pool *self, struct message **letter, double now)
{
    dispatcher_pause(self->dispatcher, message_header(*letter)->u.number != 0, now);
    pool_answer_boolean(self, letter, true);
}

static void keep_question(struct message **questions, struct message **letter)
{
    (*letter)->next = *questions;
    *questions = *letter;
    *letter = NULL;
}

static void close_pool(struct pool *self, struct message **letter, double now)
{
    pool_open_windows(self);
    if (message_header(*letter)->flags & FLAG_SOON)
        pool_close_soon(self, close_grace, now);
    else
        dispatcher_close(self->dispatcher, false, now);
    pool_refuse_places(self);
    keep_question(&self->drain, letter);
}

void pool_close_soon(struct pool *self, double grace, double now)
{
    dispatcher_close(self->dispatcher, true, now);
    pool_refuse_places(self);
    pool_halt_all(self);
    if (self->break_at == 0 || (!isinf(self->break_at) && now + grace < self->break_at))
        self->break_at = now + grace;
}

void pool_handle(struct pool *self, struct message **letter, double now)
{
    switch (message_header(*letter)->kind) {
    case MAIL_SUBMIT:
        pool_submit(self, letter, now);
        break;
    case MAIL_DONE:
        pool_job_done(self, letter, now);
        break;
    case MAIL_BEGUN:
        pool_job_begun(self, letter, now);
        break;
    case MAIL_LOOK:
        pool_answer_looked(self, message_header(*letter)->id, message_header(*letter)->u.number != 0);
        break;
    case MAIL_SPENT:
        dispatcher_spent(self->dispatcher, pool_worker_of(self, *letter), message_header(*letter)->id, now);
        break;
    case MAIL_PARKED:
        dispatcher_parked(self->dispatcher, pool_worker_of(self, *letter), message_header(*letter)->id, now);
        break;
    case MAIL_REFUSE:
        pool_refused(self, letter, now);
        break;
    case MAIL_RETURN:
        pool_returned(self, letter, now);
        break;
    case MAIL_KEPT:
        pool_kept(self, *letter);
        break;
    case MAIL_DOOMED:
        pool_doomed(self, message_header(*letter)->id);
        break;
    case MAIL_UP:
        dispatcher_worker_up(self->dispatcher, pool_worker_of(self, *letter), now);
        break;
    case MAIL_DOWN:
        pool_worker_down(self, letter, now);
        break;
    case MAIL_CANCEL:
        pool_cancel(self, letter, now);
        break;
    case MAIL_EMIT:
        pool_emit(self, letter);
        break;
    case MAIL_WINDOW:
    case MAIL_TAKEN:
    case MAIL_RESUME:
        pool_stream(self, letter, now);
        break;
    case MAIL_HALT:
        pool_halt(self, letter, now);
        break;
    case MAIL_KILL:
        pool_kill(self, letter, now);
        break;
    case MAIL_STATUS:
        pool_turn(self, now); /* the outcome of one that ended in this turn goes before the answer that it is unknown */
        pool_answer_status(self, letter);
        break;
    case MAIL_STATS:
        pool_turn(self, now); /* who has come up, or has ended a job, in this turn is not idle while jobs are queued */
        pool_answer_stats(self, letter, now);
        break;
    case MAIL_JOIN:
        pool_open_windows(self);
        keep_question(&self->joining, letter);
        break;
    case MAIL_RESIZE:
        resize(self, letter, now);
        break;
    case MAIL_FIND:
        pool_answer_find(self, letter);
        break;
    case MAIL_PLACE:
        pool_place(self, letter);
        break;
    case MAIL_DECIDE:
        pool_decide(self, letter, now);
        break;
    case MAIL_PAUSE:
        pause(self, letter, now);
        break;
    case MAIL_CLOSE:
        close_pool(self, letter, now);
        break;
    default:
        break;
    }
}

static void act(struct pool *self, const struct action *a, double now)
{
    switch (a->kind) {
    case ACTION_START:
        pool_start_worker(self, a->worker, now);
        break;
    case ACTION_STOP:
        pool_stop_worker(self, a->worker);
        break;
    case ACTION_RUN:
        pool_hand_out(self, a, now);
        break;
    case ACTION_RECALL:
        pool_recall(self, a->worker, now);
        break;
    case ACTION_HALT:
        pool_halt_job(self, a);
        break;
    case ACTION_BREAK:
        pool_break_job(self, a);
        break;
    case ACTION_ABANDON:
        pool_abandon_job(self, a, now);
        break;
    case ACTION_END:
        pool_end_job(self, a, now);
        break;
    case ACTION_REPORT:
        pool_report(self, a);
        break;
    case ACTION_ASK:
        pool_ask(self, a, now);
        break;
    case ACTION_DRAINED:
        self->drained = true;
        break;
    }
}

static void answer_all(struct pool *self, struct message **questions)
{
    while (*questions) {
        struct message *m = *questions;
        *questions = m->next;
        pool_answer_boolean(self, &m, true);
    }
}

void pool_turn(struct pool *self, double now)
{
    struct action a;
    pool_pay_owed(self, now);
    while (dispatcher_next(self->dispatcher, &a))
        act(self, &a, now);
    if (self->drained)
        answer_all(self, &self->drain);
    if (self->joining && dispatcher_is_quiet(self->dispatcher))
        answer_all(self, &self->joining);
}

/* Breaks into what still runs; later gives up what does not end even so. */
static void press(struct pool *self, double now)
{
    if (self->break_at > 0 && now >= self->break_at) {
        self->break_at = now + break_again;
        if (self->abandon_at == 0) {
            self->abandon_at = now + abandon_grace;
            self->freed_before = self->freed;
        }
        pool_interrupt_workers(self);
    }
    if (self->abandon_at > 0 && now >= self->abandon_at && self->freed != self->freed_before) {
        self->freed_before = self->freed; /* jobs and cleanups come to their ends: nobody is stuck */
        self->abandon_at = now + abandon_grace;
    } else if (self->abandon_at > 0 && now >= self->abandon_at) {
        bool all = pool_abandon_workers(self, now);
        self->abandon_at = all ? INFINITY : now + abandon_grace;
        if (all)
            self->break_at = INFINITY;
    }
}

void pool_tick(struct pool *self, double now)
{
    press(self, now);
    pool_press_doomed(self, now);
    dispatcher_tick(self->dispatcher, now);
}

/* The earlier of two moments; 0, negative and infinite mean none. */
static double earlier(double a, double b)
{
    bool no_a = a <= 0 || isinf(a), no_b = b <= 0 || isinf(b);
    if (no_a || no_b)
        return !no_a ? a : !no_b ? b : -1;
    return a < b ? a : b;
}

double pool_deadline(const struct pool *self)
{
    double at = earlier(dispatcher_deadline(self->dispatcher), self->owed ? self->owed_at : 0);
    at = earlier(at, self->doom_at);
    return earlier(at, earlier(self->break_at, self->abandon_at));
}

bool pool_ended(const struct pool *self)
{
    return self->drained && !self->owed;
}

bool pool_hosts(const struct pool *self, uint64_t address)
{
    const struct worker *worker = self->hosts && self->hand_count > 0 ? self->hands[0].worker : NULL;
    return worker && mailbox_route(address) == worker_box(worker);
}

bool pool_is_shared(const struct pool *self)
{
    return self->shared;
}

bool pool_is_hidden(const struct pool *self)
{
    return self->hosts;
}

uint32_t pool_id(const struct pool *self)
{
    return self->id;
}

uint64_t pool_owner(const struct pool *self)
{
    return self->owner;
}

/* Reads the order at the start of the letter; strings are used in place. */
static int read_pool_order(struct pool *self, struct pool_order *order)
{
    const unsigned char *body = message_body(self->open);
    size_t size = message_body_size(self->open);
    if (size < sizeof *order)
        return TROUPE_EBADMSG;
    memcpy(order, body, sizeof *order);
    if (address_node(self->owner) == 0) /* else the address is another process's */
        self->gate = (struct gate *)(uintptr_t)order->gate;
    else if (order->places > 0 && !(self->gate = gate_new(order->places < INT64_MAX ? (int64_t)order->places : INT64_MAX)))
        return TROUPE_ENOMEM;
    size_t texts = (size_t)order->name_size + order->path_size + order->cpath_size + order->libs_size;
    size_t strings = texts + order->preload_size;
    bool addresses = order->preload_size > 0 && address_node(self->owner) != 0; /* of another process */
    if (size - sizeof *order < strings || order->workers < 1 || addresses)
        return TROUPE_EBADMSG;
    const char *name = (const char *)body + sizeof *order;
    self->worker.name = name;
    self->worker.vm.path = order->path_size > 1 ? name + order->name_size : NULL;
    self->worker.vm.cpath = order->cpath_size > 1 ? name + order->name_size + order->path_size : NULL;
    self->worker.vm.memory_limit = order->memory_limit;
    self->worker.vm.libs = order->libs_size > 0 ? name + texts - order->libs_size : NULL;
    self->worker.vm.preload = (const unsigned char *)name + texts;
    self->worker.vm.preload_bytes = order->preload_size;
    self->log_level = order->log_level;
    size_t process = 0;
    int rc = order->process ? pool_read_process(self, name + strings, size - sizeof *order - strings, &process) : 0;
    strings += process;
    if (rc || !order->init)
        return rc;
    self->init = message_new(MAIL_RUN);
    if (!self->init)
        return TROUPE_ENOMEM;
    message_header(self->init)->from = self->owner;
    return buffer_append(&self->init->bytes, name + strings, size - sizeof *order - strings);
}

struct pool *pool_new(struct message **open, const struct pool_house *house)
{
    struct pool_order order;
    struct pool *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->open = *open;
    self->id = message_header(*open)->pool;
    self->owner = message_header(*open)->from;
    self->house = *house;
    slab_init(&self->tickets, sizeof(struct ticket));
    id_map_init(&self->dooms);
    self->claims = claims_new();
    if (self->claims && read_pool_order(self, &order) == 0) {
        struct dispatcher_options options = {
            .workers = order.workers,
            .idle_timeout = order.idle_timeout,
            .max_jobs = order.max_jobs,
            .concurrency = order.concurrency,
            .rate_jobs = order.rate_jobs,
            .rate_per = order.rate_per,
            .max_credit = order.hosts ? 1 : 0,
            .seed = self->id,
        };
        self->hosts = order.hosts;
        self->shared = order.shared;
        if (self->hosts)
            self->owner = 0; /* no vm's end is its own */
        else
            self->times = calloc(1, sizeof *self->times);
        self->worker.pool = self->id;
        self->worker.init = self->init;
        self->worker.vm.open = house->hooks->open;
        self->worker.hooks = house->hooks;
        self->worker.claims = self->claims;
        if ((self->hosts || self->times) && dispatcher_new(&self->dispatcher, &options) == 0) {
            *open = NULL;
            return self;
        }
    }
    self->open = NULL;
    pool_destroy(&self);
    return NULL;
}

void pool_destroy(struct pool **pool)
{
    struct pool *self = *pool;
    *pool = NULL;
    if (!self)
        return;
    pool_free_hands(self);
    dispatcher_destroy(&self->dispatcher);
    slab_release(&self->tickets);
    pool_forget_doomed(self);
    claims_release(&self->claims);
    message_destroy_list(&self->drain);
    message_destroy_list(&self->joining);
    message_destroy_list(&self->waiting);
    message_destroy_list(&self->granted);
    gate_release(&self->gate);
    message_destroy_list(&self->recalled);
    message_destroy_list(&self->looked_for);
    message_destroy(&self->failure);
    message_destroy(&self->init);
    message_destroy(&self->open);
    free(self->times);
    free(self);
}
