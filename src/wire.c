/* wire.c - ZeroMQ to the outside.
 *
 * The wires have a context of their own, with an io thread: the mailboxes' has none, and would keep having none. It is made
 * for the first wire and ended by the last, so that a program without wires has nothing of it.
 *
 *  1. libzmq aborts where it finds no descriptor for its own needs: enough are made sure of before each socket;
 *  2. in a forked child no socket is touched: wires are refused, and not closed;
 *  3. nobody waits in a send: what a full wire refuses stays the caller's;
 *  4. a PUSH that connects to another program takes frames only while that one is there, as its monitor tells: what is sent
 *     while it is not would be lost with the wire, and nobody would know. What was sent and has not left when it goes
 *     away, the wire keeps for its return;
 *  5. a receiver that is told of no peer can take at once all that will come: a peer is counted before its first frame is
 *     taken, and until its last one could be.
 */
#include "wire.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zmq.h>

#include "descriptors.h"
#include "troupe.h"

enum { DESCRIPTORS = 24, ENDPOINT_SIZE = 512, WIRES_MAX = 64, LARGEST_FRAME = 256 << 20, RECONNECT_MS = 50, RECONNECT_MAX_MS = 1000 };

struct wire {
    void *socket;
    bool own_context;
    void *monitor; /* is told of peers; NULL: nobody asks, or nobody could tell */
    bool is_blind; /* it cannot know, and may have some */
    int peers;     /* that were there when the monitor was last read */
    zmq_msg_t frame;
    char endpoint[ENDPOINT_SIZE];
};

static struct {
    pthread_mutex_t lock;
    void *zmq;
    int users;
} context = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool is_forked;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local char why[ENDPOINT_SIZE + 200];

static void in_forked_child(void)
{
    is_forked = true;
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, in_forked_child);
}

const char *wire_why(void)
{
    return why;
}

static int refuse(int status, const char *endpoint, const char *text)
{
    snprintf(why, sizeof why, "%s: %s", endpoint, text);
    return status;
}

static void *enter(void)
{
    pthread_mutex_lock(&context.lock);
    if (!context.zmq) {
        context.zmq = zmq_ctx_new();
        if (context.zmq)
            zmq_ctx_set(context.zmq, ZMQ_BLOCKY, 0);
    }
    if (context.zmq)
        context.users++;
    void *zmq = context.zmq;
    pthread_mutex_unlock(&context.lock);
    return zmq;
}

/* The last one waits for what lingers; a new context may be made meanwhile. */
static void leave(void)
{
    void *last = NULL;
    pthread_mutex_lock(&context.lock);
    if (--context.users == 0) {
        last = context.zmq;
        context.zmq = NULL;
    }
    pthread_mutex_unlock(&context.lock);
    while (last && zmq_ctx_term(last) && zmq_errno() == EINTR)
        ;
}

static void set(void *socket, int option, int value)
{
    zmq_setsockopt(socket, option, &value, sizeof value);
}

static bool is_sender(enum wire_kind kind)
{
    return kind == WIRE_PUSH || kind == WIRE_PUB;
}

static int secure(void *socket, const struct wire_options *o)
{
    if (!o->public_key)
        return 0;
    if (o->server_key)
        zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, o->server_key, strlen(o->server_key) + 1);
    else
        set(socket, ZMQ_CURVE_SERVER, 1);
    if (zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, o->public_key, strlen(o->public_key) + 1) ||
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, o->secret_key, strlen(o->secret_key) + 1))
        return TROUPE_EINVAL;
    return 0;
}

static void furnish(void *socket, const struct wire_options *o)
{
    int64_t largest = LARGEST_FRAME;
    set(socket, ZMQ_SNDHWM, o->mark);
    set(socket, ZMQ_RCVHWM, o->mark);
    set(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS);
    set(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS);
    set(socket, ZMQ_TCP_KEEPALIVE, 1);
    set(socket, ZMQ_IPV6, strchr(o->endpoint, '[') != NULL); /* else "localhost" would mean ::1, where nobody listens */
    zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest);
    if (o->kind == WIRE_SUB)
        zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0);
}

/* What tells of a peer's coming: to who sends when it is ready to take, to who receives as early as can be. */
static int coming(const struct wire_options *o)
{
    return is_sender(o->kind) ? ZMQ_EVENT_HANDSHAKE_SUCCEEDED : o->bind ? ZMQ_EVENT_ACCEPTED : ZMQ_EVENT_CONNECTED;
}

/* Has the peers' coming and going told. A sender that is bound needs it not: without peers it takes nothing. Within the
 * wires themselves libzmq tells nothing; but there, what was sent has come. */
static int watch_peers(struct wire *self, void *zmq, const struct wire_options *o)
{
    static atomic_uint number;
    char name[64];
    bool is_inside = strncmp(o->endpoint, "inproc://", 9) == 0;
    self->is_blind = is_sender(o->kind) && (o->kind != WIRE_PUSH || o->bind || is_inside);
    if (self->is_blind || is_inside)
        return 0;
    snprintf(name, sizeof name, "inproc://troupe-peers-%u", atomic_fetch_add(&number, 1));
    if (zmq_socket_monitor(self->socket, name, coming(o) | ZMQ_EVENT_DISCONNECTED))
        return refuse(TROUPE_ELIMIT, o->endpoint, zmq_strerror(zmq_errno()));
    self->monitor = zmq_socket(zmq, ZMQ_PAIR);
    if (self->monitor)
        set(self->monitor, ZMQ_RCVHWM, 0); /* else who tells would wait for who is told, and all wires with it */
    if (!self->monitor || zmq_connect(self->monitor, name))
        return refuse(TROUPE_ELIMIT, o->endpoint, zmq_strerror(zmq_errno()));
    return 0;
}

/* Reads what has been told meanwhile: two frames each, an event and an address. */
int wire_peers(struct wire *self)
{
    unsigned char event[6];
    char address[ENDPOINT_SIZE];
    while (self->monitor && zmq_recv(self->monitor, event, sizeof event, ZMQ_DONTWAIT) >= 0) {
        uint16_t what;
        memcpy(&what, event, sizeof what);
        if (what != ZMQ_EVENT_DISCONNECTED)
            self->peers++;
        else if (self->peers > 0) /* else it went before it was ready */
            self->peers--;
        zmq_recv(self->monitor, address, sizeof address, ZMQ_DONTWAIT);
    }
    return self->peers;
}

bool wire_has_peer(struct wire *self)
{
    return wire_peers(self) > 0 || self->is_blind;
}

static int attach(struct wire *self, const struct wire_options *o)
{
    size_t size = sizeof self->endpoint;
    if (secure(self->socket, o))
        return refuse(TROUPE_EINVAL, o->endpoint, "the keys are no CURVE keys");
    if (o->bind ? zmq_bind(self->socket, o->endpoint) : zmq_connect(self->socket, o->endpoint))
        return refuse(zmq_errno() == EMFILE ? TROUPE_ELIMIT : TROUPE_EINVAL, o->endpoint, zmq_strerror(zmq_errno()));
    if (!o->bind || zmq_getsockopt(self->socket, ZMQ_LAST_ENDPOINT, self->endpoint, &size))
        snprintf(self->endpoint, sizeof self->endpoint, "%s", o->endpoint);
    return 0;
}

int wire_open(struct wire **out, const struct wire_options *o)
{
    static const int types[] = { ZMQ_PUSH, ZMQ_PUB, ZMQ_PULL, ZMQ_SUB };
    *out = NULL;
    pthread_once(&once, watch_forks);
    if (is_forked)
        return refuse(TROUPE_EINVAL, o->endpoint, "this is a forked child of a program with open sockets");
    if (strlen(o->endpoint) >= ENDPOINT_SIZE)
        return refuse(TROUPE_EINVAL, "the endpoint", "too long");
    if (!descriptors_left(DESCRIPTORS))
        return refuse(TROUPE_ELIMIT, o->endpoint, "not enough descriptors (ulimit -n)");
    struct wire *self = calloc(1, sizeof *self);
    void *zmq = !self ? NULL : o->context ? o->context : enter();
    if (!zmq) {
        free(self);
        return refuse(TROUPE_ENOMEM, o->endpoint, "not enough memory");
    }
    self->own_context = !o->context;
    self->socket = zmq_socket(zmq, types[o->kind]);
    zmq_msg_init(&self->frame);
    int rc = self->socket ? 0 : refuse(TROUPE_ELIMIT, o->endpoint, zmq_strerror(zmq_errno()));
    if (rc == 0) {
        furnish(self->socket, o);
        rc = watch_peers(self, zmq, o);
    }
    if (rc == 0)
        rc = attach(self, o);
    if (rc == 0) {
        *out = self;
        return 0;
    }
    wire_close(&self, 0);
    return rc;
}

const char *wire_endpoint(const struct wire *self)
{
    return self->endpoint;
}

bool wire_is_public(const char *endpoint)
{
    static const char *const local[] = { "ipc://", "inproc://", "tcp://127.", "tcp://localhost:", "tcp://lo:", "tcp://[::1]:", NULL };
    for (int i = 0; local[i]; i++)
        if (strncmp(endpoint, local[i], strlen(local[i])) == 0)
            return false;
    return true;
}

int wire_send(struct wire *self, const void *bytes, size_t size)
{
    if (is_forked)
        return TROUPE_EDEAD;
    if (!wire_has_peer(self))
        return TROUPE_EFULL;
    while (zmq_send(self->socket, bytes, size, ZMQ_DONTWAIT) < 0) {
        if (zmq_errno() != EINTR)
            return zmq_errno() == EAGAIN ? TROUPE_EFULL : TROUPE_EDEAD;
    }
    return 0;
}

bool wire_take(struct wire *self, const void **bytes, size_t *size)
{
    if (is_forked)
        return false;
    while (zmq_msg_recv(&self->frame, self->socket, ZMQ_DONTWAIT) < 0) {
        if (zmq_errno() != EINTR)
            return false;
    }
    *bytes = zmq_msg_data(&self->frame);
    *size = zmq_msg_size(&self->frame);
    return true;
}

/* The sockets to wait for: a sender's peer may have to come first, a receiver's peers come and go meanwhile. */
static int list_items(struct wire *const *wires, int count, bool sending, zmq_pollitem_t *items)
{
    int n = 0;
    for (int i = 0; i < count && i < WIRES_MAX; i++) {
        struct wire *self = wires[i];
        bool peerless = sending && !wire_has_peer(self);
        items[n++] = (zmq_pollitem_t){ .socket = peerless ? self->monitor : self->socket,
                                       .events = sending && !peerless ? ZMQ_POLLOUT : ZMQ_POLLIN };
        if (!sending && self->monitor)
            items[n++] = (zmq_pollitem_t){ .socket = self->monitor, .events = ZMQ_POLLIN };
    }
    return n;
}

int wire_wait(struct wire *const *wires, int count, bool sending, int descriptor, double seconds)
{
    zmq_pollitem_t items[2 * WIRES_MAX + 1];
    int n = list_items(wires, count, sending, items);
    if (descriptor >= 0)
        items[n++] = (zmq_pollitem_t){ .fd = descriptor, .events = ZMQ_POLLIN };
    long ms = seconds < 0 ? -1 : seconds > 1e6 ? 1000000000 : (long)ceil(seconds * 1000);
    int rc = zmq_poll(items, n, ms);
    for (int i = 0; i < count && !sending; i++)
        (void)wire_peers(wires[i]); /* what was told must not pile up */
    return rc > 0 ? 0 : rc == 0 ? TROUPE_ETIMEDOUT : TROUPE_EINTR;
}

void wire_close(struct wire **wire, double linger)
{
    struct wire *self = *wire;
    if (!self)
        return;
    *wire = NULL;
    if (!is_forked) {
        if (self->monitor) {
            zmq_socket_monitor(self->socket, NULL, 0);
            set(self->monitor, ZMQ_LINGER, 0);
            zmq_close(self->monitor);
        }
        if (self->socket) {
            set(self->socket, ZMQ_LINGER, (int)(linger * 1000));
            zmq_msg_close(&self->frame);
            zmq_close(self->socket);
        }
        if (self->own_context)
            leave();
    }
    free(self);
}
