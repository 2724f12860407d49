/* bridge_inner.h - what the parts of a bridge share: bridge.c its life, bridge_start.c the process's coming to be,
 * bridge_pass.c what goes down to it. For the bridge's own thread, but for the atomic fields, and for what a poster does under
 * `work` while that thread rests.
 */
#ifndef BRIDGE_INNER_H
#define BRIDGE_INNER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge.h"
#include "bridge_log.h"
#include "bridge_output.h"
#include "log.h"
#include "message.h"

struct frames;
struct process;
struct thread;
struct tray;

enum { REASON_SIZE = 512, BREAKS_DUE = 64 };

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
    pthread_mutex_t break_lock;
    uint64_t breaks_due[BREAKS_DUE]; /* under break_lock: jobs to be broken into */
    int due_count;
    int unanswered;       /* under break_lock: breaks that the process has not answered */
    double unanswered_at; /* since when */
    _Atomic uint64_t target; /* what runs there, by the process's last word */
    _Atomic size_t memory; /* bytes that its vm's values take, by the process's last word */
    struct claims *claims;

    pthread_mutex_t work; /* held by the bridge's thread, but while it rests */
    struct process *process;
    struct frames *frames;
    struct output output[2];
    struct records records;
    struct log_watch watch;
    unsigned level; /* log_level_of_all when the process was last told, or last said it */
    unsigned levels_heard; /* from the process */
    int poll;
    bool up, full, ended;
    bool look;     /* it has rested, and not looked around since */
    bool answered; /* answers to the process lie in `frames` */
    uint64_t granted;     /* the job whose cleanup the process may run and has not begun; 0: none */
    uint32_t granted_run;
    uint64_t broken; /* what ran at the last break, and how often in a row the process has said so of what was broken into */
    int breaks;
    struct message *down; /* the process's own last word */
    struct message *obituary; /* kept ready, with room for why: what to say in its place must not need memory */
    char reason[REASON_SIZE];
};

/* Starts the process and makes it a house. 0; TROUPE_EDEAD: it ended before it said hello; or another status, when to try
 * again would be of no use. `reason` says why, unless the process's end does. */
int bridge_open_house(struct bridge *self);

/* bridge_break.c. The process is told to break into what it was asked for meanwhile; true when there was something. */
void bridge_init_breaks(struct bridge *self);
bool bridge_pass_breaks(struct bridge *self);
/* There is something that it was not told yet. */
bool bridge_has_breaks(struct bridge *self);

/* MAIL_BROKEN has come. */
void bridge_note_broken(struct bridge *self, const struct header *h);

/* Wakes the bridge's thread. */
void bridge_ring(struct bridge *self);

/* bridge_pass.c, under `work`. Sends what it can; while the socket is full, its having room again is waited for too. */
void bridge_flush(struct bridge *self);

/* Sends what lies in the box, and what shall go past it. True when there may be more. */
bool bridge_pass_down(struct bridge *self);

/* For mailbox_set_relay: on the thread of who posts. */
bool bridge_relay(void *bridge, struct tray *tray);

#endif
