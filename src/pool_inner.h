/* pool_inner.h - what the parts of a pool share: pool.c its life, pool_jobs.c its jobs, pool_again.c those that run more
 * than once, pool_control.c those that shall end, pool_process.c what only processes need, pool_cleanup.c what is left to do after them, pool_doom.c actors that shall end, pool_hands.c its workers, pool_answers.c its letters to clients. For the
 * node's thread.
 *
 * A job is known to the dispatcher by its id, and here by a ticket: who gets the outcome, and the letter while no
 * worker has it. A letter goes to the worker and comes back as the outcome; only a job that may run again leaves
 * its letter with the ticket and sends copies.
 *
 * Invariants:
 *  1. one outcome per ticket: it is freed when its outcome has been posted;
 *  2. ticket->letter is NULL exactly while a worker has the letter and the job cannot run again;
 *  3. hands[n - 1] is worker n of the dispatcher, from ACTION_START until dispatcher_worker_down;
 *  4. the way to a worker is open while it is a hand: what is posted to it arrives, or its MAIL_DOWN is on the way;
 *  5. workers are known in letters by a tag, their number and which one of that number it is: what one that was given
 *     up says later is not mistaken for its successor's word;
 *  6. an outcome for which there is no memory waits in `owed`, and is tried again.
 */
#ifndef POOL_INNER_H
#define POOL_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "claims.h"
#include "bridge.h"
#include "codes.h"
#include "dispatcher.h"
#include "histogram.h"
#include "id_map.h"
#include "pool.h"
#include "slab.h"
#include "worker.h"

struct gate;
struct job_order;
struct ticket;

/* What only a job has that has a name or whose owner is asked about retries. */
struct ticket_extra {
    struct ticket *ticket;
    struct ticket_extra *prev, *next; /* all whose owner is asked */
    bool asks;
    bool alone;                       /* its owner is gone: nobody is asked any more */
    size_t name_size;
    char name[]; /* with a closing zero */
};

struct ticket {
    struct message *letter;
    uint64_t owner;
    uint64_t id;
    uint32_t slot;
    uint16_t flags;   /* of the letter */
    uint8_t end;      /* enum job_end, once it has ended */
    bool repeatable : 1; /* may be sent again, or would be lost with a process: the letter stays here */
    bool outlive : 1; /* it goes on when its owner is gone */
    bool placed : 1;  /* it holds one of the pool's places */
    bool starved : 1;  /* there was no memory to hand it out */
    bool cleanup : 1;  /* it has one: the letter stays here, too */
    bool cleaned : 1;  /* a worker has claimed that */
    bool cleaning : 1; /* the job has ended, this is its cleanup's */
    struct ticket_extra *extra; /* NULL: none */
    struct ticket *next; /* owed */
};

struct hand {
    struct worker *worker; /* NULL: no such worker now */
    struct message *stop; /* kept ready: asking it to end must not need memory */
    struct codes_sent sent;
    uint16_t generation;  /* workers there were of this number */
    uint64_t spared;      /* the cleanup for whose sake it was not given up; 0: none */
};

struct pool_times {
    struct histogram waits; /* from when a job was queued until it was handed out the first time */
    struct histogram runs;  /* what workers measured */
};

struct pool {
    uint32_t id;
    uint64_t owner;
    struct pool_house house;
    struct message *open; /* keeps the strings that worker options point to */
    struct message *init; /* NULL: none */
    struct worker_options worker;
    struct bridge_options process; /* its strings are in `open`; used when worker.process points here */
    struct dispatcher *dispatcher;
    struct slab tickets;
    struct claims *claims;
    uint64_t unclean; /* cleanups that could not be run, or may not have ended */
    uint64_t own_ids; /* of jobs for cleanups; clients' are far above */
    struct hand *hands;
    int hand_count;
    struct message *failure; /* why the last worker did not come up */
    struct message *lost;    /* while jobs of a lost worker end: why it died. NULL: it is not known */
    struct message *looked_for; /* questions about jobs that a process was asked about */
    struct message *recalled; /* questions about jobs that a process was asked to give back */
    struct message *drain;   /* questions to answer once drained */
    struct message *joining; /* questions to answer once nothing is pending */
    int log_level;           /* of failed jobs; 0: not logged */
    struct pool_times *times; /* NULL: it is hidden, and nobody asks */
    struct gate *gate;       /* NULL: any number of jobs may wait */
    struct message *waiting; /* questions for a place, the first first */
    struct message *granted; /* those that have one, of which no job is known yet */
    struct ticket *owed;
    size_t foreign;              /* tickets of others than the pool's own owner */
    struct ticket_extra *asking; /* jobs whose owner is asked about retries */
    double owed_at;              /* when to try again */
    double break_at, abandon_at; /* 0: not planned; infinite: done */
    uint64_t freed, freed_before; /* tickets that were done with: now, and when abandon_at was set */
    bool windows_open; /* someone waits for all jobs: none waits for its owner to take what it sends */
    bool drained;
    bool hosts; /* one job: an actor, or a vm that actors share */
    bool shared; /* such a vm */
    struct id_map dooms;  /* pool_doom.c: actors of it that shall end */
    double doom_at;       /* when these are looked at next; 0: not */
    uint64_t runs_doomed; /* the one that ran when they were last looked at; 0: none did */
    double looked_since;  /* since when that is so */
};

/* Delivers a letter, which it takes: to the living, if need be later; none arrives at the dead. */
void pool_post(struct pool *self, struct message **letter);

/* Turns a question into its answer and posts it. */
void pool_answer(struct pool *self, struct message **letter);
void pool_answer_boolean(struct pool *self, struct message **letter, bool v);
void pool_answer_status(struct pool *self, struct message **letter);
void pool_answer_stats(struct pool *self, struct message **letter, double now);
void pool_answer_find(struct pool *self, struct message **letter);

/* The letter's body becomes an error of at most 255 bytes. */
void pool_write_error(struct message *letter, const char *text);

void pool_answer_nil(struct pool *self, struct message **letter);

/* Letters about jobs. */
void pool_submit(struct pool *self, struct message **letter, double now);
void pool_job_done(struct pool *self, struct message **letter, double now);
void pool_cancel(struct pool *self, struct message **letter, double now);
void pool_halt(struct pool *self, struct message **letter, double now);
void pool_kill(struct pool *self, struct message **letter, double now);
void pool_refused(struct pool *self, struct message **letter, double now);

/* What running jobs send their owners, and what these answer. */
void pool_emit(struct pool *self, struct message **letter);
void pool_stream(struct pool *self, struct message **letter, double now);

/* No job waits for its owner to take what it sends, from now on. */
void pool_open_windows(struct pool *self);

/* True when its worker has taken the job's letter out of the tray. */
bool pool_has_begun(struct pool *self, uint64_t id);

/* Takes the job's letter out of its worker's tray. True when it was still there. */
bool pool_take_back(struct pool *self, uint64_t id);

/* A letter that no worker has begun goes back to its ticket. */
void pool_keep_letter(struct message **letter);

/* Actions about jobs. */
void pool_hand_out(struct pool *self, const struct action *a, double now);
void pool_recall(struct pool *self, int worker, double now);
void pool_end_job(struct pool *self, const struct action *a, double now);

/* Logs that the job's run, or the job, failed, if the pool's maker wants that. `outcome` may be NULL. */
void pool_log_failure(const struct pool *self, const struct ticket *t, enum job_end end, const struct message *outcome);

/* A worker process that ended without having been asked to; `down` says how. */
void pool_log_loss(const struct pool *self, int worker, const struct message *down);

/* Workers that are processes. Reads what the order says of them: 0, or TROUPE_EBADMSG; *used bytes of it. */
int pool_read_process(struct pool *self, const char *at, size_t size, size_t *used);

/* The job that the question (MAIL_CANCEL) is about is on its way to a process, or there: it is asked back, and the question
 * taken, to be answered later. False: its worker is a thread. */
bool pool_ask_back(struct pool *self, struct message **question);
void pool_answer_recalled(struct pool *self, uint64_t id, bool cancelled);

/* Asks the process that has the question's job whether it has begun; pool_answer_looked follows, and the question is kept.
 * False: there is none to ask. */
bool pool_ask_begun(struct pool *self, struct message **question);

/* The answers to those about that job. */
void pool_answer_looked(struct pool *self, uint64_t id, bool begun);

/* A worker is gone, and those about its jobs need not wait for it. */
void pool_look_again(struct pool *self);

/* What is known of the question's job. */
void pool_tell_status(struct pool *self, struct message **letter, bool begun);
void pool_returned(struct pool *self, struct message **letter, double now);
void pool_kept(struct pool *self, const struct message *letter);

/* The worker died, as the letter says. */
void pool_lose_worker(struct pool *self, int worker, struct message **letter, double now);

/* Makes the letter the outcome of the ticket's job, and posts it. */
void pool_post_outcome(struct pool *self, const struct ticket *t, struct message **letter);

/* The outcome of a job that no run has ended; starved: for want of memory. */
void pool_write_outcome(struct pool *self, struct message *letter, enum job_end end, bool starved);

/* What a worker made of the letter becomes the outcome that the dispatcher decided on. */
void pool_finish_outcome(struct pool *self, struct message *result, enum job_end end);

/* Actions about jobs that run more than once. */
void pool_report(struct pool *self, const struct action *a);
void pool_ask(struct pool *self, const struct action *a, double now);
void pool_decide(struct pool *self, struct message **letter, double now);
void pool_pay_owed(struct pool *self, double now);
void pool_halt_job(struct pool *self, const struct action *a);
void pool_break_job(struct pool *self, const struct action *a);
void pool_abandon_job(struct pool *self, const struct action *a, double now);

/* A run of the job is about to begin: an earlier one may have been lost with the cleanup under way, then there is none for
 * this one. What the worker is told of the run. */
void pool_settle_run(struct pool *self, struct ticket *t, const struct action *a);
uint64_t pool_note(const struct ticket *t, const struct action *a);

/* The job has ended: has its worker seen to the cleanup? */
void pool_settle_end(struct pool *self, struct ticket *t, const struct action *a);

/* Its outcome is posted. True when its ticket is its cleanup's now, or gone. */
bool pool_clean_up(struct pool *self, struct ticket *t, enum job_end end, bool ran, double now);

/* The vm at that address is gone: its jobs are asked to end, but for those that outlive it or have no outcome for it. False:
 * there were none. */
bool pool_halt_jobs_of(struct pool *self, uint64_t owner, double now);

/* All that run are asked to end. */
void pool_halt_all(struct pool *self);

void pool_job_begun(struct pool *self, struct message **letter, double now);

/* Places for jobs that wait: a letter about one; the job no longer waits; the pool closes; a client is gone. */
void pool_place(struct pool *self, struct message **letter);
void pool_leave_place(struct pool *self, struct ticket *t);

/* True when the job that `owner` submits with that order has a place, which is the job's from now on. */
bool pool_claim_place(struct pool *self, uint64_t owner, const struct job_order *order);

/* There is no job for the place that was claimed. */
void pool_refuse_place(struct pool *self);

void pool_refuse_places(struct pool *self);
void pool_forget_places(struct pool *self, uint64_t owner);

/* Takes the order, and the name in front of it, off the letter; its bytes stay behind the end until the letter grows. */
void pool_read_order(struct message *letter, struct job_spec *spec, struct job_order *order);

/* Gives the ticket, whose letter was just read, what it has beyond others. False: no memory. */
bool pool_add_extra(struct pool *self, struct ticket *t, const struct job_order *order);

/* The ticket is done with. */
void pool_free_ticket(struct pool *self, struct ticket *t);

/* The worker of that number, NULL when there is none. */
struct hand *pool_hand(struct pool *self, int worker);

/* The number of the worker that the letter is from; 0: it is no worker of this pool any more. */
int pool_worker_of(const struct pool *self, const struct message *letter);

/* What the letters of the worker's jobs call it. */
uint32_t pool_tag(const struct pool *self, int worker);

/* Workers start, are asked to stop, and are gone. */
void pool_start_worker(struct pool *self, int worker, double now);
void pool_stop_worker(struct pool *self, int worker);
void pool_worker_down(struct pool *self, struct message **letter, double now);

/* Makes sure that the worker knows the code before it gets a job that names it. */
void pool_send_code(struct pool *self, struct hand *hand, uint64_t code);

/* Breaks into what runs; leaves to themselves the workers that do not end. */
void pool_interrupt_workers(struct pool *self);
bool pool_abandon_workers(struct pool *self, double now); /* false: some are in a cleanup that they have begun since */
void pool_abandon_worker(struct pool *self, int worker, double now);

/* The vm that actors share has said that one is dead; time has passed. */
void pool_doomed(struct pool *self, uint64_t actor);
void pool_press_doomed(struct pool *self, double now);
void pool_forget_doomed(struct pool *self);

/* The pool is freed. */
void pool_free_hands(struct pool *self);

#endif
