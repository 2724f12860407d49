/* signals.h - what Ctrl-C does to the troupe program. The library itself takes no such signal; only main.c calls this.
 *
 * SIGINT and SIGTERM break into the program's vm, or, once deferred, only tell it. A second one ends the process at once,
 * with the status that the first one would have given.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <stdint.h>

#include "vm.h"

/* From now on the signals are handled on behalf of the vm. 0, TROUPE_ENOMEM, TROUPE_ELIMIT. */
int signals_take(struct vm *vm);

/* From now on a signal throws the program's switch (stop.h) and a letter goes to the address, in place of an error in
 * whatever the vm is doing. */
void signals_defer(uint64_t address);

/* The signal that came; 0: none. */
int signals_seen(void);

/* From now on SIGHUP no longer ends the program: it makes the descriptor readable, which is returned, an eventfd to read
 * from. Negative: there is none to be had. */
int signals_hangups(void);

/* Before the vm is destroyed: nothing more is done about a first signal. */
void signals_release(void);

#endif
