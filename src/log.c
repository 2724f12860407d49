/* log.c - whoever speaks: levels, the queue, standard error, where records go.
 *
 *     stderr ──log_to──▶ file, endpoint (a writer)     ──log_to──▶ ...
 *            ──log_to──▶ function (its vm takes)       ──its vm closes──▶ stderr
 *
 *  1. `switching` is held while the destination changes, and taken before the queue's lock; who speaks takes the latter
 *     alone, for as long as copying a record takes;
 *  2. records reach a destination in the order in which they entered the queue; the queue is empty, or its taker awake or
 *     rung;
 *  3. when the program ends by exit, what was said is written out first, within EXIT_SECONDS;
 *  4. a forked child has no writer: it speaks to standard error.
 */
#include "log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "interrupt.h"
#include "log_inner.h"
#include "troupe.h"

static const double EXIT_SECONDS = 5, SWITCH_SECONDS = 5, ABSENT_SECONDS = 1;

struct log_queue log_queue = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER, .bell = -1 };

static pthread_mutex_t switching = PTHREAD_MUTEX_INITIALIZER; /* over the three below */
static struct log_writer *writer;
static int clients;
static bool gave_up; /* the last client left, and not all could be written out in time */

static atomic_ullong vms;
static pthread_once_t once = PTHREAD_ONCE_INIT;

int64_t log_now_us(void)
{
    return (int64_t)(clock_wall() * 1e6);
}

/* ---- a fork, and the end */

/* Only the queue must be whole in the child. `switching` is not awaited: its holder may be starting a thread, for which it
 * takes locks that are held here already. */
static void before_fork(void)
{
    pthread_mutex_lock(&log_queue.lock);
}

static void after_fork_in_parent(void)
{
    pthread_mutex_unlock(&log_queue.lock);
}

static void after_fork_in_child(void)
{
    pthread_mutex_init(&switching, NULL);
    log_queue.kind = LOG_STDERR;
    log_queue.filling.size = 0;
    log_queue.put = log_queue.written = 0;
    log_queue.bell = -1;
    writer = NULL; /* its thread stayed behind */
    log_stderr_forked();
    log_pipe_forked();
    log_levels_forked();
    after_fork_in_parent();
}

static void speak_plainly(void);

static void at_exit(void)
{
    pthread_mutex_lock(&switching);
    log_writer_end(&writer, gave_up ? 0 : EXIT_SECONDS);
    speak_plainly();
    pthread_mutex_unlock(&switching);
}

static void set_up(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    atexit(at_exit);
    log_find_names(); /* the names are found before there is a writer that might be finding them when the program forks */
}

/* ---- the queue */

static void ring(void)
{
    if (!log_queue.asleep || log_queue.bell < 0)
        return;
    log_queue.asleep = false;
    eventfd_write(log_queue.bell, 1);
}

static void drop(void)
{
    log_queue.dropped++;
    log_queue.dropped_ever++;
}

bool log_append(struct buffer *out, const struct record *record)
{
    struct log_head head = { .origin = record->origin };
    size_t before = out->size;
    if (buffer_append(out, &head, sizeof head) || record_encode(record, out)) {
        out->size = before;
        return false;
    }
    head.size = (uint32_t)(out->size - before - sizeof head);
    memcpy(out->data + before, &head, sizeof head);
    return true;
}

/* Under the lock. */
static void enqueue(const struct record *record)
{
    log_queue.put_ever++;
    size_t about = record->message.size + record->fields.size + record->source.size + 64;
    if (log_queue.filling.size + about > log_queue.queue_bytes || !log_append(&log_queue.filling, record)) {
        drop();
        return;
    }
    log_queue.put++;
    ring();
}

void log_put(const struct record *record)
{
    pthread_mutex_lock(&log_queue.lock);
    enum log_kind kind = log_queue.kind;
    if (kind == LOG_STDERR || kind == LOG_PIPE)
        log_queue.put_ever++;
    else
        enqueue(record);
    pthread_mutex_unlock(&log_queue.lock);
    if (kind == LOG_STDERR)
        log_stderr(record);
    else if (kind == LOG_PIPE)
        log_pipe_put(record);
}

void log_say(int level, const char *format, ...)
{
    char text[4096];
    va_list arguments;
    if (!log_wants(level))
        return;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0)
        return;
    if ((size_t)size >= sizeof text)
        size = sizeof text - 1;
    log_put(&(struct record){ .level = level, .time_us = log_now_us(), .message = { text, (size_t)size } });
}

void log_say_misnomer(void)
{
    const char *name = interrupt_misnomer();
    if (name)
        log_say(RECORD_WARNING, "TROUPE_SIGNAL names no real-time signal: '%s'; signal %d is taken", name, interrupt_signal());
}

/* Takes all there is. Under the lock. */
static void swap(struct buffer *out, uint64_t *dropped)
{
    struct buffer empty = *out;
    *out = log_queue.filling;
    log_queue.filling = empty;
    *dropped = log_queue.dropped;
    log_queue.dropped = 0;
    log_queue.put += *dropped > 0; /* the record that tells */
}

/* Waits for the bell; the lock is held, and given up meanwhile. */
static void await_bell(double until)
{
    eventfd_t rings;
    struct pollfd item = { .fd = log_queue.bell, .events = POLLIN };
    log_queue.asleep = true;
    pthread_mutex_unlock(&log_queue.lock);
    double left = until < 0 ? -1 : until - clock_now();
    poll(&item, 1, until < 0 ? -1 : left < 0 ? 0 : (int)(left * 1000) + 1);
    pthread_mutex_lock(&log_queue.lock);
    log_queue.asleep = false;
    eventfd_read(log_queue.bell, &rings);
}

bool log_queue_swap(struct buffer *out, double until, uint64_t *dropped, bool *ending)
{
    out->size = 0;
    pthread_mutex_lock(&log_queue.lock);
    while (log_queue.filling.size == 0 && !log_queue.ending && (until < 0 || clock_now() < until))
        await_bell(until);
    swap(out, dropped);
    *ending = log_queue.ending;
    pthread_mutex_unlock(&log_queue.lock);
    return out->size > 0;
}

void log_queue_written(uint64_t count)
{
    pthread_mutex_lock(&log_queue.lock);
    log_queue.written += count;
    log_queue.absent = false;
    pthread_cond_broadcast(&log_queue.moved);
    pthread_mutex_unlock(&log_queue.lock);
}

void log_queue_untold(uint64_t dropped)
{
    pthread_mutex_lock(&log_queue.lock);
    log_queue.dropped += dropped;
    pthread_mutex_unlock(&log_queue.lock);
}

/* ---- who speaks, and where to */

uint64_t log_enter(void)
{
    pthread_mutex_lock(&switching);
    clients++;
    pthread_mutex_unlock(&switching);
    return atomic_fetch_add(&vms, 1) + 1;
}

static bool is_sink_absent(void)
{
    pthread_mutex_lock(&log_queue.lock);
    bool absent = log_queue.absent;
    pthread_mutex_unlock(&log_queue.lock);
    return absent;
}

void log_leave(void)
{
    pthread_mutex_lock(&switching);
    if (--clients == 0)
        gave_up = log_flush(ABSENT_SECONDS) != 0 && (is_sink_absent() || log_flush(EXIT_SECONDS) != 0);
    pthread_mutex_unlock(&switching);
}

/* The queue is the new destination's, with what it still holds. */
static void adopt(const struct log_destination *d, int bell)
{
    pthread_mutex_lock(&log_queue.lock);
    log_queue.kind = d->kind;
    log_queue.queue_bytes = d->queue_bytes ? d->queue_bytes : LOG_QUEUE_BYTES;
    log_queue.bell = bell;
    log_queue.asleep = true;
    if (log_queue.filling.size)
        ring();
    pthread_mutex_unlock(&log_queue.lock);
}

/* Standard error is the destination, and gets what is still in the queue. */
static void speak_plainly(void)
{
    struct buffer rest;
    uint64_t dropped;
    size_t at = 0;
    struct record r;
    buffer_init(&rest);
    adopt(&(struct log_destination){ .kind = LOG_STDERR }, -1);
    log_take(-1, &rest, &dropped);
    while (log_next(&rest, &at, &r))
        log_stderr(&r);
    buffer_release(&rest);
    if (dropped)
        log_say(RECORD_WARNING, "%llu records were dropped: the log's queue was full", (unsigned long long)dropped);
}

int log_to(const struct log_destination *d, char *why, size_t why_size)
{
    struct log_writer *next = NULL;
    int rc = 0;
    pthread_once(&once, set_up);
    pthread_mutex_lock(&switching);
    if (d->kind == LOG_FILE || d->kind == LOG_ENDPOINT)
        rc = log_writer_open(&next, d, why, why_size);
    if (rc == 0) {
        log_writer_end(&writer, SWITCH_SECONDS);
        gave_up = false;
        if (d->kind == LOG_STDERR) {
            log_stderr_as(d->json);
            speak_plainly();
        } else {
            adopt(d, next ? log_writer_bell(next) : d->bell);
        }
        if (next)
            rc = log_writer_start(next);
        writer = next;
    }
    if (rc && next) { /* no thread could be had */
        snprintf(why, why_size, "%s", troupe_strerror(rc));
        log_writer_end(&writer, 0);
        speak_plainly();
    }
    pthread_mutex_unlock(&switching);
    return rc;
}

int log_to_program(int pipe)
{
    char why[200];
    log_pipe_open(pipe);
    return log_to(&(struct log_destination){ .kind = LOG_PIPE, .bell = -1 }, why, sizeof why);
}

bool log_is_plain(void)
{
    pthread_mutex_lock(&log_queue.lock);
    bool plain = log_queue.kind == LOG_STDERR;
    pthread_mutex_unlock(&log_queue.lock);
    return plain && !log_stderr_is_json();
}

void log_count(struct log_counts *out)
{
    pthread_mutex_lock(&log_queue.lock);
    *out = (struct log_counts){ log_queue.put_ever, log_queue.dropped_ever, log_queue.put - log_queue.written };
    pthread_mutex_unlock(&log_queue.lock);
}

int log_flush(double timeout)
{
    double until = clock_wall() + (timeout < 0 || timeout > 1e8 ? 1e8 : timeout);
    struct timespec t = { .tv_sec = (time_t)until, .tv_nsec = (long)((until - (double)(time_t)until) * 1e9) };
    int rc = 0;
    pthread_mutex_lock(&log_queue.lock);
    uint64_t all = log_queue.put;
    while (rc == 0 && log_queue.written < all && (log_queue.kind == LOG_FILE || log_queue.kind == LOG_ENDPOINT))
        rc = pthread_cond_timedwait(&log_queue.moved, &log_queue.lock, &t);
    pthread_mutex_unlock(&log_queue.lock);
    return rc ? TROUPE_ETIMEDOUT : 0;
}

bool log_take(int bell, struct buffer *out, uint64_t *dropped)
{
    out->size = 0;
    *dropped = 0;
    pthread_mutex_lock(&log_queue.lock);
    if (log_queue.bell == bell && (log_queue.kind == LOG_FUNCTION || log_queue.kind == LOG_STDERR)) {
        swap(out, dropped);
        log_queue.asleep = true;
        log_queue.written = log_queue.put;
    }
    pthread_mutex_unlock(&log_queue.lock);
    return out->size > 0 || *dropped > 0;
}

bool log_next(const struct buffer *taken, size_t *at, struct record *out)
{
    struct log_head head;
    if (*at + sizeof head > taken->size)
        return false;
    memcpy(&head, taken->data + *at, sizeof head);
    const unsigned char *from = taken->data + *at + sizeof head;
    struct unpack bytes = { from, from + head.size };
    *at += sizeof head + head.size;
    *out = (struct record){ .origin = head.origin };
    return record_decode(&bytes, out);
}

void log_function_gone(int bell)
{
    pthread_mutex_lock(&switching);
    pthread_mutex_lock(&log_queue.lock);
    bool is_his = log_queue.kind == LOG_FUNCTION && log_queue.bell == bell;
    pthread_mutex_unlock(&log_queue.lock);
    if (is_his)
        speak_plainly();
    pthread_mutex_unlock(&switching);
}
