/* crew_lists.h - what crew.c tells crew_lists.c. */
#ifndef CREW_LISTS_H
#define CREW_LISTS_H

#include "crew.h"

/* Puts the worker into the list where its state, its hand and its recall say it belongs. */
void crew_settle(struct crew *self, struct worker *worker, double now);

/* The worker, one of the promised, was heard of: it becomes the last of them. */
void crew_promise_anew(struct crew *self, struct worker *worker, double now);

/* The worker, idle already, is the warmest of the idle. */
void crew_idle_anew(struct crew *self, struct worker *worker);

#endif
