/* mailbox_version.c - asks ZeroMQ. */
#include "mailbox_version.h"

#include <zmq.h>

void mailbox_version(int *major, int *minor, int *patch)
{
    zmq_version(major, minor, patch);
}
