/* uplink.h - a worker process: its one worker, and the way to the program it works for. */
#ifndef UPLINK_H
#define UPLINK_H

struct worker_hooks;

/* The whole life of the process, on its first thread, which becomes the uplink. What the floor above puts into its vm is in
 * the hooks. Its exit status. */
int uplink_run(const struct worker_hooks *hooks);

#endif
