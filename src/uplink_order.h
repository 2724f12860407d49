/* uplink_order.h - what a worker process is told first (bridge.h), made into its worker's options and its own limits. */
#ifndef UPLINK_ORDER_H
#define UPLINK_ORDER_H

#include <stdbool.h>

struct bridge_order;
struct message;
struct process_limits;
struct worker_options;

/* True when the letter is the order, and its texts are whole. */
bool uplink_is_order(const struct message *letter);

/* What such a letter says. Strings stay in it; the call that is the init is a letter of the caller's, in *init too when memory
 * is out for its body. 0 or TROUPE_ENOMEM. */
int uplink_read_order(const struct message *letter, struct bridge_order *order, struct worker_options *options,
                      struct process_limits *limits, struct message **init);

#endif
