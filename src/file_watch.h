/* file_watch.h - a file under observation: somebody wrote it, or put another in its place. The kernel tells (inotify), so an
 * observer that waits costs nothing. One thread.
 */
#ifndef FILE_WATCH_H
#define FILE_WATCH_H

#include <stdbool.h>

struct file_watch;

/* Observes the file of that path, which need not exist; its directory must. 0; TROUPE_ENOMEM; TROUPE_ELIMIT: no more
 * descriptors or watches; TROUPE_EINVAL: no such directory. */
int file_watch_new(struct file_watch **self, const char *path);
void file_watch_destroy(struct file_watch **self);

/* Readable when there may be news; the observation's own. */
int file_watch_descriptor(const struct file_watch *self);

/* True when it was written to its end, or replaced, since this was last asked. */
bool file_watch_take(struct file_watch *self);

#endif
