/* node.h - the program's node: one thread that holds the dispatchers of all pools and their workers.
 *
 * Clients talk to it by mail, box 0. The functions here may be called from any thread.
 */
#ifndef NODE_H
#define NODE_H

#include <stdint.h>

struct ear;
struct worker_hooks;

/* One more client, with its way to the node open; the first starts the node, and says what the floor above puts into each worker's vm. 0, TROUPE_ENOMEM, TROUPE_ELIMIT, TROUPE_EINVAL (a forked child). */
int node_enter(const struct worker_hooks *hooks, struct ear *ear);

/* The client's vm closes: its pools close soon. The last client to leave awaits the node's end: running jobs are broken
 * into, and workers that do not end even so are left to themselves. Takes the ear. */
void node_leave(struct ear **ear);

/* A number for a new pool, used once. */
uint32_t node_new_pool_id(void);

#endif
