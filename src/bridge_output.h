/* bridge_output.h - what a worker process writes to its standard output and error, passed on by whole lines. For the
 * bridge's thread. */
#ifndef BRIDGE_OUTPUT_H
#define BRIDGE_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"

struct mailbox;

struct output {
    int fd;           /* -1: closed */
    int to;           /* 1 or 2: the descriptor it is for */
    uint32_t pool;
    uint64_t listener; /* gets the lines as MAIL_OUTPUT; 0: they are written to `to` */
    struct mailbox *mailbox;
    struct buffer line; /* not yet whole */
};

/* Reads what is there now and passes on the lines that are whole. False at the end. */
bool output_pump(struct output *self);

/* Passes on what is left, whole or not, and closes it; closing twice is fine. */
void output_close(struct output *self);

/* Waits until the descriptor is readable, at most so many seconds; negative: for ever. False: it is not. */
bool output_await(int fd, double seconds);

#endif
