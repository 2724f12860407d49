/* crew.h - the workers of one dispatcher: who is idle, who has how many jobs, who gets the next one, and
 * how many jobs one may hold. One owner, one thread at a time.
 */
#ifndef CREW_H
#define CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job_record.h"

enum { CREDIT_LIMIT = 1023, CREDIT_DEFAULT = 256, CONCURRENCY_DEFAULT = 1000 };

enum worker_state { WORKER_VACANT, WORKER_STARTING, WORKER_UP, WORKER_STOPPING };

/* What keeps a worker that has jobs from getting more in advance. */
enum worker_recall { RECALL_NONE, RECALL_WANTED, RECALL_ASKED, RECALL_ANSWERED };

struct worker {
    struct job_list jobs; /* its hand, in the order handed */
    int held;             /* jobs in its hand */
    int waiting;          /* parked jobs */
    enum worker_state state;
    enum worker_recall recall;
    struct worker_list *list; /* it is in; NULL: none */
    struct worker *next;
    struct worker *prev;
    double since;      /* when it became idle or busy, or last reported a job done or waiting */
    double busy_since; /* while it has jobs in its hand */
    double busy;       /* seconds before that, since it is up */
    uint64_t executed; /* jobs it has reported done */
    /* Among the promised: workers that have more than one job in their hand and no recall, the one waited for longest
     * first. */
    bool promised;
    bool retired; /* stopping, and its place is another's already */
    int left;     /* jobs it may still be handed; with max_jobs only */
    struct worker *later;
    struct worker *sooner;
    double waited_since; /* when it was given a second job, or last reported one done or waiting */
    int number;
    struct job_list parked; /* jobs it has begun that wait for something, and take no room in its hand; it is not
                               stopped for idleness before they have ended */
};

struct worker_list {
    struct worker *head;
    struct worker *tail;
};

/* What a crew may do. */
struct crew_limits {
    int workers;     /* at most; at least 1 */
    int max_credit;  /* most jobs in a hand; 0: CREDIT_DEFAULT */
    int max_jobs;    /* a worker that was handed so many gets no more, and is to be stopped; 0: no end */
    int concurrency; /* most jobs in a hand and parked, together; 0: CONCURRENCY_DEFAULT */
};

struct crew {
    struct worker **workers; /* worker n is workers[n - 1] */
    int size;                /* numbers there are */
    int limit;               /* most workers wanted */
    int floor;               /* workers wanted for a while, whatever the limit; never above `size` */
    int max_jobs;            /* see crew_limits */
    int concurrency;
    int alive;               /* starting or up */
    int starting;
    int stopping;
    int retired; /* of the stopping */
    int idle;
    int asked; /* recalls not answered */
    int max_credit;
    int credit;     /* most jobs in a hand, by measured run times */
    double average; /* of run times, seconds */
    struct worker_list vacant;
    struct worker_list wanted; /* to be asked to give back what they have not begun */
    struct worker_list laden;  /* may get no more, and have more than one job in their hand */
    struct worker_list spent;  /* were handed all they may be, and have an empty hand */
    struct worker *soonest; /* the promised, from soonest to latest */
    struct worker *latest;
    struct worker_list *hands; /* [n]: may get more and have n jobs; [0]: idle, the warmest first */
    uint64_t filled[CREDIT_LIMIT / 64 + 1]; /* bit n: hands[n] is not empty */
};

/* 0; TROUPE_EINVAL, TROUPE_ENOMEM: owns nothing. */
int crew_init(struct crew *self, const struct crew_limits *limits);
void crew_release(struct crew *self);

/* 0; TROUPE_EINVAL, TROUPE_ENOMEM: unchanged. */
int crew_resize(struct crew *self, int limit);

/* The worker of that number; NULL: there is none. */
static inline struct worker *crew_find(const struct crew *self, int number)
{
    if (number < 1 || number > self->size)
        return NULL;
    struct worker *worker = self->workers[number - 1];
    return worker->state == WORKER_VACANT ? NULL : worker;
}

/* How many workers there may be. */
static inline int crew_most(const struct crew *self)
{
    return self->limit > self->floor ? self->limit : self->floor;
}

/* May one more be started? crew_start then makes it. */
bool crew_has_room(const struct crew *self);
struct worker *crew_start(struct crew *self);
void crew_up(struct crew *self, struct worker *worker, double now);
void crew_stop(struct crew *self, struct worker *worker);

/* A spent worker that has parked jobs is stopped, and another may be started in its place at once, or, when there are too
 * many such already (false), it may be handed one more job: a job that waits for another one must not wait for ever. */
bool crew_retire(struct crew *self, struct worker *worker);

/* Its hand is empty. */
void crew_down(struct crew *self, struct worker *worker);

/* The idle worker that was busy last, or longest ago; NULL: none is idle. */
static inline struct worker *crew_warmest(const struct crew *self)
{
    return self->hands[0].head;
}

static inline struct worker *crew_coldest(const struct crew *self)
{
    return self->hands[0].tail;
}

/* The idle worker without parked jobs that was busy longest ago; NULL: there is none. */
struct worker *crew_driest(const struct crew *self);

/* A worker that has jobs and may get one more in advance; NULL: none. A worker silent for too long is
 * passed over until it reports. */
struct worker *crew_spare(struct crew *self, double now);

/* The worker that was silent for too long with more than one job in its hand, and no recall; NULL: none,
 * or there is nobody else to give them to. */
struct worker *crew_stuck(const struct crew *self, double now);

/* When crew_stuck may next find one; INFINITY: never. */
double crew_deadline(const struct crew *self);

/* Of the workers with more than one job and no recall, the one with the most; NULL: none. */
struct worker *crew_most_loaded(const struct crew *self);

/* The job goes into the worker's hand, last, or leaves the hand it is in. */
void crew_hand(struct crew *self, struct worker *worker, struct job *job, double now);
void crew_take(struct crew *self, struct worker *worker, struct job *job, double now);

/* It leaves the hand unbegun. */
void crew_take_back(struct crew *self, struct worker *worker, struct job *job, double now);

/* The job moves from the hand to the parked, or has ended there. */
void crew_park(struct crew *self, struct worker *worker, struct job *job, double now);
void crew_unpark(struct crew *self, struct worker *worker, struct job *job, double now);

/* The worker reported a job that ran so many seconds. */
void crew_measure(struct crew *self, struct worker *worker, double ran, double now);

/* A recall is wanted of all that have jobs; has been asked for; is answered. */
void crew_want_all(struct crew *self);
void crew_ask(struct crew *self, struct worker *worker);
void crew_answer(struct crew *self, struct worker *worker);

/* It gave back what it was handed: it may get more only after a report, as one that has answered a recall. */
void crew_refuse(struct crew *self, struct worker *worker);

#endif
