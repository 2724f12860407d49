/* log_inner.h - what the log's rooms share: the queue between those who speak and the writer. */
#ifndef LOG_INNER_H
#define LOG_INNER_H

#include <pthread.h>

#include "log.h"

struct outlet;
struct thread;
struct wire;

/* Before each record, in the queue and on its way from a worker process. */
struct log_head {
    uint32_t size;   /* of its encoding, which follows */
    uint32_t origin; /* see record.h */
};

/* Appends the record behind its head; false, and nothing is appended, when memory is out. */
bool log_append(struct buffer *out, const struct record *record);

/* All under the lock, unless said otherwise. */
struct log_queue {
    pthread_mutex_t lock;
    pthread_cond_t moved;    /* `written` has grown, or the writer has ended */
    enum log_kind kind;
    struct buffer filling;   /* records, each behind its head */
    size_t queue_bytes;
    uint64_t put, written;   /* records of this destination: taken in, and handed on */
    uint64_t dropped;        /* not yet told */
    uint64_t dropped_ever, put_ever;
    int bell;                /* an eventfd: the writer's, or the function's; -1: none */
    bool asleep;             /* whoever takes waits for the bell */
    bool ending;             /* the writer writes what there is, and ends */
    double end_by;           /* monotonic: it gives up then */
    double absent_by;        /* or already then, while its sink is not there */
    bool absent;             /* it waits for a sink that is not there */
};

extern struct log_queue log_queue;

enum { LOG_AFAR_BYTES = 320 };

/* A file's or an endpoint's other end. */
struct log_writer;

/* Opens the destination. 0, or a status with the reason in why. */
int log_writer_open(struct log_writer **out, const struct log_destination *d, char *why, size_t why_size);

/* The eventfd that wakes it. */
int log_writer_bell(const struct log_writer *self);

/* Starts the thread that serves it; the queue is its own by now. 0, TROUPE_ENOMEM, TROUPE_ELIMIT. */
int log_writer_start(struct log_writer *self);

/* Lets it write what there is, at most so many seconds, and ends it. Nulls; NULL is fine. */
void log_writer_end(struct log_writer **self, double seconds);

/* Takes all records of the queue, waiting for the first until `until` (monotonic; negative: for ever). False: there are none.
 * *dropped: what is to be told. */
bool log_queue_swap(struct buffer *out, double until, uint64_t *dropped, bool *ending);

/* So many of the records taken are handed on. */
void log_queue_written(uint64_t count);

/* That so many were dropped is still to be told. */
void log_queue_untold(uint64_t dropped);

/* log_pipe.c, in a worker process. A pipe that was not opened takes nothing. */
void log_pipe_open(int fd);
void log_pipe_put(const struct record *record);
bool log_pipe_level(int level); /* sets it here, too; false, and nothing is done, where there is no pipe */
void log_pipe_forked(void);
void log_levels_forked(void);
void log_note_level_said(void); /* by the pipe; before it is set */

/* Whether standard error gets JSON. */
void log_stderr_as(bool json);
bool log_stderr_is_json(void);

/* In a forked child: the locks of threads that stayed behind are open again. */
void log_stderr_forked(void);

/* Finds the names of this process, once. */
void log_find_names(void);

/* That process as records for others name it: HOST:NUMBER. */
const char *log_process_afar(uint32_t origin, char room[LOG_AFAR_BYTES]);

#endif
