/* sink.c - takes, parses, filters, prints, writes.
 *
 *     new -> serving [sink_start]   serving -> draining [sink_stop]
 *     draining -> ended, when all peers have gone, after a silence of QUIET seconds, or when they do not stop [drain]
 *     serving -> ended, when nobody reads its descriptor any more
 *
 *  1. between sink_start and its end, outlet and wires belong to the thread; `orders` and the counts are atomic;
 *  2. nothing that arrives can stop it: what is no record is one that says so;
 *  3. what could be read without waiting is written before it waits;
 *  4. a sink that is open when the program exits ends first, so that its sockets are closed before their context goes.
 */
#include "sink.h"

#include <errno.h>
#include <pthread.h>
#include <regex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "record.h"
#include "thread.h"
#include "troupe.h"

enum { WIRES_MAX = 32, SWEEP = 256, ORDER_REOPEN = 1, ORDER_STOP = 2,
       IN_FLIGHT = 16 << 20 }; /* bytes of one sender, in the kernel's buffers and libzmq's */

static const double QUIET = 1, GAP = 0.1, DRAIN = 5, DRAIN_MORE = 55, TRY_AGAIN = 1, OWN = 1, EXIT_SECONDS = 7;

struct sink {
    struct sink *next;         /* of those open in the program */
    struct thread *thread;
    struct wire *wires[WIRES_MAX];
    int wire_count;
    int bell;
    atomic_int orders;
    struct outlet *outlet;
    struct record_printer printer;
    struct buffer line;
    double now;                /* wall seconds, of this sweep */
    uint64_t bytes;            /* received */
    int level;
    bool has_grep;
    regex_t grep;
    atomic_ullong frames, records, filtered, lost;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* over the list */
static struct sink *first;

static void trouble(void *context, const char *text, bool is_over)
{
    (void)context;
    log_say(is_over ? RECORD_WARNING : RECORD_ERROR, "%s", text);
}

/* ---- the thread */

/* Lines have no zero bytes, whatever was in the record. */
static bool matches(struct sink *self)
{
    if (!self->has_grep)
        return true;
    unsigned char *newline = self->line.data + self->line.size - 1;
    *newline = '\0';
    bool match = regexec(&self->grep, (const char *)self->line.data, 0, NULL, 0) == 0;
    *newline = '\n';
    return match;
}

static void take_record(void *context, const struct record *r)
{
    struct sink *self = context;
    atomic_fetch_add_explicit(&self->records, 1, memory_order_relaxed);
    if (r->level > self->level) {
        atomic_fetch_add_explicit(&self->filtered, 1, memory_order_relaxed);
        return;
    }
    self->line.size = 0;
    if (record_print(&self->printer, r, &self->line))
        return;
    if (matches(self))
        outlet_put(self->outlet, self->line.data, self->line.size, self->now);
    else
        atomic_fetch_add_explicit(&self->filtered, 1, memory_order_relaxed);
}

/* Takes some frames of each wire. False when there were none. */
static bool sweep(struct sink *self)
{
    const void *bytes;
    size_t size;
    bool some = false;
    self->now = clock_wall();
    for (int i = 0; i < self->wire_count; i++) {
        for (int n = 0; n < SWEEP && wire_take(self->wires[i], &bytes, &size); n++) {
            some = true;
            self->bytes += size;
            atomic_fetch_add_explicit(&self->frames, 1, memory_order_relaxed);
            record_parse(bytes, size, (int64_t)(self->now * 1e6), take_record, self);
        }
    }
    return some;
}

/* True when all is written. */
static bool flush(struct sink *self)
{
    bool done = outlet_flush(self->outlet, clock_wall());
    atomic_store_explicit(&self->lost, outlet_lost(self->outlet), memory_order_relaxed);
    return done;
}

/* How many there are on all wires; some: of a wire that does not know, there may be one. */
static int count_peers(struct sink *self, bool *some)
{
    int count = 0;
    *some = false;
    for (int i = 0; i < self->wire_count; i++) {
        count += wire_peers(self->wires[i]);
        *some |= wire_has_peer(self->wires[i]);
    }
    return count;
}

/* How long a silence ends it. What still comes when DRAIN is over has either been sent before, and lay in the kernel's
 * buffers, or does not stop: so much of it is taken, then. */
static double patience(const struct sink *self, double now, double end, uint64_t most_bytes)
{
    if (now < end)
        return QUIET;
    return self->bytes < most_bytes && now < end + DRAIN_MORE ? GAP : 0;
}

/* What came before the end was asked for, as far as it is on its way still. */
static void drain(struct sink *self)
{
    bool some;
    double end = clock_now() + DRAIN, silence;
    uint64_t most_bytes = self->bytes + (uint64_t)count_peers(self, &some) * IN_FLIGHT;
    while ((silence = patience(self, clock_now(), end, most_bytes)) > 0) {
        count_peers(self, &some); /* before the sweep: what the last one sent has come when it is gone */
        if (sweep(self))
            continue;
        flush(self);
        if (!some || wire_wait(self->wires, self->wire_count, false, -1, silence) == TROUPE_ETIMEDOUT)
            break;
    }
}

static void serve(void *arg)
{
    struct sink *self = arg;
    int orders = 0;
    while (!(orders & ORDER_STOP) && !outlet_is_broken(self->outlet)) {
        eventfd_t rings;
        bool done = true;
        bool busy = sweep(self);
        if (!busy)
            done = flush(self);
        wire_wait(self->wires, self->wire_count, false, self->bell, busy ? 0 : done ? -1 : TRY_AGAIN);
        eventfd_read(self->bell, &rings);
        orders = atomic_exchange(&self->orders, 0);
        if (orders & ORDER_REOPEN)
            outlet_reopen(self->outlet, clock_wall());
    }
    if (!outlet_is_broken(self->outlet))
        drain(self);
    for (int i = 0; i < self->wire_count; i++)
        wire_close(&self->wires[i], 0);
    atomic_store(&self->lost, outlet_close(&self->outlet, clock_wall()));
}

/* ---- the others */

static void order(struct sink *self, int what)
{
    atomic_fetch_or(&self->orders, what);
    eventfd_write(self->bell, 1);
}

/* Sinks that nobody has ended. Their threads are awaited; the structures stay, for whoever still holds them. What the program
 * has said itself may be on its way to one of them. */
static void at_exit(void)
{
    pthread_mutex_lock(&lock);
    if (first)
        log_flush(OWN);
    for (struct sink *s = first; s; s = s->next)
        if (s->thread)
            order(s, ORDER_STOP);
    double until = clock_now() + EXIT_SECONDS, left;
    for (struct sink *s = first; s; s = s->next)
        while (s->thread && (left = until - clock_now()) > 0 && thread_join(&s->thread, left) == TROUPE_EINTR)
            ;
    pthread_mutex_unlock(&lock);
}

static int compile(struct sink *self, const char *pattern, char *why, size_t why_size)
{
    if (!pattern)
        return 0;
    int rc = regcomp(&self->grep, pattern, REG_EXTENDED | REG_NOSUB);
    self->has_grep = rc == 0;
    if (rc)
        regerror(rc, NULL, why, why_size);
    return rc ? TROUPE_EINVAL : 0;
}

static void release(struct sink *self)
{
    for (int i = 0; i < self->wire_count; i++)
        wire_close(&self->wires[i], 0);
    outlet_close(&self->outlet, clock_wall());
    if (self->bell >= 0)
        close(self->bell);
    if (self->has_grep)
        regfree(&self->grep);
    buffer_release(&self->line);
    free(self);
}

int sink_new(struct sink **out, const struct sink_options *options, char *why, size_t why_size)
{
    struct sink *self = calloc(1, sizeof *self);
    *out = NULL;
    snprintf(why, why_size, "%s", troupe_strerror(TROUPE_ENOMEM));
    if (!self)
        return TROUPE_ENOMEM;
    struct outlet_options o = options->outlet;
    o.trouble = trouble;
    self->level = options->level;
    self->printer = (struct record_printer){ .json = options->json, .colours = options->colours };
    self->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = self->bell < 0 ? TROUPE_ELIMIT : 0;
    if (rc)
        snprintf(why, why_size, "%s", troupe_strerror(rc));
    else
        rc = compile(self, options->grep, why, why_size);
    if (rc == 0 && (rc = outlet_open(&self->outlet, &o, clock_wall())))
        snprintf(why, why_size, "%s: %s", o.path ? o.path : "the output",
                 rc == TROUPE_ENOMEM ? troupe_strerror(rc) : strerror(errno));
    if (rc)
        release(self);
    else
        *out = self;
    return rc;
}

int sink_listen(struct sink *self, const struct wire_options *options, char *why, size_t why_size)
{
    if (self->wire_count == WIRES_MAX) {
        snprintf(why, why_size, "too many endpoints: %d is the most", WIRES_MAX);
        return TROUPE_ELIMIT;
    }
    int rc = wire_open(&self->wires[self->wire_count], options);
    if (rc)
        snprintf(why, why_size, "%s", wire_why());
    else
        self->wire_count++;
    return rc;
}

const char *sink_endpoint(const struct sink *self, int number)
{
    return number < self->wire_count && self->wires[number] ? wire_endpoint(self->wires[number]) : NULL;
}

int sink_start(struct sink *self)
{
    int rc = thread_start(&self->thread, "troupe sink", serve, self);
    if (rc)
        return rc;
    atexit(at_exit); /* each time: it must come before the end of a context that others have made since */
    pthread_mutex_lock(&lock);
    self->next = first;
    first = self;
    pthread_mutex_unlock(&lock);
    return 0;
}

void sink_reopen(struct sink *self)
{
    order(self, ORDER_REOPEN);
}

void sink_count(struct sink *self, struct sink_counts *out)
{
    *out = (struct sink_counts){ .frames = atomic_load(&self->frames), .records = atomic_load(&self->records),
                                 .filtered = atomic_load(&self->filtered), .lost = atomic_load(&self->lost) };
}

void sink_tell_end(struct sink *self, int eventfd)
{
    if (self->thread)
        thread_tell_end(self->thread, eventfd);
}

void sink_stop(struct sink *self)
{
    order(self, ORDER_STOP);
}

void sink_end(struct sink **sink, struct sink_counts *counts)
{
    struct sink *self = *sink;
    if (!self)
        return;
    *sink = NULL;
    pthread_mutex_lock(&lock);
    struct sink **link = &first;
    while (*link && *link != self)
        link = &(*link)->next;
    if (*link)
        *link = self->next;
    pthread_mutex_unlock(&lock);
    int rc = 0;
    if (self->thread) {
        order(self, ORDER_STOP);
        while ((rc = thread_join(&self->thread, -1)) == TROUPE_EINTR)
            ;
    }
    if (counts)
        sink_count(self, counts);
    if (rc == 0)
        release(self); /* else its thread stayed behind in the process this one was forked from */
}
