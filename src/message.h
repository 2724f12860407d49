/* message.h - a letter: a fixed header and a body of encoded values, in one buffer that can be sent as it is.
 *
 * A message belongs to whoever holds it: the room that made it, the tray it was put into, the room that took it out.
 * Rooms on the way rewrite the header; only the two ends look at the body.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"

/* What a letter is about (doc/protocol.md, "Mail"). The first name is who sends it. */
enum message_kind {
    MAIL_NONE,
    MAIL_OPEN,   /* client -> node: make pool `pool`; body: struct pool_order, then the encoded init call */
    MAIL_CLOSE,  /* client -> node: close pool `pool`, FLAG_SOON; ANSWER when it has drained */
    MAIL_SUBMIT, /* client -> node: job `id` of `pool` for `from`; body: the call, then struct job_order if FLAG_ORDER */
    MAIL_CODE,   /* client -> node -> worker: bytecode in the body is known as `code` from now on */
    MAIL_RUN,    /* node -> worker: run it */
    MAIL_DONE,   /* worker -> node: it ran `seconds`; FLAG_ERROR: body is the error and its traceback */
    MAIL_PARKED, /* worker -> node: job `id` waits; the worker is free for others */
    MAIL_RESULT, /* node -> client: the outcome of job `id` */
    MAIL_CANCEL, /* client -> node: cancel job `id` of `pool`, or all pending (id 0), delayed ones too if `number`; ANSWER true or false */
    MAIL_STATUS, /* client -> node: ANSWER the word for the state of job `id`; `number` 1: a map of what is known of it */
    MAIL_STATS,  /* client -> node: ANSWER the counts of pool `pool` as a map */
    MAIL_RESIZE, /* client -> node: `number` workers from now on */
    MAIL_ANSWER, /* node -> client: to the question `id` */
    MAIL_KILL,   /* client -> node: end job `id`, by force after `seconds`. node -> worker: end it where it waits; id 0: all */
    MAIL_STOP,   /* node -> worker: end after the job at hand */
    MAIL_UP,     /* worker -> node: ready for jobs */
    MAIL_DOWN,   /* worker -> node: the last letter; FLAG_ERROR: it never came up, body is the error */
    MAIL_NOTIFY, /* vm -> vm: task `to` may be waiting for the event; body: event, values */
    MAIL_LEAVE,  /* client -> node: this vm is closing; its pools close soon, its outcomes are dropped */
    MAIL_HALT,   /* client -> node: ask job `id` to end; ANSWER true or false. node -> worker: it shall; id 0: all */
    MAIL_BEGUN,  /* worker -> node: job `id`, which has a timeout, begins */
    MAIL_REFUSE, /* worker -> node: a RUN given back unbegun; the worker is in a long one */
    MAIL_PAUSE,  /* client -> node: `number` 1: no job begins from now on, 0: they do again; ANSWER true */
    MAIL_ASK,    /* node -> client: shall job `id`, whose run `number` failed, run again? Body: as of an outcome */
    MAIL_DECIDE, /* client -> node: `number` 1: it shall, 0: it shall not */
    MAIL_JOIN,   /* client -> node: ANSWER true once nothing is pending in pool `pool` */
    MAIL_PLACE,  /* client -> node: a place for a job, please, or back: enum message_place. ANSWER true, false when it closes */
    MAIL_POOLS,  /* client -> node: ANSWER the pools of the program, an array of arrays: id, name */
    MAIL_FIND,   /* client -> node: ANSWER what a handle on pool `pool` needs: workers, gate; nil when there is no such pool */
    MAIL_EMIT,   /* worker -> node -> client: job `id` sends its `number`th letter of run `code`, FLAG_SYNC: and waits */
    MAIL_WINDOW, /* client -> node -> worker: job `id` may be `number` letters ahead; FLAG_DISCARD: nobody wants any */
    MAIL_TAKEN,  /* client -> node -> worker: those up to `number` of run `code` have been taken */
    MAIL_RESUME, /* client -> node -> worker: the job that synced with `number` of run `code` goes on; FLAG_STOPPED: to end */
    MAIL_HOUSE,  /* bridge -> worker process: who it is; body: struct bridge_order, strings, the encoded init call */
    MAIL_BREAK,  /* bridge -> worker process: break into job `id`, if it runs (0: into what runs) */
    MAIL_BROKEN, /* worker process -> bridge: to BREAK of job `id`: `code` is what runs, 0 for nothing */
    MAIL_RECALL, /* node -> worker process: give back what has not begun, or job `id` alone */
    MAIL_RETURN, /* worker process -> node: a RUN given back unbegun, as it was recalled */
    MAIL_KEPT,   /* worker process -> node: job `id`, which was recalled alone, has begun */
    MAIL_CLAIM,  /* worker process -> bridge: may job `id` be cleaned up there, after run `number`? Comes back, `number` 1: yes; then `code` 1: it begins */
    MAIL_OUTPUT, /* bridge -> client: a line of a worker process's standard output (`number` 1) or error (2) */
    MAIL_TELL,   /* vm -> vm: a message from actor or vm `from` for actor `to`; `id`: the number of a call, 0: none */
    MAIL_REPLY,  /* vm -> vm: the answer to call `id`; FLAG_ERROR: body is the error */
    MAIL_CONTROL, /* vm -> vm: what shall be done with actor `to`; `id` as above */
    MAIL_OBITUARY, /* vm -> vm: actor `from` is dead; body: why */
    MAIL_BOUNCE, /* whoever could not deliver it -> vm: a TELL or CONTROL from there, which never reached `from` */
    MAIL_CREDIT, /* vm -> vm: actor `from`, which holds `id` messages at most, has taken `number` that were counted */
    MAIL_REGISTER,    /* worker process -> bridge, as all up to GONE: name actor `id`; ANSWER true, false when it is taken */
    MAIL_UNREGISTER,  /* free the name; ANSWER true when it was taken */
    MAIL_WHEREIS,     /* ANSWER the address of the actor of that name, or nil */
    MAIL_NAMES,       /* ANSWER an array of all names */
    MAIL_SUBSCRIBE,   /* actor `id` to the topic; ANSWER true */
    MAIL_UNSUBSCRIBE, /* ANSWER true when it had subscribed */
    MAIL_SUBSCRIBERS, /* ANSWER an array of the addresses of all whose subscriptions the topic fits */
    MAIL_UNREAD,      /* `number` more messages reached nobody; ANSWER how many have by now */
    MAIL_GONE,        /* actor `id` is dead, or all of the vm of that address are */
    MAIL_LOST,   /* node -> vm: the vm `from`, or the worker process, is gone and could not tell of its actors; FLAG_KILLED */
    MAIL_DOOM,   /* vm -> node: actor `id` shall be killed, where its vm reads no mail, too; node -> shared vm: the same */
    MAIL_MEMORY, /* worker process -> bridge: `number` bytes are what its vm's values take */
    MAIL_LOOK,   /* node -> worker process: has job `id` begun? Comes back with `number` 1 when it has, or has ended, else 0 */
    MAIL_SPENT,  /* worker process -> node: job `id`, which runs, has taken more processor time than each may */
    MAIL_LEVEL,  /* bridge -> worker process: `number` is the log's level of all vms from now on */
    MAIL_DOOMED  /* shared vm -> node: actor `id` is dead */
};

enum message_flag {
    FLAG_ERROR = 1,   /* the outcome is an error */
    FLAG_CODE = 2,    /* the function is the bytecode named `code`; the body holds only arguments */
    FLAG_BATCH = 4,   /* the body is a function, then one argument a call: many calls in one letter */
    FLAG_ORDER = 8,   /* SUBMIT: struct job_order at the end of the body */
    FLAG_TIMED = 8,   /* RUN: the job has a timeout or a place, BEGUN shall be told */
    FLAG_DISCARD = 16, /* nobody will ask for the outcome */
    FLAG_SOON = 32,    /* MAIL_CLOSE: cancel what is pending */
    FLAG_SYNC = 32,    /* MAIL_EMIT: the job waits until it is resumed */
    FLAG_COUNTED = 32, /* MAIL_TELL: its sender awaits CREDIT for it */
    FLAG_PROGRESS = 64, /* MAIL_EMIT: how far the job is; out of the count */
    FLAG_STRICT = 32,  /* a batch: the first call that raises fails the whole, so that it can be tried again */
    FLAG_CANCELLED = 64, /* the outcome: it never ran */
    FLAG_KILLED = 64,    /* DONE: the run was broken into, or ended where it waited. LOST: somebody wanted it so */
    FLAG_LOST = 128,     /* the outcome: its worker went away */
    FLAG_MORE = 256,     /* the outcome of one turn: the job goes on */
    FLAG_STOPPED = 512,  /* the outcome: the job was asked to end. With ERROR: it was made to */
    FLAG_EXTRA = 1024,   /* the body begins with functions beside the call's own, see vm_extra.c */
    FLAG_CLEANUP = 2048  /* RUN: the job has ended, its cleanup is all that shall run */
};

/* The `number` of MAIL_PLACE. */
enum message_place {
    PLACE_BACK = 0, /* question `id` is taken back, or the place that was given for it; no answer */
    PLACE_WAIT = 1, /* as soon as there is one */
    PLACE_NOW = 2   /* if there is one; else ANSWER nil */
};

struct header {
    uint8_t magic;  /* 'T' */
    uint8_t kind;   /* enum message_kind */
    uint16_t flags; /* enum message_flag */
    uint32_t pool;
    uint64_t to;   /* address */
    uint64_t from; /* address of the one who gets the outcome or the answer */
    uint64_t id;   /* of the job or question */
    uint64_t code; /* content hash of the function's bytecode; 0: none */
    union {
        double seconds;
        int64_t number;
    } u;
    uint32_t slot;   /* where `from` keeps its future; comes back untouched */
    uint32_t worker; /* the dispatcher's number for the worker; comes back untouched */
};

enum { MESSAGE_SMALL = 128 };

struct message {
    struct message *next;  /* in the list it stands in */
    struct buffer bytes;   /* header, then body */
    _Alignas(8) unsigned char small[MESSAGE_SMALL]; /* where bytes live until they outgrow it */
};

/* A letter with an empty body; NULL when memory is out. */
struct message *message_new(enum message_kind kind);

/* Frees it and nulls the pointer; NULL is fine. */
void message_destroy(struct message **self);

/* A letter with the same header and body; NULL when memory is out. */
struct message *message_copy(const struct message *self);

/* Frees a list linked by next and nulls the pointer. */
void message_destroy_list(struct message **list);

/* Gives the calling thread's cache of blank letters back; before a thread ends. */
void message_release_cache(void);

static inline struct header *message_header(const struct message *self)
{
    return (struct header *)self->bytes.data;
}

static inline unsigned char *message_body(const struct message *self)
{
    return self->bytes.data + sizeof(struct header);
}

static inline size_t message_body_size(const struct message *self)
{
    return self->bytes.size - sizeof(struct header);
}

static inline void message_clear_body(struct message *self)
{
    self->bytes.size = sizeof(struct header);
}

/* A letter to actors that could not be delivered becomes the BOUNCE to its sender. False: it is no such letter. */
bool message_turn_back(struct message *self);

/* The letter's body was lost, for want of memory, on its way between two processes: it becomes what its receiver would get from
 * one without memory. A call, its outcome; an outcome, a reply, an error; an answer, nil; any other, what cannot be read. False:
 * nobody waits for it. */
bool message_lose_body(struct message *self);

/* For mailbox_recall: any RUN, or that of the job whose id `context` points to. */
bool message_is_run(const struct message *self, void *context);
bool message_is_run_of(const struct message *self, void *context);

/* For mailbox_recall: takes nothing, and notes whether the RUN of that job is there; `context` is one of these. */
struct message_sight {
    uint64_t job;
    bool seen;
};
bool message_see_run(const struct message *self, void *context);

#endif
