/* tray.c - trays and the table of boxes.
 *
 *     idle --put--> told --take_all, or take_one from an empty tray--> idle
 *     told --take_few, untell: its sender passes the letters on itself--> idle
 *     any  --box_release--> closed          any --tray_leave--> left; freed by its receiver once idle
 *
 * Invariants:
 *  1. a tray with letters in it, or whose address is on its way, is told, closed (then it is empty), or left;
 *  2. a tray stands in its box's list exactly while the box is open and the tray has not been unlinked by its last user;
 *  3. locks: the table's before a tray's, never the other way round;
 *  4. a tray is freed by whoever finds that both ends let go: its sender, when it leaves an idle or closed one; its
 *     receiver, when it finds one that was left empty; or the release of its box.
 */
#include "tray.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "troupe.h"

struct tray {
    pthread_mutex_t lock;
    struct message *head, *tail;
    bool told;
    bool closed; /* the receiver let go */
    bool condemned; /* the receiver has not, and never looks again: for the sender as if closed */
    bool left;   /* the sender let go */
    uint16_t box;
    struct tray *prev, *next; /* in the box's list; under the table's lock */
};

static struct {
    pthread_mutex_t lock;
    uint16_t cursor; /* where the search for a free box goes on: numbers are used again as late as can be */
    struct {
        uint32_t generation;
        bool open, condemned;
        bool killed; /* its vm is to end, whatever it does */
        struct tray *trays;
    } box[BOX_COUNT];
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Atomic uint32_t bells[BOX_COUNT];

/* Beside the bells: 0 for none, else the eventfd plus 1. */
static _Atomic int eventfds[BOX_COUNT];
static pthread_mutex_t eventfd_lock = PTHREAD_MUTEX_INITIALIZER;

static void box_ring(uint16_t box)
{
    atomic_fetch_add_explicit(&bells[box], 1, memory_order_release);
    if (atomic_load_explicit(&eventfds[box], memory_order_acquire) == 0)
        return;
    pthread_mutex_lock(&eventfd_lock); /* it is not closed meanwhile */
    int fd = atomic_load(&eventfds[box]) - 1;
    if (fd >= 0)
        eventfd_write(fd, 1);
    pthread_mutex_unlock(&eventfd_lock);
}

void box_set_eventfd(uint16_t box, int eventfd)
{
    pthread_mutex_lock(&eventfd_lock);
    atomic_store(&eventfds[box], eventfd + 1);
    pthread_mutex_unlock(&eventfd_lock);
}

uint32_t box_bell(uint16_t box)
{
    return atomic_load_explicit(&bells[box], memory_order_acquire);
}

static int find_free(void)
{
    for (int i = 0; i < BOX_COUNT; i++) {
        uint16_t box = (uint16_t)(table.cursor + 1 + i);
        if (box != 0 && !table.box[box].open)
            return box;
    }
    return TROUPE_ELIMIT;
}

int box_claim(int wanted, uint32_t *generation)
{
    pthread_mutex_lock(&table.lock);
    int box = wanted >= 0 ? wanted : find_free();
    if (box >= 0 && table.box[box].open)
        box = TROUPE_ELIMIT;
    if (box >= 0) {
        if (wanted < 0)
            table.cursor = (uint16_t)box;
        table.box[box].open = true;
        table.box[box].condemned = table.box[box].killed = false;
        atomic_store_explicit(&bells[box], 0, memory_order_relaxed); /* nobody rings between two openings */
        *generation = ++table.box[box].generation;
    }
    pthread_mutex_unlock(&table.lock);
    return box;
}

static void tray_free(struct tray *self)
{
    message_destroy_list(&self->head);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

/* Appends what is in the tray to a list that ends at `end`; the list's new end. Under the tray's lock. */
static struct message **empty(struct tray *t, struct message **end)
{
    *end = t->head;
    if (t->tail)
        end = &t->tail->next;
    t->head = t->tail = NULL;
    return end;
}

struct message *box_release(uint16_t box)
{
    struct message *unread = NULL, **end = &unread;
    pthread_mutex_lock(&table.lock);
    table.box[box].open = false;
    struct tray *list = table.box[box].trays;
    table.box[box].trays = NULL;
    while (list) {
        struct tray *t = list;
        list = t->next;
        pthread_mutex_lock(&t->lock);
        t->closed = true;
        end = empty(t, end);
        bool last = t->left;
        pthread_mutex_unlock(&t->lock);
        if (last)
            tray_free(t);
    }
    pthread_mutex_unlock(&table.lock);
    return unread;
}

struct message *box_condemn(uint16_t box)
{
    struct message *unread = NULL, **end = &unread;
    pthread_mutex_lock(&table.lock);
    table.box[box].condemned = true;
    for (struct tray *t = table.box[box].trays; t; t = t->next) {
        pthread_mutex_lock(&t->lock);
        t->condemned = true;
        end = empty(t, end);
        pthread_mutex_unlock(&t->lock);
    }
    pthread_mutex_unlock(&table.lock);
    return unread;
}

void box_mark_killed(uint16_t box)
{
    pthread_mutex_lock(&table.lock);
    table.box[box].killed = true;
    pthread_mutex_unlock(&table.lock);
}

bool box_is_killed(uint16_t box)
{
    pthread_mutex_lock(&table.lock);
    bool killed = table.box[box].killed;
    pthread_mutex_unlock(&table.lock);
    return killed;
}

uint16_t box_next(uint16_t box)
{
    pthread_mutex_lock(&table.lock);
    int next = box + 1;
    while (next < BOX_COUNT && !table.box[next].open)
        next++;
    pthread_mutex_unlock(&table.lock);
    return next < BOX_COUNT ? (uint16_t)next : 0;
}

int tray_connect(struct tray **out, uint16_t box, uint32_t *generation)
{
    struct tray *t = calloc(1, sizeof *t);
    if (!t)
        return TROUPE_ENOMEM;
    pthread_mutex_init(&t->lock, NULL);
    t->box = box;
    pthread_mutex_lock(&table.lock);
    bool open = table.box[box].open && !table.box[box].condemned;
    if (open) {
        t->next = table.box[box].trays;
        if (t->next)
            t->next->prev = t;
        table.box[box].trays = t;
        *generation = table.box[box].generation;
    }
    pthread_mutex_unlock(&table.lock);
    if (!open) {
        tray_free(t);
        return TROUPE_EDEAD;
    }
    *out = t;
    return 0;
}

int tray_put(struct tray *self, struct message *m, bool *tell)
{
    pthread_mutex_lock(&self->lock);
    bool closed = self->closed || self->condemned;
    if (!closed) {
        m->next = NULL;
        if (self->tail)
            self->tail->next = m;
        else
            self->head = m;
        self->tail = m;
        *tell = !self->told;
        self->told = true;
    }
    pthread_mutex_unlock(&self->lock);
    return closed ? TROUPE_EDEAD : 0;
}

void tray_ring(struct tray *self)
{
    pthread_mutex_lock(&self->lock);
    if (!self->closed)
        box_ring(self->box);
    pthread_mutex_unlock(&self->lock);
}

struct message *tray_take_few(struct tray *self, int most, bool (*want)(const struct message *))
{
    pthread_mutex_lock(&self->lock);
    struct message *taken = self->head;
    int count = 0;
    for (const struct message *m = taken; m; m = m->next)
        if (++count > most || (want && !want(m))) {
            taken = NULL;
            break;
        }
    if (taken)
        self->head = self->tail = NULL;
    pthread_mutex_unlock(&self->lock);
    return taken;
}

void tray_untell(struct tray *self)
{
    pthread_mutex_lock(&self->lock);
    self->told = false;
    pthread_mutex_unlock(&self->lock);
}

static bool is_this(const struct message *m, void *context)
{
    return m == context;
}

bool tray_unput(struct tray *self, struct message *m)
{
    bool found = tray_recall(self, is_this, m) != NULL;
    tray_untell(self);
    return found;
}

struct message *tray_recall(struct tray *self, bool (*want)(const struct message *, void *), void *context)
{
    struct message *taken = NULL, **end = &taken;
    pthread_mutex_lock(&self->lock);
    struct message **link = &self->head, *last = NULL;
    while (*link) {
        struct message *m = *link;
        if (want(m, context)) {
            *link = m->next;
            m->next = NULL;
            *end = m;
            end = &m->next;
        } else {
            last = m;
            link = &m->next;
        }
    }
    self->tail = last;
    pthread_mutex_unlock(&self->lock);
    return taken;
}

/* Takes the tray out of its box's list. Under the table's lock. */
static void unlink_tray(struct tray *self)
{
    if (self->prev)
        self->prev->next = self->next;
    else
        table.box[self->box].trays = self->next;
    if (self->next)
        self->next->prev = self->prev;
}

bool tray_is_closed(struct tray *self)
{
    pthread_mutex_lock(&self->lock);
    bool closed = self->closed || self->condemned;
    pthread_mutex_unlock(&self->lock);
    return closed;
}

void tray_leave(struct tray *self)
{
    pthread_mutex_lock(&table.lock);
    pthread_mutex_lock(&self->lock);
    self->left = true;
    bool closed = self->closed, last = closed || !self->told;
    pthread_mutex_unlock(&self->lock);
    if (last && !closed)
        unlink_tray(self);
    pthread_mutex_unlock(&table.lock);
    if (last)
        tray_free(self);
}

/* The receiver has found an idle tray whose sender is gone. */
static void retire(struct tray *self)
{
    pthread_mutex_lock(&table.lock);
    unlink_tray(self);
    pthread_mutex_unlock(&table.lock);
    tray_free(self);
}

struct message *tray_take_all(struct tray *self)
{
    pthread_mutex_lock(&self->lock);
    struct message *letters = self->head;
    self->head = self->tail = NULL;
    self->told = false;
    bool left = self->left;
    pthread_mutex_unlock(&self->lock);
    if (left)
        retire(self);
    return letters;
}

struct message *tray_take_one(struct tray *self)
{
    pthread_mutex_lock(&self->lock);
    struct message *m = self->head;
    if (m) {
        self->head = m->next;
        if (!self->head)
            self->tail = NULL;
        m->next = NULL;
    } else {
        self->told = false;
    }
    bool done = !m && self->left;
    pthread_mutex_unlock(&self->lock);
    if (done)
        retire(self);
    return m;
}
