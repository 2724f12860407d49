/* uplink_order.c - the letter that says who a worker process is: see uplink_order.h. For the process's first thread.
 *
 * The order stands at the start of the body; behind it name, path, cpath, cwd and libs, each with its closing zero or absent;
 * then the call that is the init.
 */
#include "uplink_order.h"

#include <string.h>

#include "bridge.h"
#include "message.h"
#include "process.h"
#include "troupe.h"
#include "worker.h"

static const char *next_text(const char **at, uint32_t size)
{
    const char *text = size ? *at : NULL;
    *at += size;
    return text;
}

bool uplink_is_order(const struct message *m)
{
    struct bridge_order order;
    if (message_header(m)->kind != MAIL_HOUSE || message_body_size(m) < sizeof order)
        return false;
    memcpy(&order, message_body(m), sizeof order);
    const char *at = (const char *)message_body(m) + sizeof order;
    const uint32_t sizes[] = { order.name_size, order.path_size, order.cpath_size, order.cwd_size, order.libs_size };
    size_t left = message_body_size(m) - sizeof order;
    for (int i = 0; i < 5; i++) {
        if (sizes[i] > left || (sizes[i] > 0 && at[sizes[i] - 1]))
            return false;
        at += sizes[i];
        left -= sizes[i];
    }
    return order.name_size > 0;
}

int uplink_read_order(const struct message *m, struct bridge_order *order, struct worker_options *o,
                      struct process_limits *limits, struct message **init)
{
    const char *at = (const char *)message_body(m) + sizeof *order, *end = (const char *)message_body(m) + message_body_size(m);
    memcpy(order, message_body(m), sizeof *order);
    o->name = next_text(&at, order->name_size);
    o->vm.path = next_text(&at, order->path_size);
    o->vm.cpath = next_text(&at, order->cpath_size);
    limits->cwd = next_text(&at, order->cwd_size);
    o->vm.libs = next_text(&at, order->libs_size);
    o->pool = order->pool;
    o->number = order->number;
    o->tag = order->tag;
    o->vm.memory_limit = order->memory_limit;
    o->cpu_limit = order->cpu_limit;
    limits->parent = (pid_t)order->parent;
    limits->address_space = order->address_space;
    limits->nice = order->nice;
    limits->uid = order->uid;
    limits->gid = order->gid;
    if (!order->init)
        return 0;
    *init = message_new(MAIL_RUN);
    if (!*init)
        return TROUPE_ENOMEM;
    message_header(*init)->from = message_header(m)->from;
    o->init = *init;
    return buffer_append(&(*init)->bytes, at, (size_t)(end - at));
}
