/* order.h - what a client asks of the node, as it stands in letters between threads of one program. */
#ifndef ORDER_H
#define ORDER_H

#include <stdint.h>

/* At the start of a MAIL_OPEN body. Behind it: name, path, cpath and libs, each with its closing zero; then what is
 * preloaded; struct process_order, if `process`; then the call that is each new worker's init, if `init`. */
struct pool_order {
    int32_t workers;
    int32_t init;       /* 0 or 1 */
    uint64_t memory_limit;
    double idle_timeout;
    int32_t max_jobs;    /* 0: no end */
    int32_t concurrency; /* 0: the default */
    int32_t rate_jobs;   /* most that start in any rate_per seconds; 0: no bound */
    int32_t log_level;   /* failed jobs are logged at it; 0: they are not */
    double rate_per;
    uint64_t gate;       /* address of the pool's struct gate, held for the node; 0: any number may wait, but for: */
    uint64_t places;     /* of a client in another process, where no address is of use: how many may; 0: any number */
    uint32_t name_size, path_size, cpath_size; /* closing zeros included */
    uint32_t libs_size;     /* standard libraries, comma-separated; 0: all */
    uint32_t preload_size;  /* for each preloaded function its address, then its name with a closing zero */
    uint32_t process; /* 0 or 1 */
    uint32_t hosts;   /* 1: it has one job, an actor; it ends with that, and not with its client */
    uint32_t shared;  /* 1: a host of many actors, one of which may be broken into and leaves the others alone */
};

/* Of a pool whose workers are processes. Behind it: cwd with its closing zero; then changes of the environment, NAME=value or
 * NAME, each with its closing zero. */
struct process_order {
    uint64_t address_space; /* bytes; 0: no limit */
    double cpu_limit;       /* seconds of processor time for each job; 0: no limit */
    int64_t uid, gid;       /* -1: the program's */
    int32_t nice;
    uint32_t listens;       /* 1: lines of output go to the client */
    uint32_t cwd_size, env_size;
};

/* Functions, and the name, in front of a call, with FLAG_EXTRA: which there are, added up. */
enum job_extra { EXTRA_CLEANUP = 1, EXTRA_ON_DONE = 2, EXTRA_NAME = 4 };

enum job_order_bit {
    ORDER_FIRST = 1,
    ORDER_SCHEDULED = 2, /* the delay leads to a moment that was named */
    ORDER_ASKS = 4,      /* MAIL_ASK before each retry */
    ORDER_PLACED = 8,    /* it holds one of the places for jobs that wait */
    ORDER_OUTLIVE = 16   /* it goes on when its owner is gone */
};

/* At the end of a MAIL_SUBMIT body, with FLAG_ORDER. In front of it: the job's name, without any zero. */
struct job_order {
    int32_t priority;
    int32_t retries;
    double delay;
    double backoff, factor, max, jitter;
    double every; /* 0: once */
    uint32_t bits; /* enum job_order_bit */
    uint32_t name_size;
    double timeout; /* seconds of one run; 0: none */
    uint64_t gang;  /* id of the job that leads its gang; 0: none */
    uint64_t place; /* with ORDER_PLACED: id of the question by which it has the place; 0: it was taken at the gate */
    int32_t gang_size; /* of the leader: how many jobs it has */
    uint32_t more_unused;
};

#endif
