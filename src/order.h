/* order.h - what a client asks of the node, as it stands in letters between threads of one program. */
#ifndef ORDER_H
#define ORDER_H

#include <stdint.h>

/* At the start of a MAIL_OPEN body. Behind it: name, path and cpath, each with its closing zero; then the call that
 * is each new worker's init, if `init`. */
struct pool_order {
    int32_t workers;
    int32_t init;       /* 0 or 1 */
    uint64_t memory_limit;
    double idle_timeout;
    uint32_t name_size, path_size, cpath_size; /* closing zeros included */
    uint32_t reserved;
};

/* At the end of a MAIL_SUBMIT body, with FLAG_ORDER. */
struct job_order {
    int32_t priority;
    int32_t retries;
    double delay;
    double backoff, factor, max;
    int32_t first; /* 0 or 1 */
    int32_t reserved;
    double timeout; /* seconds of one run; 0: none */
};

#endif
