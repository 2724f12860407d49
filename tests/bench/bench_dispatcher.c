/* bench_dispatcher.c - what the dispatcher itself costs: a job's whole life at 2 to 1,024 workers, and
 * with a million jobs queued. No worker is real: each reports its jobs done at once.
 *
 * Prints the median of ROUNDS. Costs that must not grow are printed as ratios of the small case in the
 * same run.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "dispatcher.h"

enum { ROUNDS = 5, LIVES = 400000, MILLION = 1000000, BATCH = 64 };

/* Jobs handed out whose end the workers have yet to report, and the clock of the events. */
struct bench {
    struct dispatcher *dispatcher;
    struct action *handed; /* a ring */
    size_t mask;
    size_t first;
    size_t last;
    uint64_t id;
    uint64_t ended;
    double now;
    double ran;
};

/* Of this process alone: what else runs on the machine does not count. */
static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void fail(const char *what)
{
    fprintf(stderr, "bench_dispatcher: %s\n", what);
    exit(1);
}

static void draw_dry(struct bench *self)
{
    struct action action;
    while (dispatcher_next(self->dispatcher, &action)) {
        switch (action.kind) {
        case ACTION_START:
            dispatcher_worker_up(self->dispatcher, action.worker, self->now);
            break;
        case ACTION_RUN:
            self->handed[self->last++ & self->mask] = action;
            break;
        case ACTION_END:
            self->ended++;
            break;
        case ACTION_RECALL:
            dispatcher_recall_done(self->dispatcher, action.worker, self->now);
            break;
        case ACTION_STOP:
        case ACTION_HALT:
        case ACTION_BREAK:
        case ACTION_ABANDON:
        case ACTION_REPORT:
        case ACTION_ASK:
        case ACTION_DRAINED:
            fail("an action out of place");
        }
    }
}

static void submit(struct bench *self, int count)
{
    struct job_spec spec = {.load = self};
    for (int i = 0; i < count; i++) {
        spec.id = ++self->id;
        if (dispatcher_submit(self->dispatcher, &spec, self->now))
            fail("a submit failed");
    }
}

/* The `count` jobs that were handed out first are done. */
static void finish(struct bench *self, size_t count)
{
    for (; count > 0 && self->first != self->last; count--) {
        void *dropped;
        const struct action *run = &self->handed[self->first++ & self->mask];
        if (dispatcher_done(self->dispatcher, run->worker, run->id, true, self->ran, NULL, &dropped,
                            self->now))
            fail("a job was not there");
    }
}

static void begin(struct bench *self, int workers, double ran)
{
    struct dispatcher_options options = {.workers = workers};
    size_t ring = 1;
    while (ring < (size_t)workers * 256)
        ring *= 2;
    *self = (struct bench){.mask = ring - 1, .ran = ran};
    self->handed = malloc(ring * sizeof *self->handed);
    if (!self->handed || dispatcher_new(&self->dispatcher, &options))
        fail("no memory");
}

static void finish_all(struct bench *self)
{
    while (self->ended < self->id) {
        finish(self, BATCH);
        self->now += 1e-6;
        draw_dry(self);
    }
}

static void release(struct bench *self)
{
    dispatcher_destroy(&self->dispatcher);
    free(self->handed);
}

/* Nanoseconds of a job's whole life, in batches, with every worker kept busy. */
static double life(int workers, double ran)
{
    struct bench bench;
    /* Long jobs end one at a time; of tiny ones many in one turn of the node. */
    int batch = ran < 1e-4 || workers > BATCH ? BATCH : workers;
    begin(&bench, workers, ran);
    submit(&bench, workers + BATCH);
    draw_dry(&bench);
    double start = seconds();
    uint64_t before = bench.ended;
    while (bench.ended - before < LIVES) {
        submit(&bench, batch);
        draw_dry(&bench);
        finish(&bench, (size_t)batch);
        bench.now += 1e-6;
        draw_dry(&bench);
    }
    double spent = seconds() - start;
    uint64_t lives = bench.ended - before;
    finish_all(&bench);
    release(&bench);
    return spent / (double)lives * 1e9;
}

struct million {
    double first;  /* nanoseconds a submit, of the first tenth */
    double last;   /* of the last tenth */
    double worst;  /* microseconds of the slowest batch of submits */
    double cancel; /* nanoseconds, in the middle of the queue */
    double life;   /* of running them all */
    double bytes;  /* resident, each */
};

static double resident(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*d %ld", &pages) != 1)
        fail("no /proc/self/statm");
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double submit_tenth(struct bench *self, double *worst)
{
    double start = seconds();
    for (int i = 0; i < MILLION / 10 / 100; i++) {
        double before = seconds();
        submit(self, 100);
        double spent = seconds() - before;
        *worst = spent > *worst ? spent : *worst;
    }
    return (seconds() - start) / (MILLION / 10) * 1e9;
}

static struct million million(void)
{
    struct million out = {0};
    struct bench bench;
    begin(&bench, 2, 1e-6);
    double before = resident();
    out.first = submit_tenth(&bench, &out.worst);
    for (int i = 0; i < 8; i++)
        submit_tenth(&bench, &out.worst);
    out.last = submit_tenth(&bench, &out.worst);
    out.worst *= 1e6;
    out.bytes = (resident() - before) / MILLION;
    double start = seconds();
    for (uint64_t id = MILLION / 2; id < MILLION / 2 + 100000; id++)
        dispatcher_cancel(bench.dispatcher, id, 0);
    out.cancel = (seconds() - start) / 100000 * 1e9;
    start = seconds();
    draw_dry(&bench);
    finish_all(&bench);
    out.life = (seconds() - start) / (MILLION - 100000) * 1e9;
    release(&bench);
    return out;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, ascending);
    return values[ROUNDS / 2];
}

static void row(const char *what, double value, const char *unit, double target)
{
    const char *verdict = value <= target ? "reached" : "missed";
    printf("%-52s %9.2f %-6s target %7.2f  %s\n", what, value, unit, target, verdict);
}

static void rows_of_workers(void)
{
    static const int workers[] = {2, 4, 64, 1024};
    double measured[2][4][ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 4; i++) {
            measured[0][i][round] = life(workers[i], 1e-6);
            measured[1][i][round] = life(workers[i], 1e-2);
        }
    }
    for (int kind = 0; kind < 2; kind++) {
        const char *jobs = kind ? "long jobs, one a worker" : "tiny jobs, in advance";
        double few = 0;
        for (int i = 0; i < 4; i++) {
            char what[80];
            double ns = median(measured[kind][i]);
            snprintf(what, sizeof what, "a job's life, %s, %d workers", jobs, workers[i]);
            row(what, ns, "ns", 100);
            if (workers[i] == 4)
                few = ns;
            if (workers[i] > 4)
                row("  times that with 4 workers", ns / few, "", 1.5);
        }
    }
}

static void rows_of_a_million(void)
{
    double first[ROUNDS], last[ROUNDS], growth[ROUNDS], worst[ROUNDS], cancel[ROUNDS], lives[ROUNDS];
    double bytes = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct million m = million();
        if (round == 0)
            bytes = m.bytes; /* later rounds find memory that was resident before */
        first[round] = m.first;
        last[round] = m.last;
        growth[round] = m.last / m.first;
        worst[round] = m.worst;
        cancel[round] = m.cancel;
        lives[round] = m.life;
    }
    row("submit, the first of a million queued", median(first), "ns", 100);
    row("submit, the last of a million queued", median(last), "ns", 100);
    row("  times that of the first", median(growth), "", 1.5);
    row("slowest batch of 100 submits", median(worst), "us", 5000);
    row("cancel in the middle of a million", median(cancel), "ns", 200);
    row("run and end, from a million queued", median(lives), "ns", 100);
    row("memory of a queued job", bytes, "bytes", 96);
}

int main(void)
{
    rows_of_a_million();
    rows_of_workers();
    return 0;
}
