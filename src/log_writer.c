/* log_writer.c - the thread between the log's queue and a file or an endpoint.
 *
 *     opened -> serving [log_writer_start]   serving -> ended [log_writer_end]
 *
 *  1. it takes all that is in the queue at once: batches make themselves while it is busy;
 *  2. what is taken is handed on in order, whole records only, or counted as lost when its time is up at the end;
 *  3. what the destination is not ready for stays with it: the queue fills up behind, and whoever speaks goes on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <errno.h>
#include <unistd.h>

#include "clock.h"
#include "log_inner.h"
#include "outlet.h"
#include "thread.h"
#include "troupe.h"
#include "wire.h"

enum { FRAME_BYTES = 64 << 10, KEPT_BYTES = 1 << 20, MARK = 16 };

static const double TRY_AGAIN = 1, ABSENT = 1, JOIN_LATE = 1;

struct log_writer {
    enum log_kind kind;
    char *place;
    int bell;
    struct thread *thread;
    struct buffer batch;  /* taken, as it was in the queue */
    struct buffer frame;  /* what is sent or written of it */
    struct outlet *outlet;
    struct record_printer printer;
    struct wire *wire;
    uint64_t lost;
    bool recovered;       /* `news` is to be logged where it happened */
    char news[1024];
};

/* When to give up; negative: not yet told to end. What for: a sink that is there gets more time than one that is not. */
static double end_by(bool is_there)
{
    pthread_mutex_lock(&log_queue.lock);
    log_queue.absent = !is_there;
    double by = !log_queue.ending ? -1 : is_there ? log_queue.end_by : log_queue.absent_by;
    pthread_mutex_unlock(&log_queue.lock);
    return by;
}

static void complain(const char *text)
{
    log_stderr(&(struct record){ .level = RECORD_ERROR, .time_us = log_now_us(), .message = { text, strlen(text) } });
}

static void file_trouble(void *context, const char *text, bool is_over)
{
    struct log_writer *self = context;
    complain(text);
    self->recovered = is_over;
    snprintf(self->news, sizeof self->news, "%s", text);
}

/* ---- a file */

static void print(struct log_writer *self, struct record *r, double now)
{
    char name[LOG_PROCESS_BYTES];
    r->process = log_process_of(r, name);
    self->frame.size = 0;
    if (record_print(&self->printer, r, &self->frame) == 0)
        outlet_put(self->outlet, self->frame.data, self->frame.size, now);
    else
        self->lost++;
}

/* True when nothing need be tried again. */
static bool write_batch(struct log_writer *self, uint64_t *count)
{
    struct record r;
    double now = clock_wall();
    for (size_t at = 0; log_next(&self->batch, &at, &r); ++*count)
        print(self, &r, now);
    bool done = outlet_flush(self->outlet, now);
    if (done && self->recovered) {
        self->recovered = false;
        r = (struct record){ .level = RECORD_ERROR, .time_us = log_now_us(), .message = { self->news, strlen(self->news) } };
        print(self, &r, now);
        outlet_flush(self->outlet, now);
    }
    return done;
}

/* ---- an endpoint */

/* Sends the frame, waiting as long as it takes; false when the end came first. */
static bool send_frame(struct log_writer *self)
{
    int rc;
    while ((rc = wire_send(self->wire, self->frame.data, self->frame.size)) == TROUPE_EFULL) {
        double by = end_by(wire_has_peer(self->wire)), left = by < 0 ? -1 : by - clock_now();
        if (by >= 0 && left <= 0)
            return false;
        eventfd_t rings;
        wire_wait(&self->wire, 1, true, by < 0 ? self->bell : -1, left);
        eventfd_read(self->bell, &rings); /* it rang for the queue, or for the end, which is asked about next */
    }
    return rc == 0;
}

static void flush_frame(struct log_writer *self, uint64_t records)
{
    if (records && !send_frame(self))
        self->lost += records;
    log_queue_written(records);
    self->frame.size = 0;
}

/* A frame names one process. */
static void send_batch(struct log_writer *self)
{
    uint64_t records = 0;
    uint32_t origin = 0;
    struct log_head head;
    char name[LOG_AFAR_BYTES];
    self->frame.size = 0;
    for (size_t at = 0; at < self->batch.size; at += sizeof head + head.size) {
        memcpy(&head, self->batch.data + at, sizeof head);
        if (self->frame.size + head.size > FRAME_BYTES || head.origin != origin) {
            flush_frame(self, records);
            records = 0;
        }
        origin = head.origin;
        if ((self->frame.size == 0 && record_frame_begin(log_process_afar(origin, name), &self->frame)) ||
            buffer_append(&self->frame, self->batch.data + at + sizeof head, head.size)) {
            self->lost++;
            log_queue_written(1);
            self->frame.size = 0;
            continue;
        }
        records++;
    }
    flush_frame(self, records);
}

/* ---- both */

/* A record that says how many were dropped, behind those that were not. */
static void add_count(struct log_writer *self, uint64_t dropped)
{
    char text[100];
    if (!dropped)
        return;
    snprintf(text, sizeof text, "%llu records were dropped: the log's queue was full", (unsigned long long)dropped);
    if (!log_append(&self->batch, &(struct record){ .level = RECORD_WARNING, .time_us = log_now_us(), .message = { text, strlen(text) } }))
        log_queue_written(1);
}

static void serve(void *arg)
{
    struct log_writer *self = arg;
    bool ending = false, done = true;
    while (!ending) {
        uint64_t dropped, count = 0;
        if (self->batch.capacity > KEPT_BYTES)
            buffer_release(&self->batch);
        log_queue_swap(&self->batch, done ? -1 : clock_now() + TRY_AGAIN, &dropped, &ending);
        add_count(self, dropped);
        if (self->kind == LOG_ENDPOINT) {
            uint64_t before = self->lost;
            send_batch(self);
            if (dropped && self->lost > before) { /* and with them the record that told, the last one */
                self->lost--;
                log_queue_untold(dropped);
            }
        } else {
            done = write_batch(self, &count);
            log_queue_written(count);
        }
    }
    if (self->kind == LOG_FILE)
        self->lost += outlet_close(&self->outlet, clock_wall());
    if (self->kind == LOG_ENDPOINT) {
        double left = end_by(wire_has_peer(self->wire)) - clock_now();
        wire_close(&self->wire, left < 0 ? 0 : left);
    }
}

static int open_outlet(struct log_writer *self, const struct log_destination *d, char *why, size_t why_size)
{
    struct outlet_options o = { .descriptor = -1, .path = d->place, .rotate_bytes = d->rotate_bytes, .keep = d->keep,
                                .trouble = file_trouble, .context = self };
    self->printer.json = d->json;
    int rc = outlet_open(&self->outlet, &o, clock_wall());
    if (rc)
        snprintf(why, why_size, "%s: %s", d->place, rc == TROUPE_ENOMEM ? troupe_strerror(rc) : strerror(errno));
    return rc;
}

static int open_wire(struct log_writer *self, const struct log_destination *d, char *why, size_t why_size)
{
    struct wire_options o = { .kind = d->publish ? WIRE_PUB : WIRE_PUSH, .bind = d->bind, .endpoint = d->place, .mark = MARK,
                              .public_key = d->public_key, .secret_key = d->secret_key, .server_key = d->server_key };
    int rc = wire_open(&self->wire, &o);
    if (rc)
        snprintf(why, why_size, "%s", wire_why());
    return rc;
}

static void release(struct log_writer *self)
{
    outlet_close(&self->outlet, clock_wall());
    wire_close(&self->wire, 0);
    if (self->bell >= 0)
        close(self->bell);
    buffer_release(&self->batch);
    buffer_release(&self->frame);
    free(self->place);
    free(self);
}

int log_writer_open(struct log_writer **out, const struct log_destination *d, char *why, size_t why_size)
{
    struct log_writer *self = calloc(1, sizeof *self);
    *out = NULL;
    snprintf(why, why_size, "%s", troupe_strerror(TROUPE_ENOMEM));
    if (!self)
        return TROUPE_ENOMEM;
    self->kind = d->kind;
    self->place = strdup(d->place);
    self->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = !self->place ? TROUPE_ENOMEM : self->bell < 0 ? TROUPE_ELIMIT : 0;
    if (rc)
        snprintf(why, why_size, "%s", troupe_strerror(rc));
    else
        rc = d->kind == LOG_FILE ? open_outlet(self, d, why, why_size) : open_wire(self, d, why, why_size);
    if (rc)
        release(self);
    else
        *out = self;
    return rc;
}

int log_writer_bell(const struct log_writer *self)
{
    return self->bell;
}

int log_writer_start(struct log_writer *self)
{
    return thread_start(&self->thread, "troupe log", serve, self);
}

void log_writer_end(struct log_writer **writer, double seconds)
{
    struct log_writer *self = *writer;
    if (!self)
        return;
    *writer = NULL;
    pthread_mutex_lock(&log_queue.lock);
    log_queue.ending = true;
    log_queue.end_by = clock_now() + seconds;
    log_queue.absent_by = clock_now() + (seconds < ABSENT ? seconds : ABSENT);
    eventfd_write(self->bell, 1);
    pthread_mutex_unlock(&log_queue.lock);
    int rc = 0;
    while (self->thread && (rc = thread_join(&self->thread, seconds + JOIN_LATE)) == TROUPE_EINTR)
        ;
    pthread_mutex_lock(&log_queue.lock);
    log_queue.ending = log_queue.absent = false;
    log_queue.written = log_queue.put; /* what it left is the next one's, and waits for nobody who waited for this one */
    pthread_cond_broadcast(&log_queue.moved);
    pthread_mutex_unlock(&log_queue.lock);
    if (self->lost) {
        char text[1200];
        snprintf(text, sizeof text, "%s: %llu records could not be delivered", self->place, (unsigned long long)self->lost);
        complain(text);
    }
    if (rc == 0)
        release(self); /* else it hangs in a system call, and keeps what is its own */
}
