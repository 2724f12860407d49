/* pool_stats.c - a pool's statistics as an answer: counts, how long jobs waited and ran, each worker. */
#include <string.h>

#include "address.h"
#include "gate.h"
#include "pack.h"
#include "pool_inner.h"

static int pack_count(struct buffer *out, const char *name, uint64_t count)
{
    int rc = pack_string(out, name);
    return rc ? rc : pack_unsigned(out, count);
}

static int pack_seconds(struct buffer *out, const char *name, double seconds)
{
    int rc = pack_string(out, name);
    return rc ? rc : pack_float(out, seconds);
}

static int pack_word(struct buffer *out, const char *name, const char *word)
{
    int rc = pack_string(out, name);
    return rc ? rc : pack_string(out, word);
}

/* A map or an array (by its tag) of any number of elements below 65,536. */
static int pack_many(struct buffer *out, unsigned char tag, unsigned count)
{
    unsigned char head[3] = {tag, (unsigned char)(count >> 8), (unsigned char)count};
    return buffer_append(out, head, sizeof head);
}

static int pack_histogram(struct buffer *out, const char *name, const struct histogram *h)
{
    int rc = pack_string(out, name);
    rc = rc ? rc : pack_map(out, 5);
    rc = rc ? rc : pack_count(out, "count", h->count);
    rc = rc ? rc : pack_seconds(out, "p50", histogram_percentile(h, 50));
    rc = rc ? rc : pack_seconds(out, "p90", histogram_percentile(h, 90));
    rc = rc ? rc : pack_seconds(out, "p99", histogram_percentile(h, 99));
    return rc ? rc : pack_seconds(out, "max", h->max);
}

/* What it runs: the job's id, and its name if it has one. */
static int pack_current(struct buffer *out, const struct ticket *t)
{
    bool named = t->extra && t->extra->name_size > 0;
    int rc = pack_string(out, "job");
    rc = rc ? rc : pack_map(out, named ? 2 : 1);
    rc = rc ? rc : pack_count(out, "id", t->id);
    if (rc || !named)
        return rc;
    rc = pack_string(out, "name");
    return rc ? rc : pack_text(out, t->extra->name, t->extra->name_size, false);
}

static int pack_worker(struct pool *self, int number, const struct dispatcher_worker *w, struct buffer *out)
{
    const struct hand *hand = pool_hand(self, number);
    int rc = pack_map(out, w->current ? 8 : 7);
    rc = rc ? rc : pack_count(out, "worker", (uint64_t)number);
    rc = rc ? rc : pack_word(out, "state", w->state);
    rc = rc ? rc : pack_count(out, "executed", w->executed);
    rc = rc ? rc : pack_count(out, "waiting", (uint64_t)w->waiting);
    rc = rc ? rc : pack_seconds(out, "busy", w->busy);
    rc = rc ? rc : pack_seconds(out, "since", w->since);
    rc = rc ? rc : pack_count(out, "memory", hand && hand->worker ? worker_memory(hand->worker) : 0);
    return rc || !w->current ? rc : pack_current(out, w->current);
}

static int pack_workers(struct pool *self, struct buffer *out)
{
    struct dispatcher_worker w;
    unsigned count = 0;
    for (int i = 1; i <= self->hand_count && count < 0xffff; i++)
        count += dispatcher_look(self->dispatcher, i, &w);
    int rc = pack_string(out, "workers");
    rc = rc ? rc : pack_many(out, 0xdc, count);
    for (int i = 1; i <= self->hand_count && count > 0 && rc == 0; i++) {
        if (!dispatcher_look(self->dispatcher, i, &w))
            continue;
        rc = pack_worker(self, i, &w, out);
        count--;
    }
    return rc;
}

static int pack_stats(struct pool *self, struct buffer *out)
{
    static const struct pool_times none;
    const struct pool_times *times = self->times ? self->times : &none;
    struct dispatcher_counts n;
    dispatcher_count(self->dispatcher, &n);
    const struct {
        const char *name;
        uint64_t count;
    } rows[] = {{"alive", n.workers}, {"busy", n.workers - n.idle}, {"pending", n.pending}, {"delayed", n.delayed + n.asked},
                {"scheduled", n.scheduled}, {"handed", n.handed}, {"done", n.finished}, {"failed", n.failed},
                {"cancelled", n.cancelled}, {"lost", n.lost}, {"retried", n.retried}, {"stopped", n.stopped}, {"unclean", self->unclean}};
    enum { ROWS = sizeof rows / sizeof *rows };
    int rc = pack_many(out, 0xde, ROWS + 4);
    for (int i = 0; i < ROWS && rc == 0; i++)
        rc = pack_count(out, rows[i].name, rows[i].count);
    rc = rc ? rc : pack_word(out, "name", self->worker.name);
    rc = rc ? rc : pack_histogram(out, "queue_wait", &times->waits);
    rc = rc ? rc : pack_histogram(out, "run_time", &times->runs);
    return rc ? rc : pack_workers(self, out);
}

void pool_answer_stats(struct pool *self, struct message **letter, double now)
{
    struct buffer *out = &(*letter)->bytes;
    dispatcher_tick(self->dispatcher, now);
    message_clear_body(*letter);
    if (pack_stats(self, out)) {
        message_clear_body(*letter);
        pack_nil(out);
    }
    pool_answer(self, letter);
}

/* For a handle in another vm: how many workers, and the gate, which is held for it. */
void pool_answer_find(struct pool *self, struct message **letter)
{
    struct buffer *out = &(*letter)->bytes;
    struct gate *gate = address_node(message_header(*letter)->from) ? NULL : self->gate; /* of use in this process alone */
    message_clear_body(*letter);
    int rc = pack_array(out, 4);
    rc = rc ? rc : pack_unsigned(out, (uint64_t)dispatcher_limit(self->dispatcher));
    rc = rc ? rc : pack_unsigned(out, (uint64_t)(uintptr_t)gate);
    rc = rc ? rc : pack_boolean(out, self->worker.process != NULL);
    rc = rc ? rc : pack_boolean(out, self->gate != NULL);
    if (rc || dispatcher_is_closing(self->dispatcher)) {
        message_clear_body(*letter);
        pack_nil(out);
    } else if (gate) {
        gate_hold(gate);
    }
    pool_answer(self, letter);
}

int pool_list(const struct pool *self, struct buffer *out)
{
    int rc = pack_array(out, 2);
    rc = rc ? rc : pack_unsigned(out, self->id);
    return rc ? rc : pack_text(out, self->worker.name, strlen(self->worker.name), false);
}
