/* mailbox_route.h - which box a letter goes to first: its own, or that of the bridge to the house where it lives.
 *
 * Houses are the processes of a program: the program's own is 0, each worker process has a number that the program gave it.
 * Any thread may call these.
 */
#ifndef MAILBOX_ROUTE_H
#define MAILBOX_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

/* The number of this house. */
uint16_t mailbox_house(void);

/* This process is the worker process of that number; letters to all other houses go to the box. Once, before other threads
 * post. */
void mailbox_be_house(uint16_t house, uint16_t uplink);

/* A number for a new house, letters to which go to the box from now on; TROUPE_ELIMIT when all are taken. Numbers are used
 * again as late as can be. */
int mailbox_claim_house(uint16_t bridge);

/* The house is gone: what is posted there finds it dead. */
void mailbox_release_house(uint16_t house);

/* The vm of that address, or its process, shall end, whatever it does: should it go without a word, it was killed. */
void mailbox_mark_killed(uint64_t vm);

/* True when that was said of the one that is there, or was there last. A worker process knows its own vms alone. */
bool mailbox_is_killed(uint64_t vm);

/* The box in this process that a letter to the address is posted to; TROUPE_EDEAD when the house is gone. */
int mailbox_route(uint64_t to);

#endif
