/* gate.h - how many jobs may wait in a pool: places, counted by the node and by all handles of the pool.
 *
 * Any thread takes a place; only the node's gives one back. While somebody waits for one at the node the gate is shut:
 * places then go to those who wait, first come, first served. Freed when the last holder lets go.
 */
#ifndef GATE_H
#define GATE_H

#include <stdbool.h>
#include <stdint.h>

struct gate;

/* With that many places, held once. NULL: no memory. */
struct gate *gate_new(int64_t places);

void gate_hold(struct gate *self);

/* Lets go and nulls the pointer; NULL is fine. */
void gate_release(struct gate **self);

/* Takes a place, if there is one and the gate is open. */
bool gate_enter(struct gate *self);

/* For the node: takes a place though the gate is shut; gives one back; shuts it or opens it. */
bool gate_admit(struct gate *self);
void gate_leave(struct gate *self);
void gate_shut(struct gate *self, bool shut);

#endif
