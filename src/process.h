/* process.h - other processes: the troupe program is found, started, ended, awaited; and what one does to itself as it starts.
 *
 * A handle is for the thread that started the process, which must live as long as the process shall: the kernel ends the
 * process with that thread.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process;

/* The descriptors that are inherited beside 0 to 2: the socket for letters, and the pipe for records of the log. */
enum { PROCESS_HANDOVER = 3, PROCESS_LOG = 4 };

/* The program's one argument when it shall be a worker process. */
#define PROCESS_ARGUMENT "--worker-process"

struct process_options {
    const char *program;
    const char *const *env;  /* NAME=value: set; NAME: unset; NULL at the end. NULL: nothing is changed */
    int handover;            /* becomes PROCESS_HANDOVER */
    int log;                 /* becomes PROCESS_LOG */
    int out, err;            /* become 1 and 2; 0 is /dev/null */
};

/* From now on processes run this very program. */
void process_is_troupe(void);

/* The path of the troupe program: what TROUPE names, else this program, else beside the library, else in PATH. 0, or
 * TROUPE_EINVAL, then `out` says where it was looked for. */
int process_find(char *out, size_t size);

/* Starts it in a process group of its own, with default signals. 0 or a status; then errno says why. */
int process_start(struct process **out, const struct process_options *options);

/* Readable once the process has ended; -1 where the kernel cannot tell. */
int process_descriptor(const struct process *self);

pid_t process_id(const struct process *self);

/* Ends it and those of its group, at once. */
void process_kill(struct process *self);

/* Awaits its end if need be; frees the handle and nulls it. `reason` gets "killed by signal 9 (Killed)" or "exit status 3". */
void process_reap(struct process **self, char *reason, size_t size);

struct process_limits {
    pid_t parent;            /* the process ends with it */
    uint64_t address_space;  /* bytes it may map beside what it has; 0: no limit */
    int nice;                /* added to what it has */
    int64_t uid, gid;        /* -1: as they are */
    const char *cwd;         /* NULL: as it is */
};

/* A new process closes all it has inherited beside the standard descriptors and those handed over, which no process that it
 * starts inherits from it. */
void process_close_others(void);

/* It puts itself under the limits. 0, or a status; then `why` says which failed. Ends the process when its parent is gone. */
int process_confine(const struct process_limits *limits, char *why, size_t size);

#endif
