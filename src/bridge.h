/* bridge.h - a worker that is a process of its own, as the program's side sees it: a thread with a box, which passes letters
 * on to the process and from it, and tells of its end.
 *
 * Made, interrupted and joined by the node's thread, as a worker is (worker.h); the rest happens on the bridge's own.
 */
#ifndef BRIDGE_H
#define BRIDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bridge;
struct claims;
struct mailbox;
struct message;

/* What the process is told first, at the start of a MAIL_HOUSE body. Behind it: name, path, cpath, cwd and libs, each with its
 * closing zero; then the call that is its init, if `init`. */
struct bridge_order {
    uint32_t pool, number, tag;
    uint32_t house;
    int64_t parent; /* process */
    uint64_t memory_limit;
    uint64_t address_space;
    double cpu_limit;
    int64_t uid, gid;
    int32_t nice;
    int32_t init; /* 0 or 1 */
    uint32_t name_size, path_size, cpath_size, cwd_size, libs_size; /* closing zeros included; 0: none */
    int32_t log_level; /* of all vms; filled in as house and parent are */
};

struct bridge_options {
    struct bridge_order order;    /* house, parent, init and sizes are filled in */
    const char *name, *path, *cpath, *cwd, *libs; /* all but the name may be NULL */
    const char *env;              /* changes of the environment (process.h), each with its closing zero */
    size_t env_size;
    const struct message *init;   /* NULL: none */
    struct claims *claims;        /* the pool's; held by the bridge. May be NULL */
    uint64_t listener;            /* the address that lines of its output go to; 0: those go to the program's own */
};

/* Opens the bridge's box, and the ways between it and the node's, and starts its thread, which starts the process. MAIL_UP
 * or MAIL_DOWN follows. All of the options is copied. 0 or a status. */
int bridge_start(struct bridge **out, const struct bridge_options *options, struct mailbox *node);

uint16_t bridge_box(const struct bridge *self);

/* Breaks into the job (0: into whatever runs there). */
void bridge_interrupt(struct bridge *self, uint64_t job);

/* Asks for the letters that the process has not begun, or that of one job (0: all): each comes back as MAIL_RETURN, and
 * MAIL_KEPT when the one was begun. */
void bridge_recall(struct bridge *self, struct mailbox *node, uint64_t job);

/* Asks whether the job has begun there: MAIL_LOOK comes back. False for want of memory. */
bool bridge_look(struct bridge *self, struct mailbox *node, uint64_t job);

/* True when that is what runs there, by the process's answer to the last bridge_interrupt; or when it does not answer. */
bool bridge_runs(struct bridge *self, uint64_t job);

/* What ran there when the process was last asked, which it is anew: a job, or the target of its cleanup; 0: nothing. */
uint64_t bridge_target(struct bridge *self);

/* Bytes that its vm's values took when it last told of a job's end. */
size_t bridge_memory(const struct bridge *self);

/* After MAIL_DOWN: 0 and the pointer nulled, or TROUPE_ETIMEDOUT. */
int bridge_join(struct bridge **self, double timeout);

/* The process is killed; the bridge frees what it has when it is gone. Nulls. */
void bridge_abandon(struct bridge **self);

#endif
