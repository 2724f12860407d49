/* descriptors.h - are there descriptors left? libzmq aborts where it finds none for its own needs, so whoever makes a socket
 * or a context asks before.
 */
#ifndef DESCRIPTORS_H
#define DESCRIPTORS_H

#include <stdbool.h>

/* True when the process could open so many more, 32 at most, at this moment. Any thread. */
bool descriptors_left(int count);

#endif
