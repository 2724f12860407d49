/* mailbox.c - one vm's letterbox, and its posts to others.
 *
 * A mailbox is a PULL socket bound to a name of its own, with the PUSH socket of its door (mailbox_door.h), and a tray for
 * every box it ever wrote to. What is sent over the sockets are trays, by pointer (tray.h); both ends live in this process.
 *
 * Invariants:
 *  1. an endpoint's name is used once: it holds the box and how often that box was opened;
 *  2. posts are made on first use and kept until their box is found dead, or the mailbox closes; those to dead boxes are
 *     looked for whenever their number has doubled, so that they are never more than the living, or SWEEP_FROM;
 *  3. `letters` were taken from trays and not yet handed out; `current` is a told tray not yet found empty;
 *  4. a box's bell has rung as often as trays were sent to it, less those about to ring: it rings for no box that closed;
 *  5. no socket is touched in a forked child.
 *
 * libzmq carries the hand-over of a tray from one thread to the next, invisibly to ThreadSanitizer: the annotation below
 * tells it so, and the door's.
 */
#include "mailbox.h"

#include <limits.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>

#include <zmq.h>

#include "address.h"
#include "clock.h"
#include "mailbox_context.h"
#include "mailbox_door.h"
#include "mailbox_route.h"
#include "sanitizer.h"
#include "tray.h"
#include "troupe.h"

#if WITH_TSAN
void __tsan_acquire(void *address);
#else
#define __tsan_acquire(address) ((void)(address))
#endif

enum { POSTS_A_PAGE = 256, PAGES = BOX_COUNT / POSTS_A_PAGE, SPIN_ROUNDS = 8, SWEEP_FROM = 32 };

/* Watching for the answer pays while it takes less than going to sleep and being woken would. */
static const double eager_seconds = 60e-6;

struct post {
    struct tray *tray; /* NULL: there is no post */
    uint32_t generation;
};

struct mailbox {
    uint16_t box;
    bool single;
    uint32_t told; /* trays taken from the socket: the bell is ahead while there is one more */
    bool look;     /* there is one whose bell has not rung yet */
    bool lively;   /* there was mail, from here or to here, since watching last was in vain */
    void *pull;
    int descriptor; /* of pull */
    struct message *letters;
    struct message *own, *own_tail; /* posted here from here */
    struct message *late; /* to be delivered when memory allows */
    struct tray *current;
    int relays; /* letters from here that may be passed on by relays */
    int posts, sweep_at;
    struct post *pages[PAGES];
};

int mailbox_open(struct mailbox **out, int box)
{
    uint32_t generation;
    struct message *unread;
    size_t size = sizeof(int);
    if (!mailbox_context_enter())
        return mailbox_is_forked() ? TROUPE_EINVAL : TROUPE_ELIMIT;
    struct mailbox *self = calloc(1, sizeof *self);
    int rc = self ? 0 : TROUPE_ENOMEM;
    if (rc)
        goto fail;
    rc = box = box_claim(box, &generation);
    if (rc < 0)
        goto fail;
    self->box = (uint16_t)box;
    self->sweep_at = SWEEP_FROM;
    rc = mailbox_socket_open(&self->pull, ZMQ_PULL, self->box, generation);
    if (rc)
        goto fail_box;
    zmq_getsockopt(self->pull, ZMQ_FD, &self->descriptor, &size);
    rc = door_open(self->box, generation);
    if (rc)
        goto fail_pull;
    *out = self;
    return 0;
fail_pull:
    mailbox_socket_close(self->pull);
fail_box:
    unread = box_release(self->box);
    message_destroy_list(&unread);
fail:
    free(self);
    mailbox_context_leave();
    return rc;
}

static void post_close(struct mailbox *self, struct post *p)
{
    if (!p->tray)
        return;
    tray_leave(p->tray);
    p->tray = NULL;
    self->posts--;
}

/* Nobody will read these: letters to actors go back to their senders, who must know of each what became of it. */
static void turn_back(struct mailbox *self, struct message **list)
{
    while (*list) {
        struct message *m = *list;
        *list = m->next;
        if (message_turn_back(m) && mailbox_route(message_header(m)->to) != self->box)
            mailbox_post(self, &m);
        message_destroy(&m);
    }
}

void mailbox_close(struct mailbox **mailbox)
{
    struct mailbox *self = *mailbox;
    *mailbox = NULL;
    if (!self || mailbox_is_forked())
        return;
    door_close(self->box); /* first: the number may be another box's once it is released */
    struct message *unread = box_release(self->box);
    turn_back(self, &self->letters);
    turn_back(self, &unread);
    for (int page = 0; page < PAGES; page++) {
        for (int i = 0; self->pages[page] && i < POSTS_A_PAGE; i++)
            post_close(self, &self->pages[page][i]);
        free(self->pages[page]);
    }
    mailbox_socket_close(self->pull);
    message_destroy_list(&self->letters);
    message_destroy_list(&self->own);
    message_destroy_list(&self->late);
    free(self);
    mailbox_context_leave();
}

uint16_t mailbox_box(const struct mailbox *self)
{
    return self->box;
}

uint64_t mailbox_address(const struct mailbox *self)
{
    return address_make(mailbox_house(), self->box, 0);
}

void mailbox_set_single(struct mailbox *self)
{
    self->single = true;
}

static struct post *find_post(struct mailbox *self, uint16_t box)
{
    struct post **page = &self->pages[box / POSTS_A_PAGE];
    if (!*page)
        *page = calloc(POSTS_A_PAGE, sizeof **page);
    return *page ? &(*page)[box % POSTS_A_PAGE] : NULL;
}

/* Closes the posts to boxes that are gone. */
static void sweep(struct mailbox *self)
{
    for (int i = 0; i < BOX_COUNT; i++) {
        struct post *page = self->pages[i / POSTS_A_PAGE];
        struct post *p = page ? &page[i % POSTS_A_PAGE] : NULL;
        if (p && p->tray && tray_is_closed(p->tray))
            post_close(self, p);
    }
    self->sweep_at = self->posts * 2 > SWEEP_FROM ? self->posts * 2 : SWEEP_FROM;
}

static int post_open(struct mailbox *self, struct post *p, uint16_t box)
{
    if (self->posts >= self->sweep_at)
        sweep(self);
    int rc = tray_connect(&p->tray, box, &p->generation);
    if (rc == 0)
        self->posts++;
    return rc;
}

/* Sends the tray's pointer, or has a relay pass on what is in it. */
static int announce(struct mailbox *self, struct post *p, uint16_t box)
{
    int rc = door_send(box, p->generation, p->tray, self->relays > 0);
    if (rc == DOOR_RELAYED) {
        self->relays--;
        tray_untell(p->tray);
        return 0;
    }
    if (rc == 0)
        tray_ring(p->tray);
    return rc;
}

static void post_to_self(struct mailbox *self, struct message *m)
{
    m->next = NULL;
    if (self->own)
        self->own_tail->next = m;
    else
        self->own = m;
    self->own_tail = m;
}

/* Puts the letter into the post's tray, opening the post if need be. */
static int put(struct mailbox *self, struct post *p, uint16_t box, struct message *m)
{
    bool tell = false;
    int rc = p->tray ? tray_put(p->tray, m, &tell) : TROUPE_EDEAD;
    if (rc == TROUPE_EDEAD) {
        post_close(self, p); /* an earlier box of this number */
        rc = post_open(self, p, box);
        if (rc == 0)
            rc = tray_put(p->tray, m, &tell);
    }
    if (rc == 0 && tell) {
        rc = announce(self, p, box);
        if (rc && !tray_unput(p->tray, m))
            rc = 0; /* it was in the tray, and went with the box */
    }
    return rc;
}

int mailbox_reach(struct mailbox *self, uint16_t box)
{
    if (mailbox_is_forked())
        return TROUPE_EINVAL;
    struct post *p = find_post(self, box);
    if (!p)
        return TROUPE_ENOMEM;
    if (p->tray && !tray_is_closed(p->tray))
        return 0;
    post_close(self, p);
    return post_open(self, p, box);
}

int mailbox_reach_house(struct mailbox *self, uint16_t house)
{
    int box = mailbox_route(address_make(house, MAILBOX_NODE, 0));
    return box < 0 ? box : mailbox_reach(self, (uint16_t)box);
}

int mailbox_post(struct mailbox *self, struct message **message)
{
    if (mailbox_is_forked())
        return TROUPE_EINVAL;
    int box = mailbox_route(message_header(*message)->to), rc = 0;
    if (box < 0)
        return box;
    if (box == self->box) {
        post_to_self(self, *message);
    } else {
        struct post *p = find_post(self, (uint16_t)box);
        rc = p ? put(self, p, (uint16_t)box, *message) : TROUPE_ENOMEM;
    }
    if (rc == 0) {
        *message = NULL;
        self->lively = true;
    }
    return rc;
}

/* True when nothing more is to be done for the letter. */
static bool try_delivery(struct mailbox *self, struct message **message)
{
    int rc = mailbox_post(self, message);
    if (rc == TROUPE_ELIMIT || rc == TROUPE_ENOMEM)
        return false;
    message_destroy(message);
    return true;
}

void mailbox_deliver(struct mailbox *self, struct message **message)
{
    if (try_delivery(self, message))
        return;
    (*message)->next = self->late;
    self->late = *message;
    *message = NULL;
}

bool mailbox_deliver_late(struct mailbox *self)
{
    struct message *list = self->late;
    self->late = NULL;
    while (list) {
        struct message *m = list;
        list = m->next;
        mailbox_deliver(self, &m);
    }
    return self->late != NULL;
}

void mailbox_condemn(struct mailbox *self, uint16_t box)
{
    struct message *unread = box_condemn(box);
    turn_back(self, &unread);
}

void mailbox_tell_gone(struct mailbox *self, uint64_t address, bool killed)
{
    for (uint16_t box = 0; (box = box_next(box));) {
        struct message *m = box != self->box ? message_new(MAIL_LOST) : NULL;
        if (!m)
            continue;
        message_header(m)->to = address_make(mailbox_house(), box, 0);
        message_header(m)->from = address;
        message_header(m)->flags = killed ? FLAG_KILLED : 0;
        mailbox_deliver(self, &m);
    }
}

static bool has_rung(const struct mailbox *self)
{
    return (int32_t)(box_bell(self->box) - self->told) > 0;
}

/* The next tray we are told of, NULL when there is none. The bell rings once a tray, after it was sent: what has rung and
 * was not taken is there. libzmq may hide it while another sender, which is about to wake us for both, is interrupted. */
static struct tray *next_tray(struct mailbox *self)
{
    struct tray *t;
    if (!self->look && !has_rung(self))
        return NULL; /* an empty socket costs system calls to look at */
    self->look = false;
    if (zmq_recv(self->pull, &t, sizeof t, ZMQ_DONTWAIT) != (int)sizeof t) {
        if (has_rung(self))
            sched_yield();
        return NULL;
    }
    self->told++;
    self->lively = true;
    __tsan_acquire(t);
    return t;
}

static struct message *pop(struct message **list)
{
    struct message *m = *list;
    if (m)
        *list = m->next;
    return m;
}

/* With mailbox_set_single: tray by tray, letter by letter. */
static struct message *take_single(struct mailbox *self)
{
    for (;;) {
        if (!self->current)
            self->current = next_tray(self);
        if (!self->current)
            return NULL;
        struct message *m = tray_take_one(self->current);
        if (m)
            return m;
        self->current = NULL;
    }
}

struct message *mailbox_take(struct mailbox *self)
{
    if (mailbox_is_forked())
        return NULL;
    struct message *m = pop(&self->letters);
    if (!m)
        m = pop(&self->own);
    if (m)
        return m;
    if (self->single)
        return take_single(self);
    struct tray *t;
    while (!m && (t = next_tray(self))) {
        self->letters = tray_take_all(t);
        m = pop(&self->letters);
    }
    return m;
}

static inline void breathe(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* True when the bell rang within about as long as a sleep and its waking cost. Who is to ring it may want this very
 * processor, so it is yielded soon and often; and whoever yields may come back late, and then looks once more. */
static bool watch(struct mailbox *self, double until)
{
    for (;;) {
        for (int i = 0; i < SPIN_ROUNDS; i++) {
            if (has_rung(self))
                return true;
            breathe();
        }
        if (clock_now() >= until)
            break;
        sched_yield();
    }
    self->lively = false;
    return false;
}

static int milliseconds(double seconds)
{
    if (seconds < 0)
        return -1;
    double ms = ceil(seconds * 1e3);
    return ms > (double)INT_MAX ? INT_MAX : (int)ms;
}

/* Sleeps as zmq_poll would, with half its system calls. A socket's own descriptor tells of what comes after all has been
 * looked at: so it is looked at first. What wakes it may be no letter; then there is nothing to take, and who waits waits
 * again. */
static int sleep_until(struct mailbox *self, double timeout, int descriptor)
{
    int events = 0;
    size_t size = sizeof events;
    if (zmq_getsockopt(self->pull, ZMQ_EVENTS, &events, &size))
        return mailbox_zmq_status();
    self->look = events & ZMQ_POLLIN; /* a sender posts first and rings then */
    if (self->look)
        return 0;
    struct pollfd fds[2] = {{.fd = self->descriptor, .events = POLLIN}, {.fd = descriptor, .events = POLLIN}};
    int rc = poll(fds, descriptor >= 0 ? 2 : 1, milliseconds(timeout));
    if (rc < 0)
        return mailbox_zmq_status();
    self->look = fds[0].revents != 0;
    return rc > 0 ? 0 : TROUPE_ETIMEDOUT;
}

bool mailbox_has_letters(const struct mailbox *self)
{
    return self->letters || self->own || self->current || self->look || has_rung(self);
}

int mailbox_wait(struct mailbox *self, double timeout, bool eager, int descriptor)
{
    if (mailbox_is_forked())
        return TROUPE_EINVAL;
    if (mailbox_has_letters(self))
        return 0;
    if (eager && self->lively && timeout != 0) {
        double most = timeout > 0 && timeout < eager_seconds ? timeout : eager_seconds;
        if (watch(self, clock_now() + most))
            return 0;
    }
    return sleep_until(self, timeout, descriptor);
}

void mailbox_set_eventfd(struct mailbox *self, int eventfd)
{
    box_set_eventfd(self->box, eventfd);
}

void mailbox_set_relay(struct mailbox *self, bool (*relay)(void *owner, struct tray *tray), void *owner)
{
    door_set_relay(self->box, relay, owner);
}

void mailbox_allow_relays(struct mailbox *self, int letters)
{
    self->relays = letters;
}

bool mailbox_holds_letters(const struct mailbox *self)
{
    return self->letters || self->current;
}

struct message *mailbox_recall(struct mailbox *self, uint16_t box, bool (*want)(const struct message *, void *), void *context_)
{
    struct post *page = self->pages[box / POSTS_A_PAGE];
    struct post *p = page ? &page[box % POSTS_A_PAGE] : NULL;
    return p && p->tray ? tray_recall(p->tray, want, context_) : NULL;
}
