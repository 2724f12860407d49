/* claims.h - who sees to the cleanup of a run: the worker that ran it, or the node that gave the worker up. The first to
 * claim it does; each cleanup is claimed once.
 *
 * One set for a pool, held by the pool and by each of its workers; any holder's thread may call any function.
 */
#ifndef CLAIMS_H
#define CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

struct claims;

/* Held once. NULL when memory is out. */
struct claims *claims_new(void);
struct claims *claims_hold(struct claims *self);

/* The last to let go frees it. Nulls; NULL is fine. */
void claims_release(struct claims **self);

/* The worker is about to clean up after that run of the job. False: it must not, or memory is out. */
bool claims_take(struct claims *self, uint64_t job, uint32_t run);

/* The worker is gone, and never began: the claim is nobody's again. Nothing when the node has settled it by now. */
void claims_give_back(struct claims *self, uint64_t job, uint32_t run);

/* The node has the end of the run: true when the worker had claimed it. Else the worker will not any more, if `given_up`:
 * it may be running still. */
bool claims_settle(struct claims *self, uint64_t job, uint32_t run, bool given_up);

#endif
