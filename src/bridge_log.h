/* bridge_log.h - what a worker process says in the log, passed on record by record. For the bridge's thread. */
#ifndef BRIDGE_LOG_H
#define BRIDGE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"

struct records {
    int fd;              /* the pipe's end; -1: closed */
    uint32_t number;     /* of the process */
    struct buffer bytes; /* read, and not yet a whole record */
};

/* Reads what is there now, and says the records that are whole. *level: what the process set for all vms; untouched when it
 * did not. False at the end. */
bool records_pump(struct records *self, int *level);

/* Says what is left, and closes it; closing twice is fine. */
void records_close(struct records *self);

#endif
