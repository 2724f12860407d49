/* sink.h - a sink of logs: a thread that takes records from sockets and puts them as lines where they belong.
 *
 * new, listen, start, then reopen and counts from any thread, then end: from the one that made it.
 */
#ifndef SINK_H
#define SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "outlet.h"
#include "wire.h"

struct sink;

struct sink_options {
    struct outlet_options outlet; /* trouble and context are the sink's own */
    bool json;
    bool colours;
    int level;                    /* of record.h: what is less urgent is left out */
    const char *grep;             /* an extended regular expression that lines must match; NULL: any */
};

struct sink_counts {
    uint64_t frames, records, /* received */
        filtered,             /* by level and grep */
        lost;                 /* for want of room to write them */
};

/* Opens its outlet. 0, or a status with the reason in why. */
int sink_new(struct sink **out, const struct sink_options *options, char *why, size_t why_size);

/* One more socket, before the start. 0, or a status with the reason in why. */
int sink_listen(struct sink *self, const struct wire_options *options, char *why, size_t why_size);

/* The endpoint of the socket with that number, from 0; NULL: there is none. Before the start. */
const char *sink_endpoint(const struct sink *self, int number);

/* 0, TROUPE_ENOMEM, TROUPE_ELIMIT. */
int sink_start(struct sink *self);

/* Has it close its file and open it anew by its name. */
void sink_reopen(struct sink *self);

void sink_count(struct sink *self, struct sink_counts *out);

/* Makes the eventfd readable when it has ended: because it was asked to, or since nobody reads its descriptor any more. */
void sink_tell_end(struct sink *self, int eventfd);

/* Asks it to take what has come, write it, sync it and end. */
void sink_stop(struct sink *self);

/* Awaits its end, which is asked for if it was not, and frees it. Nulls; NULL is fine. What it counted goes to `counts`, which may be
 * NULL. */
void sink_end(struct sink **self, struct sink_counts *counts);

#endif
