/* mailbox_context.c - one ZeroMQ context for all mailboxes, without io threads: everything here is inproc.
 *
 * It is made for the first user and ended by the last. libzmq aborts when a new context finds no descriptor for its
 * reaper, so that is made sure of before. Any thread may call these.
 */
#include "mailbox_context.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include <zmq.h>

#include "descriptors.h"
#include "troupe.h"

enum { CONTEXT_DESCRIPTORS = 8 };

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

int mailbox_socket_open(void **out, int type, uint16_t box, uint32_t generation)
{
    char name[64];
    int unbounded = 0;
    void *s = zmq_socket(context.zmq, type);
    if (!s)
        return mailbox_zmq_status();
    endpoint(name, box, generation);
    zmq_setsockopt(s, ZMQ_LINGER, &unbounded, sizeof unbounded);
    zmq_setsockopt(s, ZMQ_RCVHWM, &unbounded, sizeof unbounded);
    zmq_setsockopt(s, ZMQ_SNDHWM, &unbounded, sizeof unbounded);
    if (type == ZMQ_PULL ? zmq_bind(s, name) : zmq_connect(s, name)) {
        int rc = mailbox_zmq_status();
        zmq_close(s);
        return rc;
    }
    *out = s;
    return 0;
}
