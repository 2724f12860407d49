/* bridge_inner.h - what the parts of a bridge share: bridge.c its life, bridge_start.c the process's coming to be. For the
 * bridge's own thread, but for the atomic fields.
 */
#ifndef BRIDGE_INNER_H
#define BRIDGE_INNER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge.h"
#include "bridge_output.h"

struct frames;
struct process;
struct thread;

enum { REASON_SIZE = 512 };

struct bridge {
    struct mailbox *mailbox;
    uint16_t box, house; /* house 0: none now */
    struct thread *thread;
    struct message *order; /* MAIL_HOUSE */
    char *env;
    size_t env_size;
    uint64_t listener;
    uint32_t pool;
    atomic_int holders;
    int bell; /* eventfd: something below is to be done */
    atomic_bool abandoned;
    atomic_bool breaking;
    _Atomic uint64_t break_job, idle_job, cleaning; /* idle: not running, by the process's last word */
    struct claims *claims;

    struct process *process;
    struct frames *frames;
    struct output output[2];
    int poll;
    bool up, full, ended;
    bool answered; /* what the registry says lies in `frames` */
    uint64_t broken; /* the job last broken into, and how often in a row */
    int breaks;
    struct message *down; /* the process's own last word */
    char reason[REASON_SIZE];
};

/* Starts the process and makes it a house. 0; TROUPE_EDEAD: it ended before it said hello; or another status, when to try
 * again would be of no use. `reason` says why, unless the process's end does. */
int bridge_open_house(struct bridge *self);

/* Sends what it can; while the socket is full, its having room again is waited for too. */
void bridge_flush(struct bridge *self);

#endif
