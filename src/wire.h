/* wire.h - sockets to the outside: other programs on this machine or elsewhere, over tcp, ipc, or inproc within the wires.
 *
 * A wire is for the thread that opened it, or for the one it was handed to before that one first used it.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>

struct wire;

enum wire_kind { WIRE_PUSH, WIRE_PUB, WIRE_PULL, WIRE_SUB };

struct wire_options {
    enum wire_kind kind;
    bool bind;              /* else it connects */
    const char *endpoint;   /* "tcp://127.0.0.1:*" finds a free port */
    int mark;               /* frames that may wait on one side of one peer */
    /* CURVE, all keys in their 40 characters; NULL: none. A server gives its own pair and who == NULL; whom it lets in is
     * up to the context's authentication. A client gives its own pair and the server's public key. */
    const char *public_key, *secret_key, *server_key;
    void *context;          /* a ZeroMQ context that others authenticate for; NULL: the wires' own */
};

/* 0; TROUPE_EINVAL, TROUPE_ELIMIT or TROUPE_ENOMEM: then wire_why says why, in this thread. */
int wire_open(struct wire **out, const struct wire_options *options);
const char *wire_why(void);

/* What it is bound or connected to, wildcards filled in. */
const char *wire_endpoint(const struct wire *self);

/* True for an endpoint that others than this machine's programs may reach. */
bool wire_is_public(const char *endpoint);

/* True while the other side is there, or may yet bring something; of a wire that does not know, always. */
bool wire_has_peer(struct wire *self);

/* How many there are; 0 of a wire that does not know. */
int wire_peers(struct wire *self);

/* Sends a frame, without waiting: 0, TROUPE_EFULL, or TROUPE_EDEAD. */
int wire_send(struct wire *self, const void *bytes, size_t size);

/* Takes the next frame, without waiting; it stays in place until the next call. False when there is none. */
bool wire_take(struct wire *self, const void **bytes, size_t *size);

/* Waits until one of the wires can take (`sending`: can send), or the descriptor (negative: none) is readable, at most so
 * many seconds; negative: for ever. 0, TROUPE_ETIMEDOUT, TROUPE_EINTR. */
int wire_wait(struct wire *const *wires, int count, bool sending, int descriptor, double seconds);

/* Closes it; what was sent goes on leaving for so many seconds, which the last wire's closing waits for. Nulls; NULL is
 * fine. */
void wire_close(struct wire **self, double linger);

#endif
