/* bridge_log.h - what a worker process says in the log, passed on record by record. For the bridge's thread. */
#ifndef BRIDGE_LOG_H
#define BRIDGE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "log.h"

struct records {
    int fd;              /* the pipe's end; -1: closed */
    uint32_t number;     /* of the process */
    struct buffer bytes; /* read, and not yet a whole record */
    bool starved;        /* there was no memory to read what is there */
    struct log_levels levels;
};

/* Of that process, by the pipe's end, which it takes. */
void records_open(struct records *self, int fd);

/* Reads what is there now, says the records that are whole, and notes the levels. False: there is no more now. */
bool records_pump(struct records *self);

/* Says what is left, and closes it; closing twice is fine. What there is no memory for within a second is lost. */
void records_close(struct records *self);

#endif
