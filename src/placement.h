/* placement.h - in which of the program's shared vms the next light actor lives.
 *
 * There are as many places as cores; a vm is started for one when it is first chosen. All of it is under the struct's own
 * lock: any thread may call any function.
 */
#ifndef PLACEMENT_H
#define PLACEMENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { PLACEMENT_MOST = 256 };

/* Who waits for a vm to come up: the number of a call in the vm of that address. */
struct placement_waiter {
    uint64_t vm, number;
    struct placement_waiter *next;
};

struct placement_place {
    uint64_t vm;     /* its address; 0: none */
    double starting; /* since when somebody starts one; 0: nobody does */
    uint32_t count;  /* actors that live there, and those that were sent there */
    struct placement_waiter *waiters;
};

struct placement {
    pthread_mutex_t lock;
    struct placement_place places[PLACEMENT_MOST];
};

/* The program's. */
extern struct placement placement_program;

struct placement_ask {
    int places;      /* 1 to PLACEMENT_MOST */
    uint64_t own;    /* the vm of who asks */
    uint64_t number; /* a call there, which is answered when the vm has come up; 0: none yet */
    double now;
};

/* The actor is counted from now on: in that vm; in the one that the asker starts; in one that is being started, of which the
 * asker hears. UNKNOWN: one is being started, and there is no number: nothing was done. FULL: no memory. */
enum placement_answer { PLACEMENT_THERE, PLACEMENT_START, PLACEMENT_WAIT, PLACEMENT_UNKNOWN, PLACEMENT_FULL };
enum placement_answer placement_choose(struct placement *self, const struct placement_ask *ask, uint64_t *vm, int *place);

/* The vm of a place has come up. False: another one was there first, and this one is of no use. Who waited is the caller's. */
bool placement_up(struct placement *self, int place, uint64_t vm, struct placement_waiter **waiters);

/* None could be started; who was to start it is counted no more, nor is who waited, who is the caller's. */
void placement_failed(struct placement *self, int place, struct placement_waiter **waiters);

/* Who waits there, under that number, waits no more; or, number 0, who was to start a vm leaves that to another that was there
 * first. It is counted no more. False: it does not wait, for its answer is on its way. */
bool placement_withdraw(struct placement *self, int place, uint64_t vm, uint64_t number);

/* One more lives there, without having been sent. */
void placement_joined(struct placement *self, uint64_t vm);

/* An actor that was counted there is dead, or was not made. */
void placement_left(struct placement *self, uint64_t vm);

/* The vm is about to close, or was given up. */
void placement_closed(struct placement *self, uint64_t vm);

void placement_free_waiters(struct placement_waiter **waiters);

#endif
