/* log.h - the program's log: one queue, one destination, whoever speaks.
 *
 * Any thread may call any of these. What is said never waits for a destination: by default records go straight to standard
 * error, a write each; a file, an endpoint or a function has a bounded queue before it, what does not fit is counted, and
 * the count is said when there is room again.
 */
#ifndef LOG_H
#define LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "record.h"

enum log_kind { LOG_STDERR, LOG_FILE, LOG_ENDPOINT, LOG_FUNCTION, LOG_PIPE };

enum { LOG_QUEUE_BYTES = 64 << 20, LOG_PROCESS_BYTES = 24 };

struct log_destination {
    enum log_kind kind;
    const char *place;      /* path or endpoint */
    bool json;              /* lines are JSON */
    uint64_t rotate_bytes;  /* a file's, see outlet.h */
    int keep;
    bool publish, bind;     /* an endpoint's: PUB in place of PUSH; bind in place of connect */
    const char *public_key, *secret_key, *server_key; /* CURVE, see wire.h */
    size_t queue_bytes;     /* 0: LOG_QUEUE_BYTES */
    int bell;               /* a function's: an eventfd that is rung when there are records to take */
};

/* The level of vms that have not set their own, in the low byte, and above it how often it was set. */
extern atomic_uint log_level_of_all;

/* Sets the level of every vm of the program, those with one of their own too, and those in its worker processes. */
void log_set_level_of_all(int level);

/* Of every vm in this process alone. The word that log_level_of_all is then. */
unsigned log_set_level_here(int level);

/* In a worker process: the program says so, and when it did it had heard of so many that were set here. */
void log_hear_level(int level, unsigned heard);

static inline int log_level(void)
{
    return (int)(atomic_load_explicit(&log_level_of_all, memory_order_relaxed) & 255);
}

/* Whoever is to know that the level of all vms was set: the eventfd is written to then. */
struct log_watch {
    int bell;
    struct log_watch *next, *prev;
};
void log_watch_level(struct log_watch *watch);
void log_unwatch_level(struct log_watch *watch); /* fine when it does not watch */

/* True when a record of this level is meant to be seen, as far as all vms' level goes. */
static inline bool log_wants(int level)
{
    return level <= log_level();
}

/* The number of one more vm that speaks, from 1. When the last of them has left, what was said is written out, for as long
 * as that takes within a bound. */
uint64_t log_enter(void);
void log_leave(void);

/* Microseconds since the epoch. */
int64_t log_now_us(void);

/* Takes a record; its process is ignored. */
void log_put(const struct record *record);

/* Prints the record on standard error, in one write, wherever else records go. */
void log_stderr(const struct record *record);

/* The process that the record is from as records name it, its number: the text is in `room`, or lasts for ever. */
struct unpack_text log_process_of(const struct record *record, char room[LOG_PROCESS_BYTES]);

/* The library's own words, a line without newline at its end. */
void log_say(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says once that TROUPE_SIGNAL names no real-time signal, when that was found. */
void log_say_misnomer(void);

/* From now on records go there; those said before go to where they went before. 0, or a status with the reason in why. */
int log_to(const struct log_destination *destination, char *why, size_t why_size);

/* True while records go to standard error as text: where a program's user looks for whole texts, not for records. */
bool log_is_plain(void);

/* Records said that were not handed to the destination yet, and those dropped since the program began. */
struct log_counts {
    uint64_t said, dropped, waiting;
};
void log_count(struct log_counts *out);

/* Waits until all that was said so far has been handed on, at most so many seconds (negative: for ever). 0, or
 * TROUPE_ETIMEDOUT. Nothing waits for a function: its vm must take. */
int log_flush(double timeout);

/* The vm whose function's bell this is takes what was said: records for log_next. False when there is nothing, or records go elsewhere by now. */
bool log_take(int bell, struct buffer *out, uint64_t *dropped);

/* Reads the next of the taken records at *at. False at the end. */
bool log_next(const struct buffer *taken, size_t *at, struct record *out);

/* The function's vm closes: from now on records go to standard error again. */
void log_function_gone(int bell);

/* In a worker process: from now on records, and what log_set_level_of_all sets, go to the program by this pipe, each at once:
 * what was said is on its way even if the process dies of the next instruction. 0 or a status. */
int log_to_program(int pipe);

/* What a worker process has set for all vms. */
struct log_levels {
    int last;
    unsigned count; /* how often it did */
};

/* In the program: takes what has come from the worker process of that number out of the buffer, but for what is not whole yet,
 * says it, and notes the levels. False: that is no log. */
bool log_from_process(struct buffer *bytes, uint32_t number, struct log_levels *levels);

#endif
