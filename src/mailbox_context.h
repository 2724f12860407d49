/* mailbox_context.h - what mailbox.c needs of ZeroMQ besides sending and receiving: a context and sockets in it. */
#ifndef MAILBOX_CONTEXT_H
#define MAILBOX_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

/* One more user of the context. False: there are no descriptors or no memory for it, or this is a forked child. */
bool mailbox_context_enter(void);
void mailbox_context_leave(void);

/* True in a forked child of a program that had a context: no socket may be touched. */
bool mailbox_is_forked(void);

/* A socket without high-water mark, bound (ZMQ_PULL) or connected (ZMQ_PUSH) to that opening of the box. 0 or a status. */
int mailbox_socket_open(void **out, int type, uint16_t box, uint32_t generation);

void mailbox_socket_close(void *socket);

/* ZeroMQ's latest error as a status. */
int mailbox_zmq_status(void);

#endif
