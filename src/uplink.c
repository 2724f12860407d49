/* uplink.c - a worker process's end of the way to its program.
 *
 *     started --hello, MAIL_HOUSE--> a house --the worker's MAIL_DOWN, sent on--> over
 *     any --the socket ends: the program is gone--> over, at once
 *
 * The process's first thread is the uplink, in the place that the node's thread has in a program: its box gets what the
 * worker, and other vms here, say to the node and to other houses; it passes letters to them from there. The worker is the
 * same as in a thread (worker.c).
 *
 * Invariants:
 *  1. what has been passed to the worker lies in its tray until it begins it: so it can be given back from here as it can
 *     by the node in one process;
 *  2. all of the struct is for whoever holds `work`: this thread, which lets go of it only to rest, or in `relay` the worker's, which
 *     then sends an outcome itself: only when nothing is left to be sent that came before, and never the last letter. `answered`,
 *     `granted` are the worker's and this thread's, one after the other;
 *  3. the process never outlives its program: the end of the socket ends it, and the kernel does when this thread is stuck.
 */
#include "uplink.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "bridge.h"
#include "clock.h"
#include "frames.h"
#include "latch.h"
#include "log.h"
#include "mailbox.h"
#include "mailbox_route.h"
#include "meter.h"
#include "pack.h"
#include "process.h"
#include "tray.h"
#include "troupe.h"
#include "uplink_order.h"
#include "vm_job.h"
#include "worker.h"

enum { LETTERS_A_TURN = 256, RELAYED = 4 };

static const double hello_seconds = 60;
static const double LEAST_NAP = 0.01; /* seconds between two looks at the meter */
static const double SAY_AGAIN = 1;

struct uplink {
    pthread_mutex_t work;
    struct frames *frames;
    struct mailbox *mailbox;
    struct worker *worker;
    uint16_t house, box; /* box: the worker's */
    uint32_t pool, tag;  /* of its letters */
    uint64_t broken;     /* the job that was last broken into */
    size_t memory;       /* as it was last told */
    struct latch answered; /* open: the worker's claim has its answer, `granted` */
    bool granted;
    double cpu_limit;    /* seconds of processor time for each job; 0: none */
    uint32_t jobs;       /* with a limit: passed to the worker and not come back */
    uint64_t spent;      /* the job that was last said to have taken too much */
    double spent_again;  /* when that may be said once more */
    bool over;
};

/* Gives back what the worker has not begun, or only the job. True when there was something. */
static bool give_back(struct uplink *self, uint64_t id)
{
    struct message *list = mailbox_recall(self->mailbox, self->box, id ? message_is_run_of : message_is_run, &id);
    bool some = list != NULL;
    while (list) {
        struct message *m = list;
        list = m->next;
        struct header *h = message_header(m);
        h->kind = MAIL_RETURN;
        self->jobs--;
        h->to = address_make(0, MAILBOX_NODE, 0);
        frames_put(self->frames, &m);
    }
    return some;
}

static void recall(struct uplink *self, struct message **letter)
{
    struct header *h = message_header(*letter);
    if (give_back(self, h->id) || h->id == 0)
        return;
    h->kind = MAIL_KEPT;
    h->to = address_make(0, MAILBOX_NODE, 0);
    frames_put(self->frames, letter);
}

static void look(struct uplink *self, struct message **letter)
{
    struct header *h = message_header(*letter);
    struct message_sight sight = {.job = h->id};
    mailbox_recall(self->mailbox, self->box, message_see_run, &sight);
    h->u.number = !sight.seen;
    h->to = address_make(0, MAILBOX_NODE, 0);
    frames_put(self->frames, letter);
}

static void break_into(struct uplink *self, struct message **letter)
{
    struct header *h = message_header(*letter);
    h->code = worker_target(self->worker);
    h->u.number = h->id && worker_is_stuck(self->worker, h->id);
    if (h->id && h->code == h->id) {
        worker_interrupt(self->worker, h->id);
        self->broken = h->id;
    } else if (h->id == 0) {
        worker_interrupt_job(self->worker);
    }
    h->kind = MAIL_BROKEN;
    frames_put(self->frames, letter);
}

/* On the worker's thread, which has claimed a cleanup and does nothing else before it knows. */
static bool granted(void *uplink)
{
    struct uplink *self = uplink;
    while (latch_wait(&self->answered, -1) != 0)
        ;
    bool yes = self->granted;
    latch_close(&self->answered);
    return yes;
}

static void send_all(struct uplink *self);

/* It may clean up or may not. That it begins is told first: should the process die before, the cleanup is for another. */
static void answer_worker(struct uplink *self, struct message **letter)
{
    struct header *h = message_header(*letter);
    self->granted = h->u.number != 0;
    if (self->granted) {
        h->code = 1;
        frames_put(self->frames, letter);
        send_all(self);
    }
    latch_open(&self->answered);
}

static void to_worker(struct uplink *self, struct message **letter)
{
    struct header *h = message_header(*letter);
    if (h->kind == MAIL_RECALL) {
        recall(self, letter);
        return;
    }
    if (h->kind == MAIL_CLAIM) {
        answer_worker(self, letter);
        return;
    }
    if (h->kind == MAIL_LOOK) {
        look(self, letter);
        return;
    }
    if (h->kind == MAIL_LOST) {
        mailbox_tell_gone(self->mailbox, h->from, h->flags & FLAG_KILLED); /* all vms here, the worker's among them */
        return;
    }
    if (h->kind == MAIL_LEVEL) {
        log_hear_level((int)h->u.number, (unsigned)h->id);
        return;
    }
    if (h->kind == MAIL_BREAK) {
        break_into(self, letter);
        return;
    }
    if ((h->kind == MAIL_HALT || h->kind == MAIL_KILL) && h->id && give_back(self, h->id))
        return;
    if (h->kind == MAIL_RUN && h->id == self->broken)
        worker_calm(self->worker, h->id);
    self->jobs += h->kind == MAIL_RUN;
    h->to = address_make(self->house, self->box, 0);
    mailbox_deliver(self->mailbox, letter);
}

/* Letters to the worker as the node knows it name the bridge's box; the others name whom they are for. */
static void pass_in(struct uplink *self, struct message **letter)
{
    const struct header *h = message_header(*letter);
    if (address_node(h->to) == self->house)
        mailbox_deliver(self->mailbox, letter);
    else
        to_worker(self, letter);
    message_destroy(letter);
}

/* A letter whose body there was no memory for: a job ends with that. */
static void pass_cut(struct uplink *self, struct message **letter)
{
    bool job = message_header(*letter)->kind == MAIL_RUN;
    log_say(RECORD_ERROR, "a large letter of kind %d to a worker process is lost: not enough memory", message_header(*letter)->kind);
    if (!message_lose_body(*letter))
        message_destroy(letter);
    else if (job)
        frames_put(self->frames, letter);
    else
        pass_in(self, letter);
}

/* The program is gone: nobody is left to tell, and nothing to wait for. */
static void program_is_gone(void)
{
    _exit(1);
}

/* True when there may be more. */
static bool read_letters(struct uplink *self)
{
    struct message *m;
    int rc = frames_fill(self->frames);
    if (rc && rc != TROUPE_ETIMEDOUT && rc != TROUPE_ENOMEM)
        program_is_gone();
    while ((m = frames_take(self->frames)))
        if (frames_was_cut(self->frames))
            pass_cut(self, &m);
        else
            pass_in(self, &m);
    return rc == 0 && !frames_is_drained(self->frames);
}

/* Told before the letter that could make somebody ask. */
static bool tell_memory(struct uplink *self)
{
    size_t memory = worker_memory(self->worker);
    struct message *m = memory != self->memory ? message_new(MAIL_MEMORY) : NULL;
    if (m) { /* else with the next */
        message_header(m)->u.number = (int64_t)memory;
        self->memory = memory;
        frames_put(self->frames, &m);
    }
    return true;
}

static void put_letter(struct uplink *self, struct message **letter, bool *told)
{
    enum message_kind kind = message_header(*letter)->kind;
    self->over |= kind == MAIL_DOWN;
    self->jobs -= kind == MAIL_DONE || kind == MAIL_REFUSE;
    if (!*told && (kind == MAIL_UP || kind == MAIL_DONE))
        *told = tell_memory(self);
    frames_put(self->frames, letter);
}

/* How many there were. */
static int write_letters(struct uplink *self)
{
    int count = 0;
    bool told = !self->worker; /* once a batch is enough */
    struct message *m;
    while (count < LETTERS_A_TURN && (m = mailbox_take(self->mailbox))) {
        put_letter(self, &m, &told);
        count++;
    }
    return count;
}

static bool is_relayed(const struct message *m)
{
    return message_header(m)->kind != MAIL_DOWN;
}

/* For mailbox_set_relay. What the socket does not take at once is left to the uplink. */
static bool relay(void *owner, struct tray *tray)
{
    struct uplink *self = owner;
    bool told = false;
    if (pthread_mutex_trylock(&self->work))
        return false;
    bool free_way = frames_has_sent(self->frames) && !mailbox_holds_letters(self->mailbox);
    struct message *list = free_way ? tray_take_few(tray, RELAYED, is_relayed) : NULL;
    bool some = list != NULL;
    while (list) {
        struct message *m = list;
        list = m->next;
        put_letter(self, &m, &told);
    }
    bool sent = some && frames_flush(self->frames) == 0;
    pthread_mutex_unlock(&self->work);
    return sent;
}

/* While the program does not read, letters wait here, and the worker's with it; what the program says is heard. */
static void send_all(struct uplink *self)
{
    int rc;
    while ((rc = frames_flush(self->frames)) == TROUPE_EFULL) {
        bool starved = frames_is_starved(self->frames); /* what cannot be read would end every sleep at once */
        struct pollfd p = { .fd = frames_descriptor(self->frames), .events = starved ? POLLOUT : POLLIN | POLLOUT };
        poll(&p, 1, starved ? (int)(LEAST_NAP * 1e3) : -1);
        if (starved || p.revents & ~POLLOUT)
            read_letters(self);
    }
    if (rc)
        program_is_gone();
}

/* The job that runs has taken more than it may. Said again from time to time: the node may have had no memory for it. */
static void tell_spent(struct uplink *self, uint64_t job, double now)
{
    struct message *m = job != self->spent || now >= self->spent_again ? message_new(MAIL_SPENT) : NULL;
    if (!m)
        return;
    self->spent = job;
    self->spent_again = now + SAY_AGAIN;
    struct header *h = message_header(m);
    h->id = job;
    h->pool = self->pool;
    h->worker = self->tag;
    h->to = address_make(0, MAILBOX_NODE, 0);
    frames_put(self->frames, &m);
    send_all(self);
}

/* Seconds until the worker's jobs may have taken more than they may; -1: it has none. A thread takes no more processor time
 * than passes on the clock, so looking again then is soon enough. */
static double look_at_meter(struct uplink *self)
{
    uint64_t job;
    if (!(self->cpu_limit > 0))
        return -1;
    if (self->jobs == 0) {
        meter_forget(worker_meter(self->worker));
        self->spent = 0;
        return -1;
    }
    double left = meter_look(worker_meter(self->worker), &job);
    if (job && left <= 0)
        tell_spent(self, job, clock_now());
    return left > LEAST_NAP ? left : LEAST_NAP;
}

static void rest(struct uplink *self, double seconds, bool starved)
{
    pthread_mutex_unlock(&self->work);
    mailbox_wait(self->mailbox, seconds, false, starved ? -1 : frames_descriptor(self->frames));
    pthread_mutex_lock(&self->work);
}

static void live(struct uplink *self)
{
    while (!self->over) {
        bool more = read_letters(self);
        more |= write_letters(self) == LETTERS_A_TURN;
        send_all(self);
        double seconds = look_at_meter(self);
        bool starved = frames_is_starved(self->frames);
        if (starved && (seconds < 0 || seconds > LEAST_NAP))
            seconds = LEAST_NAP;
        if (!more && !self->over && !mailbox_deliver_late(self->mailbox))
            rest(self, seconds, starved);
    }
}

static void serve(struct uplink *self)
{
    bool metered = self->cpu_limit > 0; /* then the uplink looks at the meter whenever a job ends */
    pthread_mutex_init(&self->work, NULL);
    mailbox_set_relay(self->mailbox, metered ? NULL : relay, self);
    pthread_mutex_lock(&self->work);
    live(self);
    pthread_mutex_unlock(&self->work);
    mailbox_set_relay(self->mailbox, NULL, NULL);
    pthread_mutex_destroy(&self->work);
    worker_join(&self->worker, -1);
    while (write_letters(self) > 0)
        ;
    send_all(self);
}

/* The last word of a process that cannot be a worker. */
static int give_up(struct uplink *self, const char *why)
{
    struct message *m = message_new(MAIL_DOWN);
    if (m) {
        message_header(m)->flags = FLAG_ERROR;
        pack_string(&m->bytes, why);
        pack_nil(&m->bytes);
        frames_put(self->frames, &m);
        send_all(self);
    }
    return EXIT_FAILURE;
}

/* The first letter; NULL: the program is gone, or is of another version. */
static struct message *first_letter(struct uplink *self)
{
    char version[64];
    struct message *m = NULL;
    if (frames_say_hello(self->frames) || frames_hear_hello(self->frames, hello_seconds, version, sizeof version))
        return NULL;
    while (!(m = frames_take(self->frames))) {
        bool starved = frames_is_starved(self->frames);
        struct pollfd p = { .fd = frames_descriptor(self->frames), .events = starved ? 0 : POLLIN };
        poll(&p, 1, starved ? (int)(LEAST_NAP * 1e3) : -1);
        int rc = frames_fill(self->frames);
        if (rc && rc != TROUPE_ETIMEDOUT && rc != TROUPE_ENOMEM)
            return NULL;
    }
    return m;
}

static int be_worker(struct uplink *self, const struct message *m, const struct worker_hooks *hooks)
{
    struct bridge_order order;
    struct process_limits limits;
    struct worker_options options = { .vm = { .open = hooks->open }, .hooks = hooks, .granted = granted, .uplink = self };
    struct message *init = NULL;
    char why[300];
    int rc = uplink_read_order(m, &order, &options, &limits, &init);
    if (rc == 0 && process_confine(&limits, why, sizeof why)) {
        message_destroy(&init);
        return give_up(self, why);
    }
    if (rc == 0)
        rc = mailbox_open(&self->mailbox, MAILBOX_ANY);
    if (rc == 0) {
        self->house = (uint16_t)order.house;
        self->pool = order.pool;
        self->tag = order.tag;
        self->cpu_limit = order.cpu_limit;
        mailbox_be_house(self->house, mailbox_box(self->mailbox));
        vm_jobs_leave_process();
        log_set_level_here(order.log_level);
        rc = worker_start(&self->worker, &options, self->mailbox);
    }
    message_destroy(&init);
    if (rc)
        return give_up(self, troupe_strerror(rc));
    self->box = worker_box(self->worker);
    serve(self);
    return EXIT_SUCCESS;
}

int uplink_run(const struct worker_hooks *hooks)
{
    struct uplink self = { 0 };
    latch_close(&self.answered);
    process_close_others();
    log_to_program(PROCESS_LOG);
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* whole lines are passed on, as they come */
    self.frames = frames_new(PROCESS_HANDOVER);
    struct message *m = self.frames ? first_letter(&self) : NULL;
    int status = EXIT_FAILURE;
    if (m && frames_was_cut(self.frames))
        give_up(&self, troupe_strerror(TROUPE_ENOMEM));
    else if (m && !uplink_is_order(m))
        give_up(&self, "the first letter to a worker process is no order");
    else if (m)
        status = be_worker(&self, m, hooks);
    message_destroy(&m);
    mailbox_close(&self.mailbox);
    frames_destroy(&self.frames);
    return status;
}
