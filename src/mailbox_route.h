/* mailbox_route.h - which box a letter goes to first: its own, or that of the bridge to the house where it lives.
 *
 * Houses are the processes of a program: the program's own is 0, each worker process has a number that the program gave it.
 * Any thread may call these.
 */
#ifndef MAILBOX_ROUTE_H
#define MAILBOX_ROUTE_H

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

/* The box in this process that a letter to the address is posted to; TROUPE_EDEAD when the house is gone. */
int mailbox_route(uint64_t to);

#endif
