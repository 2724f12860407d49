/* stop.h - one switch for the whole program: once it is thrown, nothing new is begun. Readers of input end, runs of items
 * end between two items. Only the troupe program throws it; any thread may ask.
 */
#ifndef STOP_H
#define STOP_H

#include <stdbool.h>

/* Throws it, for good. Async-signal-safe. */
void stop_throw(void);

bool stop_thrown(void);

/* A descriptor that is readable from the throw on, to poll beside others; -1 when there is none to be had. */
int stop_descriptor(void);

#endif
