/* worker.c - a vm's loop: letters in, jobs run, outcomes out.
 *
 *     starting --vm and init are ready, MAIL_UP--> up --MAIL_STOP--> stopping --> down (MAIL_DOWN)
 *     starting --they are not--> down (MAIL_DOWN, FLAG_ERROR)
 *
 * Entered by the worker's own thread in worker_main and all it calls; by the node's in the public functions.
 *
 * Invariants:
 *  1. MAIL_DOWN is the last letter, sent when the vm is closed;
 *  2. `vm` is not NULL exactly while interrupting is safe: it is set and cleared under `lock`;
 *  3. the struct is freed by the second of the two that let go of it: thread, and joiner or abandoner.
 */
#include "worker_inner.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "bridge.h"
#include "claims.h"
#include "clock.h"
#include "ear.h"
#include "loop.h"
#include "mailbox.h"
#include "meter.h"
#include "thread.h"
#include "troupe.h"
#include "vm_job.h"
#include "vm_run.h"
#include "vm_stream.h"
#include "vm_task.h"

static void let_go(struct worker *self)
{
    if (atomic_fetch_sub(&self->holders, 1) != 1)
        return;
    pthread_mutex_destroy(&self->lock);
    meter_release(&self->meter);
    message_destroy(&self->init);
    for (int i = 0; i < 2; i++)
        message_destroy(&self->words[i]);
    claims_release(&self->options.claims);
    free(self);
}

static int post_to_node(struct worker *self, struct message **letter, enum message_kind kind)
{
    struct header *h = message_header(*letter);
    h->kind = (uint8_t)kind;
    h->to = address_make(0, MAILBOX_NODE, 0);
    int rc = mailbox_post(ear_mailbox(self->ear), letter);
    if (rc)
        self->stopping = true; /* the node is gone */
    message_destroy(letter);
    return rc;
}

/* MAIL_UP and MAIL_DOWN are told apart from others by who sent them. */
static void tell(struct worker *self, enum message_kind kind, struct message *letter)
{
    struct message **word = &self->words[kind == MAIL_DOWN];
    if (!letter) {
        letter = *word;
        *word = NULL;
    }
    struct header *h = message_header(letter);
    h->pool = self->options.pool;
    h->worker = self->options.tag;
    h->from = ear_address(self->ear);
    post_to_node(self, &letter, kind);
}

/* In a worker process, who has nothing more to do sends the outcome to the program itself: the uplink need not wake. */
static void allow_relay(struct worker *self)
{
    if (!self->options.uplink)
        return;
    bool busy = vm_tasks_ready(loop_tasks(self->loop)) || mailbox_has_letters(ear_mailbox(self->ear));
    mailbox_allow_relays(ear_mailbox(self->ear), busy ? 0 : 1);
}

/* A job's outcome: its letter goes back, with the seconds its run took. */
static void post_outcome(void *owner, struct message **letter)
{
    struct worker *self = owner;
    struct header *h = message_header(*letter);
    h->u.seconds = clock_now() - h->u.seconds;
    if (self->vm) {
        atomic_store_explicit(&self->memory, vm_memory(self->vm), memory_order_relaxed);
        allow_relay(self);
    }
    post_to_node(self, letter, MAIL_DONE);
}

/* Sends a letter about a job that has begun. */
static void say(void *owner, const struct message *run, struct message **letter, enum message_kind kind)
{
    const struct header *of = message_header(run);
    struct header *h = message_header(*letter);
    h->pool = of->pool;
    h->id = of->id;
    h->worker = of->worker;
    post_to_node(owner, letter, kind);
}

/* Says something of a job; false when memory is out. */
static bool tell_of(struct worker *self, const struct message *letter, enum message_kind kind)
{
    struct message *m = message_new(kind);
    if (!m)
        return false;
    say(self, letter, &m, kind);
    return true;
}

static void post_parked(void *owner, const struct message *letter)
{
    tell_of(owner, letter, MAIL_PARKED); /* if not, the worker looks busy until the job ends */
}

static bool claim(void *owner, uint64_t job, uint32_t run)
{
    struct worker *self = owner;
    if (self->options.claims)
        return claims_take(self->options.claims, job, run);
    struct message *m = message_new(MAIL_CLAIM); /* the claims are in the program: it is asked */
    if (!m)
        return false;
    message_header(m)->id = job;
    message_header(m)->u.number = run;
    return post_to_node(self, &m, MAIL_CLAIM) == 0 && self->options.granted(self->options.uplink);
}

static const struct vm_job_hooks job_hooks = {.outcome = post_outcome, .parked = post_parked, .claim = claim, .say = say};

static void run(struct worker *self, struct message **letter)
{
    struct header *h = message_header(*letter);
    if (atomic_load(&self->left))
        return;
    h->u.seconds = clock_now();
    if ((h->flags & FLAG_TIMED) && !tell_of(self, *letter, MAIL_BEGUN)) {
        vm_job_fail_plainly(*letter, "not enough memory"); /* rather than run without its timeout */
        post_outcome(self, letter);
        return;
    }
    vm_jobs_run(self->jobs, letter);
}

/* A letter that comes while a job blocks the vm goes back, so that another worker may have it. The node takes that for the
 * job in front of the others, unless that one has waited since, or is no job: then it takes the first that comes for it, and that
 * one is kept. */
static void put_off(struct worker *self, struct message **letter)
{
    const struct vm_run *busy = vm_run_current(loop_tasks(self->loop));
    if ((!busy || busy->parked) && !self->put_off) {
        self->put_off = *letter;
        *letter = NULL;
        return;
    }
    post_to_node(self, letter, MAIL_REFUSE);
}

static void run_put_off(struct worker *self)
{
    struct message *m = self->put_off;
    self->put_off = NULL;
    if (m)
        run(self, &m);
    message_destroy(&m);
}

/* The job shall end. One that was put off has not begun: back it goes. */
static void halt(struct worker *self, uint64_t id, bool kill)
{
    bool known = kill ? vm_jobs_kill(self->jobs, id) : vm_jobs_halt(self->jobs, id);
    if (!known && self->put_off && message_header(self->put_off)->id == id)
        post_to_node(self, &self->put_off, MAIL_REFUSE);
}

/* For the job that was put off, if it is for that. */
static void note_window(struct worker *self, const struct message *letter)
{
    const struct header *h = message_header(letter);
    struct header *off = self->put_off ? message_header(self->put_off) : NULL;
    if (!off || (h->id && h->id != off->id))
        return;
    off->slot = (uint32_t)h->u.number;
    off->flags |= h->flags & FLAG_DISCARD;
}

static void handle(void *owner, struct message **letter, void *context)
{
    struct worker *self = owner;
    (void)context;
    switch (message_header(*letter)->kind) {
    case MAIL_RUN:
        if (loop_is_blocked(self->loop))
            put_off(self, letter);
        else
            run(self, letter);
        break;
    case MAIL_CODE:
        vm_jobs_learn(self->jobs, message_header(*letter)->code, message_body(*letter), message_body_size(*letter));
        break;
    case MAIL_HALT:
    case MAIL_KILL:
        halt(self, message_header(*letter)->id, message_header(*letter)->kind == MAIL_KILL);
        break;
    case MAIL_WINDOW:
        note_window(self, *letter);
        vm_stream_told(self->jobs, *letter);
        break;
    case MAIL_TAKEN:
    case MAIL_RESUME:
        vm_stream_told(self->jobs, *letter);
        break;
    case MAIL_STOP:
        self->stopping = true;
        break;
    default:
        self->options.hooks->other(letter, context);
        break;
    }
}

static void publish_vm(struct worker *self, struct vm *vm)
{
    pthread_mutex_lock(&self->lock);
    self->vm = vm;
    pthread_mutex_unlock(&self->lock);
}

struct furnishing {
    struct worker *worker;
    struct vm *vm;
};

/* Lua: (furnishing as pointer) the vm's loop and jobs, and the floor above is told of the loop. */
static int furnish(struct lua_State *L, void *context)
{
    const struct furnishing *f = context;
    struct worker *self = f->worker;
    self->loop = loop_new(L, self->ear);
    if (self->loop)
        self->jobs = vm_jobs_new(f->vm, loop_tasks(self->loop), &job_hooks, self);
    if (!self->jobs)
        return TROUPE_ENOMEM;
    if (self->options.cpu_limit > 0)
        vm_tasks_set_meter(loop_tasks(self->loop), &self->meter);
    self->options.hooks->attach(L, self->loop);
    return 0;
}

/* The vm with its jobs, its loop and its init; the error outcome in *letter when the init fails. */
static int come_up(struct worker *self, struct vm **vm, struct message **letter)
{
    int rc = vm_new(vm, &self->options.vm);
    if (rc)
        return rc;
    struct furnishing f = {self, *vm};
    rc = vm_protect(*vm, furnish, &f);
    if (rc)
        return rc;
    publish_vm(self, *vm);
    if (!self->init)
        return 0;
    rc = vm_jobs_call(self->jobs, self->init, self->options.number);
    if (rc) {
        *letter = self->init;
        self->init = NULL;
    }
    return rc;
}

static void serve(struct worker *self)
{
    while (!atomic_load(&self->left) && (!self->stopping || vm_jobs_count(self->jobs) > 0)) {
        run_put_off(self);
        loop_turn(self->loop, -1, true);
    }
}

static void worker_main(void *arg)
{
    struct worker *self = arg;
    struct message *error = NULL;
    struct vm *vm = NULL;
    meter_open(&self->meter);
    bool failed = come_up(self, &vm, &error) != 0;
    if (!failed) {
        pthread_mutex_lock(&self->lock);
        self->up = true;
        if (!atomic_load(&self->left))
            vm_interrupt(vm, VM_INTERRUPT_OFF, 0); /* it was meant for the init */
        pthread_mutex_unlock(&self->lock);
        atomic_store_explicit(&self->memory, vm_memory(vm), memory_order_relaxed);
        tell(self, MAIL_UP, NULL);
        serve(self);
    }
    publish_vm(self, NULL);
    if (self->loop)
        self->options.hooks->leave(vm_state(vm));
    loop_destroy(&self->loop);
    if (vm)
        self->options.hooks->detach(vm_state(vm));
    vm_jobs_destroy(&self->jobs);
    vm_destroy(&vm);
    message_destroy(&self->put_off);
    if (failed && !error)
        vm_job_fail_plainly(self->words[1], "the worker's vm could not be opened: not enough memory");
    meter_close(&self->meter);
    tell(self, MAIL_DOWN, error);
    ear_close(&self->ear);
    message_destroy(&self->words[0]); /* here, when it never came up: into this thread's cache */
    message_release_cache();
    let_go(self);
}

static int start_bridge(struct worker *self, struct mailbox *node)
{
    const struct worker_options *o = &self->options;
    struct bridge_options b = *o->process;
    b.order.pool = o->pool;
    b.order.number = o->number;
    b.order.tag = o->tag;
    b.order.memory_limit = o->vm.memory_limit;
    b.order.cpu_limit = o->cpu_limit;
    b.name = o->name;
    b.path = o->vm.path;
    b.cpath = o->vm.cpath;
    b.libs = o->vm.libs;
    b.init = o->init;
    b.claims = o->claims;
    return bridge_start(&self->bridge, &b, node);
}

/* Both ways are opened before the thread starts: once it runs there is nobody to tell that they cannot be. */
static int open_ways(struct worker *self, struct mailbox *node)
{
    int rc = ear_open(&self->ear, handle, self);
    if (rc)
        return rc;
    struct mailbox *own = ear_mailbox(self->ear);
    mailbox_set_single(own);
    self->box = mailbox_box(own);
    rc = mailbox_reach(own, mailbox_box(node));
    return rc ? rc : mailbox_reach(node, self->box);
}

static bool furnish_words(struct worker *self)
{
    self->words[0] = message_new(MAIL_UP);
    self->words[1] = message_new(MAIL_DOWN);
    return self->words[0] && self->words[1];
}

int worker_start(struct worker **out, const struct worker_options *options, struct mailbox *node)
{
    struct worker *self = calloc(1, sizeof *self);
    int rc = TROUPE_ENOMEM;
    if (!self)
        return rc;
    self->options = *options;
    self->options.claims = options->claims ? claims_hold(options->claims) : NULL;
    strncpy(self->name, options->name, sizeof self->name - 1);
    atomic_init(&self->holders, options->process ? 1 : 2);
    atomic_init(&self->left, false);
    pthread_mutex_init(&self->lock, NULL);
    meter_init(&self->meter, options->cpu_limit);
    if (options->process) {
        rc = start_bridge(self, node);
    } else if (furnish_words(self) && (!options->init || (self->init = message_copy(options->init)))) {
        rc = open_ways(self, node);
        if (rc == 0)
            rc = thread_start(&self->thread, self->name, worker_main, self);
    }
    if (rc == 0) {
        *out = self;
        return 0;
    }
    ear_close(&self->ear);
    atomic_store(&self->holders, 1);
    let_go(self);
    return rc;
}

size_t worker_memory(const struct worker *self)
{
    return self->bridge ? bridge_memory(self->bridge) : atomic_load_explicit(&self->memory, memory_order_relaxed);
}

uint16_t worker_box(const struct worker *self)
{
    return self->bridge ? bridge_box(self->bridge) : self->box;
}

bool worker_recall(struct worker *self, struct mailbox *node, uint64_t job)
{
    if (self->bridge)
        bridge_recall(self->bridge, node, job);
    return self->bridge != NULL;
}

struct meter *worker_meter(struct worker *self)
{
    return &self->meter;
}

bool worker_ask(struct worker *self, struct mailbox *node, uint64_t job)
{
    return self->bridge && bridge_look(self->bridge, node, job);
}

int worker_join(struct worker **worker, double timeout)
{
    struct worker *self = *worker;
    int rc = self->bridge ? bridge_join(&self->bridge, timeout) : thread_join(&self->thread, timeout);
    if (rc == 0) {
        let_go(*worker);
        *worker = NULL;
    }
    return rc;
}

void worker_abandon(struct worker **worker)
{
    if ((*worker)->bridge) {
        bridge_abandon(&(*worker)->bridge);
    } else {
        atomic_store(&(*worker)->left, true);
        worker_interrupt(*worker, 0);
        thread_detach(&(*worker)->thread);
    }
    let_go(*worker);
    *worker = NULL;
}
