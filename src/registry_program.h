/* registry_program.h - the one registry that all vms of a program share.
 *
 * It is in the program's own process and under a lock, which is held for one look or one change, never while Lua runs. So a
 * name is free before anybody can hear that its actor is dead, whichever vm asks. Any thread may call these. Worker processes
 * ask by mail (registry_letter.h); there the registry is empty.
 */
#ifndef REGISTRY_PROGRAM_H
#define REGISTRY_PROGRAM_H

#include "registry.h"

/* The topic that every vm with actors has subscribed to, with its own address; no actor can. */
#define REGISTRY_VMS ".vms"

/* The registry, locked until registry_exit; NULL when memory is out, then it is not. */
struct registry *registry_enter(void);
void registry_exit(void);

/* The actor of that address is dead; the box of that address is about to close; the house is gone. */
void registry_ended(uint64_t address);
void registry_closed(uint64_t address);
void registry_house_gone(uint16_t house);

/* So many more messages have reached nobody. Returns how many have by now. */
uint64_t registry_count_dead(uint64_t more);

#endif
