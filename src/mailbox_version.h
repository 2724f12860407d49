/* mailbox_version.h - the version of the ZeroMQ that carries the mail. */
#ifndef MAILBOX_VERSION_H
#define MAILBOX_VERSION_H

/* Of the library that is loaded, which may be newer than the one compiled against. */
void mailbox_version(int *major, int *minor, int *patch);

#endif
