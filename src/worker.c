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
#include "worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "clock.h"
#include "ear.h"
#include "mailbox.h"
#include "thread.h"
#include "troupe.h"
#include "vm_job.h"

struct worker {
    struct worker_options options;
    struct message *init;
    struct ear *ear;
    uint16_t box;
    struct thread *thread;
    struct vm_jobs *jobs;
    bool stopping;
    char name[16];
    atomic_int holders;

    pthread_mutex_t lock;
    struct vm *vm; /* under lock, when not the worker's own thread */
};

static void let_go(struct worker *self)
{
    if (atomic_fetch_sub(&self->holders, 1) != 1)
        return;
    pthread_mutex_destroy(&self->lock);
    message_destroy(&self->init);
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
    if (!letter)
        letter = message_new(kind);
    if (!letter)
        abort(); /* 200 bytes for the last word: nothing can be told any more */
    struct header *h = message_header(letter);
    h->pool = self->options.pool;
    h->worker = self->options.number;
    h->from = ear_address(self->ear);
    post_to_node(self, &letter, kind);
}

static void run(struct worker *self, struct message **letter)
{
    double start = clock_now();
    vm_jobs_run(self->jobs, letter);
    if (*letter) {
        message_header(*letter)->u.seconds = clock_now() - start;
        post_to_node(self, letter, MAIL_DONE);
    }
}

static void resume_woken(void *owner)
{
    struct worker *self = owner;
    struct vm_job *job;
    while ((job = vm_jobs_next_woken(self->jobs))) {
        struct message *letter;
        vm_jobs_resume(self->jobs, job, &letter);
        if (letter) {
            message_header(letter)->u.seconds = 0; /* mostly waiting: says nothing about the next */
            post_to_node(self, &letter, MAIL_DONE);
        }
    }
}

static void handle(void *owner, struct message **letter, void *context)
{
    struct worker *self = owner;
    (void)context;
    switch (message_header(*letter)->kind) {
    case MAIL_RUN:
        run(self, letter);
        break;
    case MAIL_CODE:
        vm_jobs_learn(self->jobs, message_header(*letter)->code, message_body(*letter), message_body_size(*letter));
        break;
    case MAIL_STOP:
        self->stopping = true;
        break;
    default:
        break;
    }
}

static void publish_vm(struct worker *self, struct vm *vm)
{
    pthread_mutex_lock(&self->lock);
    self->vm = vm;
    pthread_mutex_unlock(&self->lock);
}

/* The vm with its jobs, its ear and its init; the error outcome in *letter when one of them fails. */
static int come_up(struct worker *self, struct vm **vm, struct message **letter)
{
    int rc = vm_new(vm, &self->options.vm);
    if (rc == 0)
        rc = vm_jobs_new(&self->jobs, *vm);
    if (rc == 0)
        rc = vm_jobs_attach(self->jobs, self->options.attach, self->ear);
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

static void worker_main(void *arg)
{
    struct worker *self = arg;
    struct message *error = NULL;
    struct vm *vm = NULL;
    bool failed = come_up(self, &vm, &error) != 0;
    if (!failed) {
        tell(self, MAIL_UP, NULL);
        while (!self->stopping)
            ear_turn(self->ear, -1, true, vm_state(vm));
    }
    publish_vm(self, NULL);
    vm_jobs_destroy(&self->jobs);
    vm_destroy(&vm);
    if (failed && !error && (error = message_new(MAIL_DOWN)))
        vm_job_fail_plainly(error, "the worker's vm could not be opened: not enough memory");
    tell(self, MAIL_DOWN, error);
    ear_close(&self->ear);
    message_release_cache();
    let_go(self);
}

int worker_start(struct worker **out, const struct worker_options *options)
{
    struct worker *self = calloc(1, sizeof *self);
    int rc = TROUPE_ENOMEM;
    if (!self)
        return rc;
    self->options = *options;
    strncpy(self->name, options->name, sizeof self->name - 1);
    atomic_init(&self->holders, 2);
    pthread_mutex_init(&self->lock, NULL);
    if (options->init && !(self->init = message_copy(options->init)))
        goto fail;
    rc = ear_open(&self->ear, handle, self);
    if (rc)
        goto fail;
    ear_after_each(self->ear, resume_woken);
    mailbox_set_single(ear_mailbox(self->ear));
    self->box = mailbox_box(ear_mailbox(self->ear));
    rc = thread_start(&self->thread, self->name, worker_main, self);
    if (rc)
        goto fail;
    *out = self;
    return 0;
fail:
    ear_close(&self->ear);
    atomic_store(&self->holders, 1);
    let_go(self);
    return rc;
}

uint16_t worker_box(const struct worker *self)
{
    return self->box;
}

void worker_interrupt(struct worker *self, uint64_t job)
{
    pthread_mutex_lock(&self->lock);
    if (self->vm)
        vm_interrupt(self->vm, VM_INTERRUPT_ALWAYS, job);
    pthread_mutex_unlock(&self->lock);
}

int worker_join(struct worker **worker, double timeout)
{
    int rc = thread_join(&(*worker)->thread, timeout);
    if (rc == 0) {
        let_go(*worker);
        *worker = NULL;
    }
    return rc;
}

void worker_abandon(struct worker **worker)
{
    thread_detach(&(*worker)->thread);
    let_go(*worker);
    *worker = NULL;
}
