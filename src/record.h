/* record.h - one record of the log: as a structure, as bytes, as a line of text.
 *
 * A structure borrows all its texts. No function here keeps anything between calls, apart from a printer's own memory.
 */
#ifndef RECORD_H
#define RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "unpack.h"

enum record_level {
    RECORD_OFF, /* no record has it: below all that have one */
    RECORD_EMERG,
    RECORD_ALERT,
    RECORD_FATAL,
    RECORD_ERROR,
    RECORD_WARNING,
    RECORD_NOTICE,
    RECORD_INFO,
    RECORD_DEBUG,
    RECORD_TRACE
};

struct record {
    int level;
    bool is_coarse;            /* its time is known to the second only */
    int64_t time_us;           /* microseconds since the epoch */
    struct unpack_text process; /* who speaks: a process number, from elsewhere HOST:NUMBER; empty: unknown */
    uint32_t origin;           /* number of the worker process of this program that speaks; 0: the program's own. Not encoded */
    uint64_t vm;               /* number of the vm in its process; 0: none */
    uint64_t job;              /* id of the job it was running; 0: none */
    uint64_t actor;            /* address of the actor whose handler it was; 0: none */
    uint64_t task;             /* id of the task, where it was neither a job's nor an actor's; 0: none */
    struct unpack_text source; /* FILE:LINE; may be empty */
    struct unpack_text message;
    struct unpack_text fields; /* a MessagePack map, or empty */
};

/* "warning" for RECORD_WARNING; never NULL for a level. */
const char *record_level_name(int level);

/* The level of that name, in whatever case; RECORD_OFF for "off", -1 for what is none. */
int record_level_of(const char *name, size_t size);

/* Appends the record without its process. 0 or TROUPE_ENOMEM. */
int record_encode(const struct record *self, struct buffer *out);

/* Reads what record_encode has written; the process stays as it is. False when the bytes are no whole record. */
bool record_decode(struct unpack *bytes, struct record *out);

/* Appends what a frame of records begins with. 0 or TROUPE_ENOMEM. */
int record_frame_begin(const char *process, struct buffer *out);

typedef void record_taker(void *context, const struct record *record);

/* Hands out the records of a frame that a sink received at that moment: ours, lua-log's, or one that says what has come. */
void record_parse(const void *frame, size_t size, int64_t now_us, record_taker *take, void *context);

/* How records become lines, and what is remembered between two of them. */
struct record_printer {
    bool json;
    bool colours;
    bool many_lines;  /* newlines in messages stay: a record may be several lines */
    bool has_second;
    int64_t second;   /* whose local time `text` is */
    char text[64];
};

/* Appends the record as text that ends in a newline. 0 or TROUPE_ENOMEM, then nothing is appended. */
int record_print(struct record_printer *self, const struct record *record, struct buffer *out);

#endif
