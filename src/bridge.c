/* bridge.c - the program's end of a worker process.
 *
 *     starting --the process says MAIL_UP--> up --MAIL_DOWN or death--> reaped --MAIL_DOWN to the node--> over
 *     starting --it dies, and gives no reason--> starting again, a little later, START_ATTEMPTS times in all
 *     any --bridge_abandon--> killed, reaped, over: the pool no longer asks, but who knew of its vms is told
 *
 * Entered by the bridge's own thread in bridge_main and all it calls; by the node's in the public functions. The process is
 * started on the bridge's thread, because the kernel ends it with the thread that started it.
 *
 * Invariants:
 *  1. MAIL_DOWN is the last letter, posted when the process is reaped and all it sent has been passed on: every job's end
 *     that it could tell is told before its death is;
 *  2. the process is found dead by the kernel's word alone: its descriptor, or the end of its socket;
 *  3. letters are passed on in order, both ways; those that the socket does not take yet stay in `frames`, and no more are
 *     taken from the box, where the node can have them back;
 *  4. the struct is freed by the second of the two that let go of it: thread, and joiner or abandoner;
 *  5. MAIL_DOWN comes from box 0 of the house: all that lived there is gone;
 *  6. without memory for what the process says it is left unread, and tried again; a large letter loses its body.
 */
#include "bridge_inner.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "address.h"
#include "claims.h"
#include "clock.h"
#include "frames.h"
#include "mailbox.h"
#include "mailbox_route.h"
#include "pack.h"
#include "process.h"
#include "registry_letter.h"
#include "registry_program.h"
#include "thread.h"
#include "troupe.h"

enum { START_ATTEMPTS = 5, LAST_TRIES = 20, OBITUARY_SIZE = REASON_SIZE + 120 };

static const double SLICE = 0.05;         /* seconds until what could not be delivered is tried again */
static const double FIRST_BACKOFF = 0.05; /* seconds; doubled with each attempt */
static const double LEAVE_SECONDS = 2;    /* from its last word until the process is killed */

static void let_go(struct bridge *self)
{
    if (atomic_fetch_sub(&self->holders, 1) != 1)
        return;
    pthread_mutex_destroy(&self->break_lock);
    pthread_mutex_destroy(&self->work);
    message_destroy(&self->order);
    message_destroy(&self->down);
    message_destroy(&self->obituary);
    mailbox_close(&self->mailbox);
    log_unwatch_level(&self->watch);
    if (self->bell >= 0)
        close(self->bell);
    claims_release(&self->claims);
    free(self->env);
    free(self);
}

void bridge_ring(struct bridge *self)
{
    eventfd_write(self->bell, 1);
}

/* ---- its life ---- */

/* The worker waits for the answer, and says when it begins: one that dies before has done nothing. */
static void answer_claim(struct bridge *self, struct message **letter)
{
    struct header *h = message_header(*letter);
    if (h->code) {
        self->granted = 0;
        message_destroy(letter);
        return;
    }
    uint32_t run = (uint32_t)h->u.number;
    h->u.number = !self->claims || claims_take(self->claims, h->id, run);
    if (h->u.number) {
        self->granted = h->id;
        self->granted_run = run;
    }
    h->to = address_make(0, self->box, 0);
    frames_put(self->frames, letter);
    self->answered = true;
}

static void from_process(struct bridge *self, struct message **letter)
{
    const struct header *h = message_header(*letter);
    if (h->kind == MAIL_DOWN) {
        message_destroy(&self->down);
        self->down = *letter;
        *letter = NULL;
    } else if (h->kind == MAIL_BROKEN) {
        bridge_note_broken(self, h);
        message_destroy(letter);
    } else if (h->kind == MAIL_MEMORY) {
        atomic_store(&self->memory, (size_t)h->u.number);
        message_destroy(letter);
    } else if (h->kind == MAIL_CLAIM) {
        answer_claim(self, letter);
    } else if (registry_take_letter(letter)) {
        if (*letter)
            frames_put(self->frames, letter);
        self->answered = true;
    } else {
        self->up |= h->kind == MAIL_UP;
        mailbox_deliver(self->mailbox, letter);
    }
}

/* What the process has set for all vms it knows itself. */
static void take_levels(struct bridge *self)
{
    if (self->records.levels.count == self->levels_heard)
        return;
    self->levels_heard = self->records.levels.count;
    self->level = log_set_level_here(self->records.levels.last);
}

static void hear_log(struct bridge *self)
{
    records_pump(&self->records);
    take_levels(self);
}

/* Outputs, records, the bell, the process's end, which has been looked after when there is no process any more. */
static void look_around(struct bridge *self)
{
    struct epoll_event events[8];
    int count = epoll_wait(self->poll, events, 8, 0);
    for (int i = 0; i < count; i++) {
        int fd = events[i].data.fd;
        eventfd_t n;
        if (fd == self->bell)
            eventfd_read(fd, &n);
        else if (self->process && fd == process_descriptor(self->process))
            self->ended = true;
        else if (fd == self->output[0].fd)
            output_pump(&self->output[0]);
        else if (fd == self->output[1].fd)
            output_pump(&self->output[1]);
        else if (fd == self->records.fd)
            hear_log(self);
    }
}

static bool lose_body(struct message *letter)
{
    log_say(RECORD_ERROR, "a large letter of kind %d from a worker process is lost: not enough memory", message_header(letter)->kind);
    return message_lose_body(letter);
}

/* What the process has sent is passed on: what it wrote before what it tells. True when there may be more. */
static bool pass_up(struct bridge *self)
{
    struct message *m;
    int rc = frames_fill(self->frames);
    if (rc == 0 || self->look)
        look_around(self);
    self->look = false;
    while ((m = frames_take(self->frames))) {
        if (message_header(m)->magic != 'T')
            rc = TROUPE_EDEAD;
        else if (!frames_was_cut(self->frames) || lose_body(m))
            from_process(self, &m);
        message_destroy(&m);
    }
    if (rc && rc != TROUPE_ETIMEDOUT && rc != TROUPE_ENOMEM)
        self->ended = true;
    return rc == 0 && !(self->process && frames_is_drained(self->frames));
}

/* What cannot be read for want of memory would end every sleep at once. */
static void rest(struct bridge *self, double seconds)
{
    bool starved = frames_is_starved(self->frames) || self->records.starved;
    if ((mailbox_deliver_late(self->mailbox) || starved) && (seconds < 0 || seconds > SLICE))
        seconds = SLICE;
    bool full = self->full;
    pthread_mutex_unlock(&self->work);
    if (starved)
        output_await(self->bell, seconds);
    else if (full)
        output_await(self->poll, seconds);
    else
        mailbox_wait(self->mailbox, seconds, false, self->poll);
    pthread_mutex_lock(&self->work);
    self->look = true;
}

static void live(struct bridge *self)
{
    double leave_by = -1;
    while (!self->ended && !atomic_load(&self->abandoned)) {
        bool more = pass_up(self);
        if (!self->ended)
            more |= bridge_pass_down(self);
        if (more || self->ended)
            continue;
        if (self->down && leave_by < 0)
            leave_by = clock_now() + LEAVE_SECONDS;
        double left = leave_by < 0 ? -1 : leave_by - clock_now();
        if (leave_by >= 0 && left <= 0)
            break;
        rest(self, left);
    }
}

/* Who posts to the process may find its thread at rest meanwhile, and do its work. */
static void live_with_relay(struct bridge *self)
{
    mailbox_set_relay(self->mailbox, bridge_relay, self);
    pthread_mutex_lock(&self->work);
    live(self);
    pthread_mutex_unlock(&self->work);
    mailbox_set_relay(self->mailbox, NULL, NULL);
}

/* ---- its end ---- */

/* All that it wrote before it ended is passed on. */
static void close_house(struct bridge *self)
{
    if (self->process) {
        int end = process_descriptor(self->process);
        if (!self->ended || end < 0 || !output_await(end, LEAVE_SECONDS))
            process_kill(self->process);
        char reason[64];
        process_reap(&self->process, reason, sizeof reason);
        if (!self->reason[0])
            snprintf(self->reason, sizeof self->reason, "%s", reason);
    }
    for (int tries = 0; self->frames && (pass_up(self) || (frames_is_starved(self->frames) && tries++ < LAST_TRIES));)
        if (frames_is_starved(self->frames))
            output_await(-1, SLICE);
    for (int i = 0; i < 2; i++)
        output_close(&self->output[i]);
    records_close(&self->records);
    take_levels(self);
    frames_destroy(&self->frames);
    if (self->poll >= 0)
        close(self->poll);
    self->poll = -1;
    if (self->granted && self->claims)
        claims_give_back(self->claims, self->granted, self->granted_run);
    self->granted = 0;
    if (!self->house)
        return;
    registry_house_gone(self->house); /* before anybody can find it dead */
    mailbox_release_house(self->house);
}

/* True when it shall be tried once more: it died before it was up, and did not say why. */
static bool shall_start_again(struct bridge *self, int attempt, bool started)
{
    if (!started || self->up || self->down || attempt >= START_ATTEMPTS || atomic_load(&self->abandoned))
        return false;
    double until = clock_now() + FIRST_BACKOFF * (1 << (attempt - 1));
    for (double left; !atomic_load(&self->abandoned) && (left = until - clock_now()) > 0;)
        output_await(self->bell, left);
    return !atomic_load(&self->abandoned);
}

/* The last word, in place of a process that said none. */
static struct message *obituary(struct bridge *self, int attempts)
{
    char text[OBITUARY_SIZE];
    struct message *m = self->obituary;
    self->obituary = NULL;
    if (self->up)
        snprintf(text, sizeof text, "lost: the worker process that ran the job is gone: %s", self->reason);
    else if (attempts > 1)
        snprintf(text, sizeof text, "a worker process does not come up, %d times in a row: %s", attempts, self->reason);
    else
        snprintf(text, sizeof text, "a worker process cannot be started: %s", self->reason);
    message_header(m)->flags = self->up ? FLAG_LOST : FLAG_ERROR;
    pack_string(&m->bytes, text);
    pack_nil(&m->bytes);
    return m;
}

static void tell_end(struct bridge *self, int attempts)
{
    struct bridge_order order;
    struct message *m = self->down ? self->down : obituary(self, attempts);
    self->down = NULL;
    memcpy(&order, message_body(self->order), sizeof order);
    struct header *h = message_header(m);
    h->to = address_make(0, MAILBOX_NODE, 0);
    h->from = address_make(self->house, MAILBOX_NODE, 0);
    h->pool = order.pool;
    h->worker = order.tag;
    mailbox_deliver(self->mailbox, &m);
    while (mailbox_deliver_late(self->mailbox) && !atomic_load(&self->abandoned))
        output_await(self->bell, SLICE);
}

static void bridge_main(void *arg)
{
    struct bridge *self = arg;
    int attempt = 0;
    bool started;
    do {
        attempt++;
        self->reason[0] = '\0';
        self->ended = self->full = false;
        self->house = 0;
        int rc = bridge_open_house(self);
        started = rc == 0 || rc == TROUPE_EDEAD;
        if (rc == 0)
            live_with_relay(self);
        else
            self->ended = rc == TROUPE_EDEAD && !atomic_load(&self->abandoned);
        close_house(self);
    } while (shall_start_again(self, attempt, started));
    if (!atomic_load(&self->abandoned) || self->house)
        tell_end(self, attempt);
    mailbox_close(&self->mailbox);
    message_release_cache();
    let_go(self);
}

/* ---- for the node ---- */

static uint32_t append_text(struct message *m, const char *text)
{
    size_t size = text ? strlen(text) + 1 : 0;
    return buffer_append(&m->bytes, text, size) ? UINT32_MAX : (uint32_t)size;
}

/* MAIL_HOUSE; house and parent are filled in later. NULL when memory is out. */
static struct message *new_order(const struct bridge_options *o)
{
    struct bridge_order order = o->order;
    struct message *m = message_new(MAIL_HOUSE);
    int rc = m ? buffer_append(&m->bytes, &order, sizeof order) : TROUPE_ENOMEM;
    if (rc == 0) {
        order.name_size = append_text(m, o->name);
        order.path_size = append_text(m, o->path);
        order.cpath_size = append_text(m, o->cpath);
        order.cwd_size = append_text(m, o->cwd);
        order.libs_size = append_text(m, o->libs);
        order.init = o->init != NULL;
        if (order.name_size == UINT32_MAX || order.path_size == UINT32_MAX || order.cpath_size == UINT32_MAX || order.cwd_size == UINT32_MAX || order.libs_size == UINT32_MAX)
            rc = TROUPE_ENOMEM;
    }
    if (rc == 0 && o->init) {
        message_header(m)->from = message_header(o->init)->from;
        rc = buffer_append(&m->bytes, message_body(o->init), message_body_size(o->init));
    }
    if (rc)
        message_destroy(&m);
    else
        memcpy(message_body(m), &order, sizeof order);
    return m;
}

static int furnish(struct bridge *self, const struct bridge_options *options, struct mailbox *node)
{
    self->order = new_order(options);
    self->env = malloc(options->env_size + 1);
    self->obituary = message_new(MAIL_DOWN);
    if (!self->order || !self->env || !self->obituary || buffer_reserve(&self->obituary->bytes, OBITUARY_SIZE + 8))
        return TROUPE_ENOMEM;
    memcpy(self->env, options->env ? options->env : "", options->env_size);
    self->env_size = options->env_size;
    self->listener = options->listener;
    self->pool = options->order.pool;
    self->claims = options->claims ? claims_hold(options->claims) : NULL;
    self->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->bell < 0)
        return TROUPE_ELIMIT;
    self->watch.bell = self->bell;
    log_watch_level(&self->watch);
    int rc = mailbox_open(&self->mailbox, MAILBOX_ANY);
    if (rc)
        return rc;
    self->box = mailbox_box(self->mailbox);
    rc = mailbox_reach(self->mailbox, mailbox_box(node));
    return rc ? rc : mailbox_reach(node, self->box);
}

int bridge_start(struct bridge **out, const struct bridge_options *options, struct mailbox *node)
{
    struct bridge *self = calloc(1, sizeof *self);
    if (!self)
        return TROUPE_ENOMEM;
    atomic_init(&self->holders, 2);
    atomic_init(&self->memory, 0);
    bridge_init_breaks(self);
    pthread_mutex_init(&self->work, NULL);
    self->bell = self->poll = self->output[0].fd = self->output[1].fd = self->records.fd = -1;
    int rc = furnish(self, options, node);
    if (rc == 0)
        rc = thread_start(&self->thread, "troupe bridge", bridge_main, self);
    if (rc) {
        atomic_store(&self->holders, 1);
        let_go(self);
        return rc;
    }
    *out = self;
    return 0;
}

uint16_t bridge_box(const struct bridge *self)
{
    return self->box;
}

static bool ask(struct bridge *self, struct mailbox *node, enum message_kind kind, uint64_t job)
{
    struct message *m = message_new(kind);
    if (!m)
        return false;
    message_header(m)->to = address_make(0, self->box, 0);
    message_header(m)->pool = self->pool; /* whose node side gets the answer */
    message_header(m)->id = job;
    mailbox_deliver(node, &m);
    return true;
}

void bridge_recall(struct bridge *self, struct mailbox *node, uint64_t job)
{
    ask(self, node, MAIL_RECALL, job); /* without memory, what was handed stays there */
}

bool bridge_look(struct bridge *self, struct mailbox *node, uint64_t job)
{
    return ask(self, node, MAIL_LOOK, job);
}

size_t bridge_memory(const struct bridge *self)
{
    return atomic_load(&self->memory);
}

int bridge_join(struct bridge **bridge, double timeout)
{
    int rc = thread_join(&(*bridge)->thread, timeout);
    if (rc == 0) {
        let_go(*bridge);
        *bridge = NULL;
    }
    return rc;
}

void bridge_abandon(struct bridge **bridge)
{
    struct bridge *self = *bridge;
    *bridge = NULL;
    atomic_store(&self->abandoned, true);
    bridge_ring(self);
    thread_detach(&self->thread);
    let_go(self);
}
