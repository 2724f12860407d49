/* mailbox_context.c - one ZeroMQ context for all mailboxes, without io threads: everything here is inproc.
 *
 * It is made for the first user and ended by the last. libzmq aborts when a new context finds no descriptor for its
 * reaper, so that is made sure of before. Any thread may call these.
 */
#include "mailbox_context.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include <zmq.h>

#include "descriptors.h"
#include "troupe.h"

enum { CONTEXT_DESCRIPTORS = 8, REAPING_MS = 1000 };

static struct {
    pthread_mutex_t lock;
    void *zmq;
    int users;
} context = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool is_forked;
static pthread_once_t watch_once = PTHREAD_ONCE_INIT;

static void in_forked_child(void)
{
    is_forked = true;
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, in_forked_child);
}

bool mailbox_is_forked(void)
{
    return is_forked;
}

static void *context_new(void)
{
    void *zmq = descriptors_left(CONTEXT_DESCRIPTORS) ? zmq_ctx_new() : NULL;
    if (!zmq)
        return NULL;
    int most = zmq_ctx_get(zmq, ZMQ_SOCKET_LIMIT);
    zmq_ctx_set(zmq, ZMQ_MAX_SOCKETS, most > 0 ? most : 65535);
    zmq_ctx_set(zmq, ZMQ_IO_THREADS, 0);
    zmq_ctx_set(zmq, ZMQ_BLOCKY, 0);
    return zmq; /* its first socket, soon to be opened, makes it start its reaper */
}

bool mailbox_context_enter(void)
{
    pthread_once(&watch_once, watch_forks);
    if (is_forked)
        return false;
    pthread_mutex_lock(&context.lock);
    if (!context.zmq)
        context.zmq = context_new();
    bool there = context.zmq != NULL;
    if (there)
        context.users++;
    pthread_mutex_unlock(&context.lock);
    return there;
}

void mailbox_context_leave(void)
{
    pthread_mutex_lock(&context.lock);
    if (--context.users == 0) {
        zmq_ctx_term(context.zmq);
        context.zmq = NULL;
    }
    pthread_mutex_unlock(&context.lock);
}

int mailbox_zmq_status(void)
{
    int e = zmq_errno();
    return e == ENOMEM ? TROUPE_ENOMEM : e == EINTR ? TROUPE_EINTR : TROUPE_ELIMIT;
}

static void endpoint(char out[64], uint16_t box, uint32_t generation)
{
    snprintf(out, 64, "inproc://troupe/%u/%u", (unsigned)box, (unsigned)generation);
}

/* A socket that was closed keeps its descriptor until libzmq's reaper, a thread, has come to it: on a busy machine later than
 * the next one is opened. So where none is left, those are awaited, for a second at most, once. */
static atomic_bool is_reaping;

static void *socket_new(int type)
{
    static const struct timespec pause = { .tv_nsec = 1000000 };
    void *s = zmq_socket(context.zmq, type);
    for (int ms = 0; !s && zmq_errno() == EMFILE && ms < REAPING_MS && atomic_load(&is_reaping); ms++) {
        nanosleep(&pause, NULL);
        s = zmq_socket(context.zmq, type);
    }
    if (!s)
        atomic_store(&is_reaping, false);
    return s;
}

void mailbox_socket_close(void *socket)
{
    atomic_store(&is_reaping, true);
    zmq_close(socket);
}

int mailbox_socket_open(void **out, int type, uint16_t box, uint32_t generation)
{
    char name[64];
    int unbounded = 0;
    void *s = socket_new(type);
    if (!s)
        return mailbox_zmq_status();
    endpoint(name, box, generation);
    zmq_setsockopt(s, ZMQ_LINGER, &unbounded, sizeof unbounded);
    zmq_setsockopt(s, ZMQ_RCVHWM, &unbounded, sizeof unbounded);
    zmq_setsockopt(s, ZMQ_SNDHWM, &unbounded, sizeof unbounded);
    if (type == ZMQ_PULL ? zmq_bind(s, name) : zmq_connect(s, name)) {
        int rc = mailbox_zmq_status();
        mailbox_socket_close(s);
        return rc;
    }
    *out = s;
    return 0;
}
